//! What a server does when `accept` fails, and it is not the listener's fault.
//!
//! Out of descriptors, `accept` leaves the client in the queue. A server that simply tries again finds
//! the same client and the same failure at once, a hundred thousand times a second; one that ends
//! sends everybody home. So it says once what is wrong, looks away for a while, and tries again when a
//! descriptor may be free.

use std::time::{Duration, Instant};

use crate::{self as call, CallError};

/// How long to look away from the listener, unless a descriptor is known to be free sooner.
const PAUSE: Duration = Duration::from_secs(1);

/// A shortage that comes back within this time is the same one, and has been told.
const SAME: Duration = Duration::from_secs(10);

/// How a server bears with a listener that it cannot accept from.
#[derive(Debug, Default)]
pub struct Patience {
    until: Option<Instant>,
    /// When a descriptor was last missing.
    short: Option<Instant>,
}

impl Patience {
    /// Takes note of a failed accept.
    ///
    /// # Errors
    /// The error, if it is the listener's own and will not pass.
    pub fn with(&mut self, error: CallError) -> call::Result<()> {
        if error.out_of_descriptors() {
            let now = Instant::now();
            if self.short.replace(now).is_none_or(|last| now - last > SAME) {
                tracing::warn!("{error}: clients wait in the queue until a descriptor is free");
            }
            self.until = Some(now + PAUSE);
            return Ok(());
        }
        // Readiness is a hint: whoever was there may be gone again.
        let passes = error.would_block() || error.interrupted() || error.only_this_client();
        if passes { Ok(()) } else { Err(error) }
    }

    /// How much longer to look away from the listener; `None`: look.
    pub fn left(&mut self) -> Option<Duration> {
        let left = self.until?.checked_duration_since(Instant::now());
        if left.is_none() {
            self.until = None;
        }
        left
    }

    /// A descriptor is free: look again.
    pub fn end(&mut self) {
        self.until = None;
    }
}
