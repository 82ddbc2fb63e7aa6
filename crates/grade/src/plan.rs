//! What is to be tested, and how.

use std::ffi::OsString;
use std::net::IpAddr;
use std::time::Duration;

use serde::Deserialize;

use super::protocol::Protocol;

/// What kind of program it is: which tests apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Model {
    /// A server of connections that serves one client after the other.
    Iterative,
    /// A server of connections that serves many at once.
    Concurrent,
    /// A server of datagrams.
    Udp,
    /// A client.
    Client,
}

impl Model {
    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Model::Iterative => "iterative",
            Model::Concurrent => "concurrent",
            Model::Udp => "udp",
            Model::Client => "client",
        }
    }
}

/// What is to be tested, and how.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The command and its arguments; `{host}` and `{port}` are replaced.
    pub command: Vec<OsString>,
    /// What kind of program it is.
    pub model: Model,
    /// What a right answer is.
    pub protocol: Protocol,
    /// The address that stands for `{host}`.
    pub host: IpAddr,
    /// From which all that is chosen follows.
    pub seed: u64,
    /// Whether the calls of the program are watched.
    pub watched: bool,
    /// How long a test may take.
    pub timeout: Duration,
}
