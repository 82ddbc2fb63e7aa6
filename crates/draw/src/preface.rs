//! What stands above the timeline of a page: why it is shown, and which of its calls are meant.

use netplay_record::Event;

use super::Timeline;

/// What a page says before its timeline. The page opens at the first call that is marked.
#[derive(Debug, Clone, Default)]
pub struct Preface {
    /// HTML. The script makes an element with `data-call="N"` a way to call N of the timeline.
    pub html: String,
    /// Calls of the timeline, which bear a mark.
    pub marks: Vec<usize>,
}

impl Timeline {
    /// The call of the timeline that stands for this record; none if a picture has left it out.
    #[must_use]
    pub fn call_of(&self, record: &Event) -> Option<usize> {
        let at = record.start_ns.checked_sub(self.start_ns)?;
        // Equal calls in a row are one call of the timeline.
        let is_it = |i: &usize| {
            let (call, it) = (&self.calls[*i], &self.calls[*i].record);
            it.tid == record.tid
                && it.call == record.call
                && (call.from_ns == at
                    || call.times > 1 && (call.from_ns..=call.to_ns).contains(&at))
        };
        (0..self.calls.len()).find(is_it)
    }
}
