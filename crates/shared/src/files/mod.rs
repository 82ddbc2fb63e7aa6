//! Files that the user names, to be read or written, and the few that netplay keeps for itself.
//!
//! A name may lead to a pipe whose other end takes its time (`<(pass show ftp)`), to one that has no other end, or
//! to a device without an end. So a wait for bytes hears the first signal and has an end, and so has the file. A file
//! that is written has its name only when it is whole.

mod error;
mod pipe;
mod read;
pub mod state;
mod write;

pub use error::FileError;
pub use read::{first_line, whole};
pub use write::{is_same, is_stdout, try_to_write, write, write_by};
