//! Whether the records have a listener.

use tracing::{Level, enabled};

/// The `target` of the events that are calls.
pub const TARGET: &str = "netplay::call";

/// Whether there is a listener.
#[inline]
pub(super) fn listening() -> bool {
    enabled!(target: TARGET, Level::INFO)
}
