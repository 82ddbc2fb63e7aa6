//! Steps: a call that is held, and the answer of a browser that lets it go on.
//!
//! Each call that is held has a number, and an answer names it. So two browsers, or two clicks, let one call go on and
//! not two.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::lock::lock;

/// What a reader wants of a call that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// This call is made, and the next one is held.
    Next,
    /// All go on without stops.
    On,
}

#[derive(Default)]
pub(crate) struct Steps {
    state: Mutex<State>,
    pressed: Condvar,
}

#[derive(Default)]
struct State {
    /// The number of the call that is held, or was held last.
    n: u64,
    held: bool,
    step: Option<Step>,
}

impl Steps {
    /// A call is held: its number.
    pub(crate) fn hold(&self) -> u64 {
        let mut state = lock(&self.state);
        *state = State { n: state.n + 1, held: true, step: None };
        state.n
    }

    pub(crate) fn release(&self) {
        lock(&self.state).held = false;
    }

    /// An answer to the call of this number; whether it is the one that is held, and has no answer yet.
    pub(crate) fn press(&self, n: u64, step: Step) -> bool {
        let mut state = lock(&self.state);
        let fits = state.held && state.n == n && state.step.is_none();
        if fits {
            state.step = Some(step);
            self.pressed.notify_all();
        }
        fits
    }

    pub(crate) fn pressed_within(&self, time: Duration) -> Option<Step> {
        let state = lock(&self.state);
        let waited = self.pressed.wait_timeout_while(state, time, |state| state.step.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_for_one_call_and_counts_once() {
        let steps = Steps::default();
        assert!(!steps.press(0, Step::Next), "nothing is held");
        let first = steps.hold();
        assert!(!steps.press(first + 1, Step::Next));
        assert!(steps.press(first, Step::On) && !steps.press(first, Step::Next));
        assert_eq!(steps.pressed_within(Duration::ZERO), Some(Step::On));
        steps.release();
        let second = steps.hold();
        assert_eq!(steps.pressed_within(Duration::ZERO), None);
        assert!(!steps.press(first, Step::Next) && steps.press(second, Step::Next));
    }
}
