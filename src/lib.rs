//! # netplay: the socket playground
//!
//! Every classic socket program of a networking course, as a page to read and a program to run.
//!
//! - [`call`]: the system calls, one function for each, all of them recorded.
//! - [`tell`]: the record as a story on standard error; [`trace`]: the record as JSON Lines, for programs.
//! - [`handler`]: a server for your own conversations; [`admission`]: which clients a server of your own admits, how
//!   many at once, and what it counts. [`stop`] ends its waits.
//! - [`byte_order`]: `htons`, `inet_aton` and the others, byte by byte.
//!
//! To use these in your own program, depend on netplay with `default-features = false`. The
//! feature `cli` adds the pages and the command line:
//!
//! - `examples`: the table, and a page for each example: `tcp_echo`, `udp_echo`, `select`, …
//! - `models`: the five models of I/O, measured with one message each.
//! - `draw`, `review`, `grade`, `bench`, `lab`, `lesson`, `why`, `doctor`, `cli`: ARCHITECTURE.md is the map.
//!
//! ```
//! use netplay::call::{self, Domain, TcpListener, TcpStream, Type};
//!
//! netplay::tell("server")?; // each call of this program is a line of a story on standard error
//! let socket = call::socket(Domain::IPV4, Type::STREAM, 0)?;
//! call::bind(&socket, std::net::SocketAddr::from(([127, 0, 0, 1], 0)))?;
//! let listener: TcpListener = call::listen(socket, 1)?;
//! let client = std::net::TcpStream::connect(call::getsockname(&listener)?)?;
//! let (peer, _address): (TcpStream, _) = call::accept(&listener)?;
//! drop(client);
//! assert_eq!(call::recv(&peer, &mut [0; 8], 0)?, 0); // the end: the client has closed
//! call::close(peer)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub use netplay_call::{self as call, descriptor, shortage, stop};
#[cfg(feature = "cli")]
pub use netplay_draw::{self as draw, ink};
#[cfg(feature = "cli")]
pub use netplay_grade as grade;
#[cfg(feature = "cli")]
pub use netplay_inspect as inspect;
#[cfg(feature = "cli")]
pub use netplay_live as live;
#[cfg(feature = "cli")]
pub use netplay_pack as pack;
pub use netplay_record as record;
#[cfg(feature = "cli")]
pub use netplay_review as review;
pub use netplay_shared::{address, failure, sendall, server};
#[cfg(feature = "cli")]
pub use netplay_shared::{client, files};
pub use netplay_text::{columns, escape, lang, table, words};
pub use netplay_trace::{self as trace, output, tell};
#[cfg(feature = "cli")]
pub use netplay_watch as watch;

pub mod byte_order;
pub mod admission;
pub mod handler;

#[cfg(feature = "cli")]
pub mod terminal;
#[cfg(feature = "cli")]
pub mod examples;
#[cfg(feature = "cli")]
pub mod lesson;
#[cfg(feature = "cli")]
pub mod child;
#[cfg(feature = "cli")]
pub mod models;
#[cfg(feature = "cli")]
pub mod bench;
#[cfg(feature = "cli")]
pub mod demo;
#[cfg(feature = "cli")]
pub mod lab;
#[cfg(feature = "cli")]
pub mod doctor;
#[cfg(feature = "cli")]
pub mod why;
#[cfg(feature = "cli")]
pub mod packaging;
#[cfg(feature = "cli")]
pub mod cli;
