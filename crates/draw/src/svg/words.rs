//! What is said in the picture, and the room that it takes.

use std::collections::BTreeSet;

use super::measures::{FONT, LINE, SMALL, columns};
use super::side::Side;
use crate::{Call, Lane, Timeline};
use netplay_record::{Kind, Text};
use netplay_text::columns::{cut, width as wide, wrapped};
use netplay_text::lang::Lang;
use netplay_text::words::{counted, duration, grouped};

/// What stands beside a lifeline.
#[derive(Debug)]
pub(super) struct Label {
    pub(super) call: usize,
    pub(super) side: Side,
    /// The height of the mark that it belongs to.
    pub(super) mark: f64,
    /// The height of its own middle.
    pub(super) y: f64,
    /// The state of TCP, if it changed.
    pub(super) tag: Option<Text>,
    pub(super) asked: Text,
    /// How long it waited.
    pub(super) time: Text,
    pub(super) answered: Text,
    /// More lines of a note.
    pub(super) more: Vec<String>,
}

impl Label {
    /// Nothing yet, beside the mark of a call at this height.
    pub(super) fn at(mark: f64, call: usize, side: Side) -> Label {
        let (asked, time, answered) = Default::default();
        Label { call, side, mark, y: mark, tag: None, asked, time, answered, more: Vec::new() }
    }

    /// Says the text of a note, in lines of so many columns.
    pub(super) fn set_note(&mut self, said: &str, columns: usize) {
        let mut lines = wrapped(said, columns).map(str::to_owned);
        self.asked = lines.next().unwrap_or_default().into();
        self.more = lines.collect();
    }

    pub(super) fn height(&self) -> f64 {
        LINE * (1 + self.more.len()) as f64
    }

    /// The tag, and the space behind it.
    pub(super) fn tag_width(&self) -> f64 {
        self.tag.as_ref().map_or(0.0, |tag| tag_width(tag) + 5.0)
    }

    pub(super) fn width(&self) -> f64 {
        let first = [&self.asked, &self.time, &self.answered].map(|part| wide(part));
        let longest = self.more.iter().map(|line| wide(line)).max().unwrap_or_default();
        self.tag_width() + columns(first.iter().sum::<usize>().max(longest), FONT)
    }

    /// Whether it says nothing besides its tag.
    pub(super) fn is_tag_alone(&self) -> bool {
        self.width() <= self.tag_width() && self.more.is_empty()
    }

    /// Whether it stands so far from its mark that a line has to lead to it.
    pub(super) fn is_moved(&self) -> bool {
        (self.y - self.mark).abs() > 3.0
    }

    /// Cuts the words, so that the whole is no wider than this.
    pub(super) fn cut(&mut self, room: f64) {
        let mut left = ((room - self.tag_width()) / columns(1, FONT)).max(0.0) as usize;
        let all = left;
        for part in [&mut self.asked, &mut self.time, &mut self.answered] {
            let shorter = cut(part, left, "…");
            if *shorter != **part {
                *part = Text::from(&*shorter);
            }
            left -= wide(part);
        }
        self.more.iter_mut().for_each(|line| *line = cut(line, all, "…").into_owned());
    }
}

pub(super) fn tag_width(tag: &str) -> f64 {
    columns(wide(tag), SMALL) + 8.0
}

pub(super) fn head_width(lane: &Lane) -> f64 {
    columns(wide(&lane.name), FONT).max(columns(wide(&lane.detail), SMALL)) + 14.0
}

/// The answer, and how often it was the same.
pub(super) fn answer(call: &Call, lang: Lang) -> String {
    let answer = call.record.answered(lang);
    match call.times {
        1 => answer,
        times => format!("{answer} × {}", grouped(times)),
    }
}

/// The line below the title.
pub(super) fn summary(timeline: &Timeline, lang: Lang) -> String {
    let made = |call: &&Call| call.record.kind == Kind::Call;
    let calls: u64 = timeline.calls.iter().filter(made).map(|call| call.times).sum();
    let thread = |lane: &Lane| lane.thread.map(|(pid, tid)| ((lane.host, pid), tid));
    let of_lanes = timeline.lanes.iter().filter_map(thread);
    // A lane may stand for several, one after the other.
    let shared = timeline.calls.iter().filter(|_| timeline.is_shared);
    let of_calls = shared.map(|call| ((call.record.host, call.record.pid), call.record.tid));
    let threads: BTreeSet<((u8, i32), i32)> = of_lanes.chain(of_calls).collect();
    let processes: BTreeSet<(u8, i32)> = threads.iter().map(|&(process, _)| process).collect();
    let (processes, threads) = (processes.len() as u64, threads.len() as u64);
    let span = duration(timeline.span_ns);
    let start =
        format!("{}.{:09}", timeline.start_ns / 1_000_000_000, timeline.start_ns % 1_000_000_000);
    let said = match lang {
        Lang::En => {
            let (calls, mut of) = (counted(calls, "call"), counted(processes, "process"));
            if threads > processes {
                of += &format!(" with {}", counted(threads, "thread"));
            }
            format!("{calls} of {of} in {span}; time 0 is {start} s of CLOCK_MONOTONIC")
        }
        Lang::Zh => {
            let (calls, mut of) = (grouped(calls), format!("{processes} 个进程"));
            if threads > processes {
                of += &format!("（{threads} 个线程）");
            }
            format!("{of}的 {calls} 个调用，历时 {span}；时间 0 是 CLOCK_MONOTONIC 的 {start} 秒")
        }
    };
    match timeline.left_out.in_words(lang) {
        Some(left_out) => said + lang.pick("; ", "；") + &left_out,
        None => said,
    }
}
