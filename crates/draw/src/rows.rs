//! What stands at which height. Time goes downwards.
//!
//! A call that took so long that something happened elsewhere meanwhile, or took a millisecond, has two
//! rows, one where it began and one where it returned; between them it is a bar. Every other call has one
//! row. So the order of the rows is the order of what happened, whichever process it happened in.

use std::str::FromStr;

use super::calls::{Call, is_moment};
use super::timeline::Timeline;

/// How heights tell time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Time {
    /// Every row is as high as the next: what counts is the order, and the figures say the times.
    #[default]
    Even,
    /// A millisecond is as high as the next; only a long wait is cut, and the figure says how long.
    True,
}

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Time, String> {
        match text {
            "even" => Ok(Time::Even),
            "true" => Ok(Time::True),
            _ => Err("time is drawn `even` or `true`".to_owned()),
        }
    }
}

/// The rows of a timeline, from the first to the last.
#[derive(Debug, Default)]
pub struct Rows {
    /// In the order of time.
    pub rows: Vec<Row>,
    /// For each row whether something happened on another host that is closer than the clocks are known: which of the two was
    /// first is unknown, unless an arrow says it.
    pub unsure: Vec<bool>,
    /// For each call the row in which it began; the same as `returned` for a call of one row.
    pub began: Vec<usize>,
    /// For each call the row in which it returned.
    pub returned: Vec<usize>,
}

/// A moment of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// In nanoseconds from the timeline's start.
    pub at_ns: u64,
    /// An index of the timeline's calls.
    pub call: usize,
    /// Which of its moments.
    pub part: Part,
}

/// Which moment of a call a row stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// It began and returned within a moment.
    Whole,
    /// It began.
    Begin,
    /// It returned.
    End,
}

/// A place where nothing happened for so long that the picture leaves time out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Break {
    /// It stands between this row and the one before.
    pub before: usize,
    /// How long nothing happened.
    pub ns: u64,
}

/// Where rows stand in a picture, in its units.
#[derive(Debug, Default)]
pub struct Heights {
    /// For each row.
    pub of_rows: Vec<f64>,
    /// Where time was left out: in the middle between two rows.
    pub breaks: Vec<Break>,
    /// The lowest row, and one row more.
    pub height: f64,
    /// How high a nanosecond is, if heights are true.
    pub per_ns: Option<f64>,
}

impl Rows {
    /// Finds the rows of a timeline.
    #[must_use]
    pub fn of(timeline: &Timeline) -> Rows {
        let spans: Vec<Span> = timeline.calls.iter().map(Span::of).collect();
        let rows = Rows::of_spans(&spans);
        Rows { unsure: unsure(timeline, &rows.rows), ..rows }
    }

    /// The rows of calls of which only the times are known.
    pub(super) fn of_spans(spans: &[Span]) -> Rows {
        let two = spanning(spans);
        let mut rows: Vec<Row> = Vec::with_capacity(spans.len() * 2);
        for (call, (of, two)) in spans.iter().zip(&two).enumerate() {
            rows.extend(of.rows(call, *two).into_iter().flatten());
        }
        rows.sort_by_key(Row::place);
        let (mut began, mut returned) = (vec![0; spans.len()], vec![0; spans.len()]);
        for (i, row) in rows.iter().enumerate() {
            if row.part != Part::End {
                began[row.call] = i;
            }
            if row.part != Part::Begin {
                returned[row.call] = i;
            }
        }
        Rows { rows, unsure: Vec::new(), began, returned }
    }

    /// Gaps longer than this are shown as breaks, in nanoseconds; and how high one nanosecond is where heights are true, if a
    /// row more is `unit`.
    pub(super) fn scale(rows: &[Row], time: Time, unit: f64) -> (u64, f64) {
        let gaps = gaps(rows);
        let longest = longest(&gaps, time);
        let uncut: u64 = gaps.iter().filter(|&&gap| gap <= longest).sum();
        (longest, 1.5 * unit * rows.len() as f64 / uncut.max(1) as f64)
    }

    /// Gives each row its height, of which one row more is `unit`.
    #[must_use]
    pub fn heights(&self, time: Time, unit: f64) -> Heights {
        let gaps = gaps(&self.rows);
        let (longest, per_ns) = Rows::scale(&self.rows, time, unit);
        let mut heights =
            Heights { per_ns: (time == Time::True).then_some(per_ns), ..Heights::default() };
        let mut at = unit;
        for i in 0..self.rows.len() {
            if let Some(&gap) = i.checked_sub(1).and_then(|i| gaps.get(i)) {
                at += match time {
                    _ if gap > longest => {
                        heights.breaks.push(Break { before: i, ns: gap });
                        2.0 * unit
                    }
                    Time::Even => unit,
                    Time::True => gap as f64 * per_ns,
                };
            }
            heights.of_rows.push(at);
        }
        heights.height = at + unit;
        heights
    }
}

fn gaps(rows: &[Row]) -> Vec<u64> {
    rows.windows(2).map(|pair| pair[1].at_ns - pair[0].at_ns).collect()
}

impl Row {
    /// What rows are sorted by: what ends stands above what begins in the same nanosecond.
    pub(super) fn place(&self) -> (u64, bool, usize) {
        (self.at_ns, self.part != Part::End, self.call)
    }
}

/// What the rows have to know of a call, in nanoseconds from the timeline's start.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) from_ns: u64,
    pub(super) to_ns: u64,
    pub(super) took_ns: u64,
    /// Whether it is a note, or a call of a ring.
    pub(super) is_moment: bool,
}

impl Span {
    /// The rows of this call: two, or one.
    pub(super) fn rows(&self, call: usize, two: bool) -> [Option<Row>; 2] {
        let row = |at_ns, part| Some(Row { at_ns, call, part });
        match (two, self.is_moment) {
            (true, _) => [row(self.from_ns, Part::Begin), row(self.to_ns, Part::End)],
            // An operation of a ring is done when its answer is taken.
            (false, true) => [row(self.to_ns, Part::Whole), None],
            (false, false) => [row(self.from_ns, Part::Whole), None],
        }
    }

    fn of(call: &Call) -> Span {
        let is_moment = is_moment(&call.record);
        Span { from_ns: call.from_ns, to_ns: call.to_ns, took_ns: call.took_ns(), is_moment }
    }
}

/// What must lie between two times to be told apart, beside what the clocks are unsure of: they are rounded.
const ROUNDED: u64 = 2;

/// Which rows are too close to one of another host.
fn unsure(timeline: &Timeline, rows: &[Row]) -> Vec<bool> {
    let mut unsure = vec![false; rows.len()];
    if timeline.clock.is_none() {
        return unsure;
    }
    let is_of =
        |host: u8| move |&i: &usize| timeline.lanes[timeline.calls[rows[i].call].lane].host == host;
    let here: Vec<usize> = (0..rows.len()).filter(is_of(0)).collect();
    // How many more are close to each of these than to the one before it.
    let mut close: Vec<i64> = vec![0; here.len() + 1];
    for row in (0..rows.len()).filter(is_of(1)) {
        let at = rows[row].at_ns;
        // What is known to be before or after, because a message went between, is at least so far away.
        let near = timeline.within(at).saturating_sub(ROUNDED);
        let first = here.partition_point(|&i| rows[i].at_ns <= at.saturating_sub(near));
        let end = here.partition_point(|&i| rows[i].at_ns < at.saturating_add(near));
        if first < end {
            unsure[row] = true;
            close[first] += 1;
            close[end] -= 1;
        }
    }
    let mut sum = 0;
    for (&row, more) in here.iter().zip(close) {
        sum += more;
        unsure[row] = sum > 0;
    }
    unsure
}

/// A call that waits this long is drawn as a wait, even if no other call was observed meanwhile.
pub(super) const LONG_NS: u64 = 1_000_000;

/// Which calls have two rows: those that something else happened in, and long ones.
fn spanning(spans: &[Span]) -> Vec<bool> {
    // (time, call) of everything that happens, in order.
    let mut moments: Vec<(u64, usize)> = Vec::with_capacity(2 * spans.len());
    for (i, span) in spans.iter().enumerate() {
        moments.push((span.from_ns, i));
        moments.push((span.to_ns, i));
    }
    moments.sort_unstable();
    let mut two = vec![false; spans.len()];
    let mut began: Vec<Option<usize>> = vec![None; spans.len()];
    for (at, &(_, call)) in moments.iter().enumerate() {
        match began[call] {
            None => began[call] = Some(at),
            // Whatever lies between is another call's: of another lane, for a thread makes one at a time.
            Some(from) => {
                let long = at - from > 1 || spans[call].took_ns >= LONG_NS;
                two[call] = long && !spans[call].is_moment;
            }
        }
    }
    two
}

/// Gaps longer than this are shown as breaks.
fn longest(gaps: &[u64], time: Time) -> u64 {
    let mut sorted = gaps.to_vec();
    sorted.sort_unstable();
    match time {
        // A break costs no more room than a row, and shows where something new begins.
        Time::Even => {
            let median = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
            median.saturating_mul(20).max(1_000_000)
        }
        // As long as one is more than ten have on average, it goes: so no page is ever empty.
        Time::True => {
            let mut drawn: u64 = sorted.iter().sum();
            while let Some(&gap) = sorted.last()
                && u128::from(gap) > 10 * u128::from(drawn) / sorted.len() as u128
            {
                drawn -= gap;
                sorted.pop();
            }
            sorted.last().copied().unwrap_or(u64::MAX)
        }
    }
}

/// Places for labels, each as near as can be to where it wants its middle to be, so that none overlaps
/// the one before: `wanted` holds the middles in order, `sizes` the heights, and nothing stands above `top`.
///
/// Labels that would overlap are pushed apart evenly, as one block around the mean of what they want.
#[must_use]
pub fn spread(wanted: &[f64], sizes: &[f64], top: f64) -> Vec<f64> {
    // The middle of each label, if all stood on one another, the first with its middle at 0.
    let mut stacked = Vec::with_capacity(sizes.len());
    let mut at = 0.0;
    for (i, size) in sizes.iter().enumerate() {
        if i > 0 {
            at += (sizes[i - 1] + size) / 2.0;
        }
        stacked.push(at);
    }
    // Blocks of labels that touch: the sum of where each wants the block to begin, and how many they are.
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    let mean = |(sum, labels): (f64, usize)| sum / labels as f64;
    for (want, stack) in wanted.iter().zip(&stacked) {
        let mut block = (want - stack, 1);
        while let Some(&above) = blocks.last()
            && mean(above) >= mean(block)
        {
            blocks.pop();
            block = (above.0 + block.0, above.1 + block.1);
        }
        blocks.push(block);
    }
    let lowest = top + sizes.first().map_or(0.0, |size| size / 2.0);
    let starts =
        blocks.iter().flat_map(|&block| std::iter::repeat_n(mean(block).max(lowest), block.1));
    starts.zip(stacked).map(|(start, stack)| start + stack).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use netplay_record::Event;

    #[test]
    fn a_long_wait_is_a_bar_even_if_no_other_call_was_observed() {
        let call = |start_ns, dur_ns| Event {
            call: Some("accept".into()),
            start_ns,
            dur_ns,
            ..Event::default()
        };
        let call = |start_ns, dur_ns| call(start_ns, dur_ns).read();
        let records = vec![call(0, 999_999), call(1_000_000, 2_000_000_000)];
        let rows = Rows::of(&Timeline::new(records, &HashMap::new()));
        let parts: Vec<(usize, Part)> = rows.rows.iter().map(|row| (row.call, row.part)).collect();
        assert_eq!(parts, [(0, Part::Whole), (1, Part::Begin), (1, Part::End)]);
    }

    #[test]
    fn no_page_is_empty_where_heights_are_true() {
        // Bursts of a hundred rows each, 1 µs apart, and 1 ms of nothing between them: no pause is a fifth
        // of the whole, and yet each would be many pages high.
        let burst = std::iter::repeat_n(1_000, 99).chain([1_000_000]);
        let gaps: Vec<u64> = std::iter::repeat_n(burst, 10).flatten().collect();
        assert_eq!(longest(&gaps, Time::True), 1_000);
        assert_eq!(longest(&[5, 7, 6, 5, 6, 7, 5], Time::True), 7);
    }

    #[test]
    fn labels_with_room_stand_where_they_want() {
        assert_eq!(spread(&[10.0, 30.0, 50.0], &[20.0, 20.0, 12.0], 0.0), [10.0, 30.0, 50.0]);
    }

    #[test]
    fn labels_that_would_overlap_are_pushed_apart_evenly() {
        assert_eq!(
            spread(&[100.0, 100.0, 100.0, 200.0], &[10.0; 4], 0.0),
            [90.0, 100.0, 110.0, 200.0]
        );
    }

    #[test]
    fn no_label_is_pushed_out_at_the_top() {
        assert_eq!(spread(&[5.0, 5.0, 5.0], &[10.0; 3], 0.0), [5.0, 15.0, 25.0]);
    }
}
