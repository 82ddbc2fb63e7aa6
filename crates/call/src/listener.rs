//! Whether anybody listens to the records.

use tracing::{Level, enabled};

/// The `target` of the events that are calls.
pub const TARGET: &str = "netplay::call";

/// Whether anybody listens.
#[inline]
pub(super) fn listening() -> bool {
    enabled!(target: TARGET, Level::INFO)
}
