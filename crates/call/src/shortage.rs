//! A shortage of descriptors: what a server does when `accept` fails although the listener works.
//!
//! Without a free descriptor, `accept` leaves the client in the queue. A server that tries again at once finds the same
//! client and the same failure, a hundred thousand times a second; a server that ends cuts off all its clients. So netplay's servers
//! report the problem once, pause, and try again when a descriptor may be free.
//!
//! There are two pauses, because there are two ways to learn that a descriptor is free. A loop that closes its
//! clients itself knows it: it ignores the listener for a second at most, and checks it again as soon as a client
//! leaves ([`Shortage::end`]). A thread in `accept` does not see what other threads close: it tries again after 10 ms,
//! then less and less often, down to once a second ([`Watch::or`](crate::stop::Watch::or)).

use std::time::{Duration, Instant};

use netplay_text::lang::Lang;
use netplay_text::say;

use crate::{self as call, CallError};

/// How long to ignore the listener, unless a descriptor is known to be free sooner.
const PAUSE: Duration = Duration::from_secs(1);

/// A shortage that comes back within this time is the same one, and has been reported.
const SAME: Duration = Duration::from_secs(10);

/// Since when, and for how long, a server does not accept because descriptors are short.
#[derive(Debug, Default)]
pub struct Shortage {
    until: Option<Instant>,
    /// When a descriptor was last missing.
    short: Option<Instant>,
}

impl Shortage {
    /// Checks why an accept failed: if descriptors are short, the pause begins.
    ///
    /// # Errors
    /// The error, if it is the listener's own and permanent.
    pub fn check(&mut self, error: CallError) -> call::Result<()> {
        if error.out_of_descriptors() {
            let now = Instant::now();
            if self.short.replace(now).is_none_or(|last| now - last > SAME) {
                let told = say!(
                    Lang::current(),
                    "{error}: clients wait in the queue until a descriptor is free",
                    "{error}：客户端在队列里等待，直到有描述符空出来",
                );
                tracing::warn!("{told}");
            }
            self.until = Some(now + PAUSE);
            return Ok(());
        }
        // Readiness is a hint: the client may be gone again.
        let passes = error.would_block() || error.interrupted() || error.only_this_client();
        if passes { Ok(()) } else { Err(error) }
    }

    /// How much longer to ignore the listener; `None`: check it.
    pub fn remaining(&mut self) -> Option<Duration> {
        let left = self.until?.checked_duration_since(Instant::now());
        if left.is_none() {
            self.until = None;
        }
        left
    }

    /// A descriptor is free: check the listener again.
    pub fn end(&mut self) {
        self.until = None;
    }
}
