//! The rows of calls that come one after the other: only the last ones are sorted again.
//!
//! [`Rows`] looks at all calls, and a page that grows by a thousand calls a second has no time for that. A new call can
//! move only the rows from its beginning on. It can also fall into a call that has one row so far, and then that call needs
//! two; but a call that waits for [`LONG_NS`] has two anyway, so the others are never further back than that.

use super::rows::{LONG_NS, Row, Rows, Span};

/// The rows of the calls so far.
#[derive(Default)]
pub(super) struct Growing {
    rows: Vec<Row>,
    /// For each call whether it has two rows.
    two: Vec<bool>,
}

impl Growing {
    /// Starts from rows that are known.
    pub(super) fn of(rows: &Rows) -> Growing {
        let two = rows.began.iter().zip(&rows.returned).map(|(began, returned)| began != returned);
        Growing { two: two.collect(), rows: rows.rows.clone() }
    }

    /// How many calls it has.
    pub(super) fn calls(&self) -> usize {
        self.two.len()
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Finds the rows of all calls behind those that it has, and returns the first row that may be another one than
    /// before. `span` says when a call was, and there are `calls` of them.
    pub(super) fn grow(&mut self, calls: usize, span: impl Fn(usize) -> Span) -> usize {
        let known = self.two.len();
        let Some(first) = (known..calls).map(|call| span(call).from_ns).min() else {
            return self.rows.len();
        };
        let bound = first.saturating_sub(LONG_NS);
        let stays = self.rows.partition_point(|row| row.at_ns < bound);
        let mut last: Vec<usize> = self.rows[stays..].iter().map(|row| row.call).collect();
        last.sort_unstable();
        last.dedup();
        last.extend(known..calls);
        self.two.resize(calls, false);
        let spans: Vec<Span> = last.iter().map(|&call| span(call)).collect();
        // Of an earlier call not everything that happened in it is looked at again. What had two rows keeps them.
        let again = Rows::of_spans(&spans);
        for (nth, &call) in last.iter().enumerate() {
            self.two[call] |= again.began[nth] != again.returned[nth];
        }
        self.rows.truncate(stays);
        for (&call, span) in last.iter().zip(&spans) {
            let rows = span.rows(call, self.two[call]).into_iter().flatten();
            self.rows.extend(rows.filter(|row| row.at_ns >= bound));
        }
        self.rows[stays..].sort_by_key(Row::place);
        stays
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A few threads that make calls of all lengths, in the order in which they return.
    fn calls(seed: u64, many: usize) -> Vec<Span> {
        let mut state = seed;
        let mut random = move |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let mut free = [0; 4];
        let mut spans = Vec::new();
        for _ in 0..many {
            let thread = random(4) as usize;
            let from_ns = free[thread] + random(3) * random(40_000);
            let took_ns = [0, 1, 300, 20_000, 990_000, LONG_NS, 40 * LONG_NS][random(7) as usize];
            free[thread] = from_ns + took_ns;
            spans.push(Span {
                from_ns,
                to_ns: from_ns + took_ns,
                took_ns,
                is_moment: random(9) == 0,
            });
        }
        spans.sort_by_key(|span| span.to_ns);
        spans
    }

    #[test]
    fn rows_that_grew_are_those_of_all_calls() {
        for seed in 0..200 {
            let spans = calls(seed, 60);
            let mut growing = Growing::of(&Rows::of_spans(&spans[..seed as usize % 20]));
            let mut at = growing.two.len();
            while at < spans.len() {
                let before = growing.rows.clone();
                at = spans.len().min(at + 1 + seed as usize % 5);
                let stays = growing.grow(at, |call| spans[call]);
                let all = Rows::of_spans(&spans[..at]);
                assert_eq!(growing.rows, all.rows, "seed {seed}, {at} calls");
                let of =
                    |rows: &[Row]| rows[..stays].iter().map(|row| row.call).collect::<Vec<_>>();
                assert_eq!(of(&growing.rows), of(&before), "seed {seed}, {at} calls");
            }
        }
    }
}
