//! The file server and its clients, for daily use: FTP (RFC 959) over the recorded calls.
//!
//! The page of the `ftp` example has the server's loop, and hands each client to [`converse`](session::converse). Read
//! on in this order:
//!
//! - [`telnet`]: the control connection, lines out of bytes;
//! - [`root`]: the folder that is served, and nothing outside of it;
//! - [`listing`]: what LIST, NLST and MLSD say;
//! - [`data`]: the data connection, active and passive, and what moves over it;
//! - [`guests`]: who is here: the clients, and those at the door;
//! - [`guesses`]: wrong passwords, and how long a guesser waits for the answer;
//! - [`login`]: the user and the password, as options;
//! - [`session`]: the table of verbs, and what each does: who and where on its own page, the data
//!   connection in `session/way.rs`, files in `session/files.rs`;
//! - and the other side of it all: `remote`, the server as a client sees it, and `facts`, what it tells of
//!   a file; `names` and `local`, how files are called and kept here; `client`, a menu; `location`, a URL;
//!   `get_put`, a file for a script; [`Error`], what can go wrong for a client.
//!
//! ```
//! use netplay_ftp::data::six_numbers;
//!
//! let address = "127.0.0.1:40000".parse().unwrap();
//! assert_eq!(six_numbers(address), "127,0,0,1,156,64"); // as PORT and PASV write it: 156 * 256 + 64
//! ```

pub mod data;
pub mod facts;
pub mod guesses;
pub mod guests;
pub mod listing;
pub mod location;
pub mod login;
pub mod names;
pub mod root;
pub mod session;
pub mod telnet;

mod client;
mod error;
mod get_put;
mod local;
mod remote;

pub use client::client;
pub use error::{About, Error, Unfit};
pub use get_put::{Get, Put, get, put};
pub use remote::{extended_port_in, six_numbers_in};
