//! Silence: how long a client may send nothing.

use std::time::{Duration, Instant};

use crate::server::ServerArgs;

/// How long a client has been silent, if `--idle-timeout` limits that.
#[derive(Debug)]
pub struct Silence {
    limit: Option<Duration>,
    since: Instant,
}

impl Silence {
    /// It begins now.
    #[must_use]
    pub fn begin(args: &ServerArgs) -> Silence {
        Silence { limit: args.idle_timeout, since: Instant::now() }
    }

    /// The client has sent or taken something: its silence starts again. Without a limit the clock is not read.
    pub fn restart(&mut self) {
        if self.limit.is_some() {
            self.since = Instant::now();
        }
    }

    /// The client is ending: its silence no longer matters.
    pub fn end(&mut self) {
        self.limit = None;
    }

    /// How much longer it may last; `None`: for ever.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        Some(self.limit?.saturating_sub(self.since.elapsed()))
    }

    /// Whether it has lasted too long.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.remaining() == Some(Duration::ZERO)
    }
}
