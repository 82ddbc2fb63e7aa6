//! Making a pack of traces.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::thread;

use netplay_draw::read::read_from;
use netplay_record::{Event, Text};
use netplay_review::in_order;
use netplay_text::lang::Lang;
use netplay_text::say;
use serde::Serialize;

use super::about::{hidden, programs};
use super::archive::{ABOUT, MANIFEST, Member, PAGE, REVIEW, joined, written};
use super::fault::trace_name;
use super::hide::hide;
use super::manifest::{Entry, Manifest};
use super::remake::{page, reviewed};
use super::{About, Claims, MOST, MOST_TRACES, PackError, Source};

/// A pack that was made.
#[derive(Debug)]
pub struct Packed {
    /// The file.
    pub bytes: Vec<u8>,
    /// What it says about itself.
    pub about: About,
    /// How many records it holds.
    pub records: usize,
    /// What was left out of the traces, a sentence for each file and reason, in the language of the process.
    pub left_out: Vec<String>,
}

/// Packs these traces: the name of each file, and what it holds. Each record is written anew in one form, and its secrets
/// are hidden unless the claims say otherwise.
///
/// # Errors
/// There is no record, there are records of another clock, or it is too large.
pub fn pack(traces: &[(String, Vec<u8>)], claims: Claims) -> Result<Packed, PackError> {
    if traces.len() > MOST_TRACES {
        return Err(PackError::Traces(traces.len()));
    }
    let mut left_out = Vec::new();
    let mut boot: Option<Text> = None;
    let mut read: Vec<Vec<Box<Event>>> = Vec::new();
    for (name, content) in traces {
        let reading = read_from(&**content, Path::new(name))
            .map_err(|error| PackError::Line(name.clone(), 0, error.to_string()))?;
        left_out.extend(reading.remarks.iter().map(ToString::to_string));
        let mut records = reading.records;
        for of in records.iter().filter_map(|record| record.boot.as_ref()) {
            if boot.get_or_insert_with(|| of.clone()) != of {
                return Err(PackError::Clocks(name.clone()));
            }
        }
        if !claims.show_secrets {
            hide(&mut records);
        }
        read.push(records);
    }
    // The review is made meanwhile. It does not hold if a record turns out to be known already.
    let given: usize = read.iter().map(Vec::len).sum();
    let (written_anew, review) = thread::scope(|scope| {
        let review = scope.spawn(|| {
            let mut all: Vec<&Event> = read.iter().flatten().map(|record| &**record).collect();
            in_order(&mut all);
            reviewed(&all)
        });
        (Known::default().written(&read), review.join().expect("a review does not panic"))
    });
    let written_anew = written_anew?;
    let (mut lines, mut sources) = (Vec::new(), Vec::new());
    let mut all: Vec<Box<Event>> = Vec::with_capacity(given);
    let mut large = 0;
    for (((name, _), records), (text, new)) in traces.iter().zip(read).zip(written_anew) {
        large += text.len() as u64;
        let (before, of_trace) = (all.len(), records.len());
        let kept = records.into_iter().zip(new).filter_map(|(record, new)| new.then_some(record));
        all.extend(kept);
        let records = all.len() - before;
        if let Some(again @ 1..) = of_trace.checked_sub(records) {
            left_out.push(say!(
                Lang::current(),
                "{name}: lines that another trace has as well: left out {again}",
                "{name}：另一个跟踪文件里已有的行：略去 {again} 行",
            ));
        }
        sources.push(Source { file: name.clone(), records });
        lines.push(text);
    }
    if all.is_empty() {
        return Err(PackError::Empty(left_out));
    }
    in_order(&mut all);
    let records = all.len();
    let review = if records == given { review } else { reviewed(&all) };
    let lang = claims.lang.unwrap_or(Lang::En);
    let about = About {
        v: 1,
        netplay: env!("CARGO_PKG_VERSION").to_owned(),
        token: claims.token,
        packed: claims.packed,
        lang: lang.code().to_owned(),
        machine: claims.machine,
        programs: programs(&all),
        traces: sources,
        show_secrets: claims.show_secrets,
        hidden: hidden(&all),
    };
    let names: Vec<String> = (1..=lines.len()).map(trace_name).collect();
    let of_traces: Vec<Member<'_>> =
        names.iter().zip(&lines).map(|(name, text)| (&**name, &**text)).collect();
    let said = json(&about);
    // The two halves take about the same time.
    let (zipped, drawn) = thread::scope(|scope| {
        let zipped = scope.spawn(|| (written(&of_traces), entries(&of_traces)));
        let page = page(std::mem::take(&mut all), about.title(), lang);
        let made: [Member<'_>; 2] = [(PAGE, &page), (REVIEW, &review)];
        let size = page.len() as u64 + review.len() as u64;
        let drawn = (written(&made), entries(&made), size);
        (zipped.join().expect("zipping does not panic"), drawn)
    });
    let ((zipped, of_traces), (drawn, of_made, size)) = (zipped, drawn);
    if large + size > MOST {
        return Err(PackError::Large);
    }
    let mut members = entries(&[(ABOUT, &said)]);
    members.extend(of_traces);
    members.extend(of_made);
    let manifest = json(&Manifest { v: 1, members });
    let first = written(&[(MANIFEST, &manifest), (ABOUT, &said)]).map_err(PackError::Zip)?;
    let parts = [first, zipped.map_err(PackError::Zip)?, drawn.map_err(PackError::Zip)?];
    let bytes = joined(&parts).map_err(PackError::Zip)?;
    if bytes.len() as u64 > super::MOST_PACKED {
        return Err(PackError::Large);
    }
    Ok(Packed { bytes, about, records, left_out })
}

fn entries(members: &[Member<'_>]) -> Vec<Entry> {
    members.iter().map(|(name, content)| Entry::of(name, content)).collect()
}

fn json(of: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(of).expect("it has no maps");
    text.push(b'\n');
    text
}

/// The lines of a trace, and which of its records they are.
type Written = (Vec<u8>, Vec<bool>);

/// The records that are in the pack already: a trace may be given twice.
#[derive(Default)]
struct Known {
    lines: HashSet<(u64, i32, u64)>,
    hasher: RandomState,
}

impl Known {
    /// The lines of each trace without those that are known, and which of its records are new.
    fn written(&mut self, traces: &[Vec<Box<Event>>]) -> Result<Vec<Written>, PackError> {
        let mut all = Vec::with_capacity(traces.len());
        let mut large = 0;
        for records in traces {
            let mut text = Vec::new();
            let mut kept = Vec::with_capacity(records.len());
            for record in records {
                let start = text.len();
                serde_json::to_writer(&mut text, record)
                    .expect("a Vec takes it, and an event has no maps");
                text.push(b'\n');
                let hash = self.hasher.hash_one(&text[start..]);
                let new = self.lines.insert((record.start_ns, record.tid, hash));
                if !new {
                    text.truncate(start);
                }
                kept.push(new);
            }
            large += text.len() as u64;
            if large > MOST {
                return Err(PackError::Large);
            }
            all.push((text, kept));
        }
        Ok(all)
    }
}
