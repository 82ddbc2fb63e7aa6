//! A call in little room.

use std::cell::RefCell;
use std::ops::Deref;
use std::sync::Arc;

use super::Call;

/// What was called, in one pointer. A copy of it is the same value, not another one.
///
/// Of the calls that were read lately, equal ones are one value: most calls of a trace differ only in what their line
/// says besides.
#[derive(Debug, Clone, Default)]
pub struct What(Option<Arc<Call>>);

/// So many different calls are known at a time.
const KNOWN: usize = 16;

static NOTHING: Call = Call::None;

thread_local! {
    static LATELY: RefCell<Vec<What>> = const { RefCell::new(Vec::new()) };
}

impl What {
    /// This call: the one that was read lately, if it is equal.
    pub(super) fn read(call: Call) -> What {
        LATELY.with_borrow_mut(|lately| {
            if let Some(known) = lately.iter().find(|known| ***known == call) {
                return known.clone();
            }
            lately.truncate(KNOWN - 1);
            lately.insert(0, call.into());
            lately[0].clone()
        })
    }
}

impl Deref for What {
    type Target = Call;

    fn deref(&self) -> &Call {
        self.0.as_deref().unwrap_or(&NOTHING)
    }
}

impl From<Call> for What {
    fn from(call: Call) -> What {
        What((call != Call::None).then(|| Arc::new(call)))
    }
}
