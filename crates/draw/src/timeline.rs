//! Several processes on one clock.

use std::collections::HashMap;

use netplay_record::Event;
use netplay_record::text::lane_in;
use netplay_text::lang::Lang;
use serde::Serialize;

use super::arrows::{self, Arrow};
use super::calls::{Call, Lane, calls, lanes};
use super::sockets::Sockets;

/// Several processes on one clock: what there is to draw.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Timeline {
    /// The start of the first call, in nanoseconds of CLOCK_MONOTONIC; all other times count from here.
    pub start_ns: u64,
    /// From there to the end of the last call.
    pub span_ns: u64,
    /// Servers by their first call, then clients by theirs; sides without a trace stand outside.
    pub lanes: Vec<Lane>,
    /// In the order in which they began.
    pub calls: Vec<Call>,
    /// In the order of the calls they start from.
    pub arrows: Vec<Arrow>,
}

impl Timeline {
    /// Puts the records in order and finds out what belongs together. `names` says what to call a
    /// process or a thread; the others are named by their role, in the order of their first calls. Threads of
    /// one name share a lane: they are one side, one after the other.
    #[must_use]
    pub fn new(mut records: Vec<Event>, names: &HashMap<i32, String>) -> Timeline {
        records.sort_by_key(|record| record.start_ns);
        let start_ns = records.first().map_or(0, |record| record.start_ns);
        let mut lanes = lanes(&records, names);
        let calls = calls(records, start_ns, &lanes, names);
        let span_ns = calls.iter().map(|call| call.to_ns).max().unwrap_or_default();
        let mut timeline =
            Timeline { start_ns, span_ns, lanes: Vec::new(), calls, arrows: Vec::new() };
        let sockets = Sockets::follow(&timeline.calls, &lanes);
        sockets.tell_states(&mut timeline.calls);
        timeline.arrows = arrows::find(&timeline.calls, &mut lanes, sockets);
        timeline.lanes = lanes;
        timeline.with_outsiders_outside()
    }

    /// The same with the names of its lanes in this language.
    #[must_use]
    pub fn told_in(mut self, lang: Lang) -> Timeline {
        for lane in &mut self.lanes {
            (lane.name, lane.detail) = (lane_in(&lane.name, lang), lane_in(&lane.detail, lang));
        }
        self
    }

    /// A server without a trace stands left of all others, clients without one stand right: they were
    /// added last.
    fn with_outsiders_outside(mut self) -> Timeline {
        let outside = |lane: &Lane| lane.thread.is_none() && lane.role == "server";
        let Some(at) = self.lanes.iter().position(outside) else { return self };
        let lane = self.lanes.remove(at);
        self.lanes.insert(0, lane);
        let moved = |lane: &mut usize| {
            *lane = match *lane {
                i if i == at => 0,
                i if i < at => i + 1,
                i => i,
            }
        };
        self.calls.iter_mut().for_each(|call| moved(&mut call.lane));
        for arrow in &mut self.arrows {
            [&mut arrow.from, &mut arrow.to]
                .into_iter()
                .flatten()
                .for_each(|tip| moved(&mut tip.lane));
        }
        self
    }
}
