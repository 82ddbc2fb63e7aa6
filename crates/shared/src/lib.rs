//! What the pages and the file server share, and none of them is about.
//!
//! - [`sendall()`]: send, until the kernel has taken all;
//! - [`byte_order`]: numbers and addresses as bytes, `htons` and the others;
//! - [`address`]: HOST and PORT as people type them;
//! - [`failure`]: errors in the language of the process;
//! - [`server`]: what a server is told, and what it tells: settings, answers, its ready line;
//! - `client`: what a client sends and shows, and `files`: what the user names to read or write (feature `terminal`).
//!
//! ```
//! use netplay_shared::byte_order::{htons, ntohs};
//!
//! assert_eq!(htons(5858).to_ne_bytes(), [0x16, 0xe2]); // the order of the network, on any machine
//! assert_eq!(ntohs(htons(5858)), 5858);
//! ```

pub mod address;
pub mod byte_order;
#[cfg(feature = "terminal")]
pub mod client;
#[cfg(feature = "terminal")]
pub mod files;
pub mod failure;
mod sendall;
pub mod server;

pub use sendall::sendall;
