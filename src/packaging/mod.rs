//! Files that a package ships beside the program, made from its command line: manual pages, and completions for shells.

mod completions;
mod man;

pub use completions::completions;
pub use man::{page_of, write_pages};
