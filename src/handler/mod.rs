//! A server for conversations of your own: it opens its socket, waits for requests, and has a [`Handler`] answer each,
//! here, in a child process or in a thread ([`Style`]). The page of the `handler` example says when to use it.

mod error;
mod request;
mod server;

pub use error::ServeError;
pub use request::{Handler, Request, Result, SendError};
pub use server::{Server, Style};
