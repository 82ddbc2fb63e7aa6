//! Reading traces: what can be drawn is kept, what cannot is counted.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::Format;
use netplay_record::{Event, Text};
use netplay_text::escape::{escape_unsafe, file_name, is_unsafe};
use netplay_text::lang::Lang;
use netplay_text::say;

/// So many hosts can be put on one clock.
const HOSTS: usize = 2;

/// What was in the files.
#[derive(Debug, Default)]
pub struct Reading {
    /// The records that belong on one clock.
    pub records: Vec<Box<Event>>,
    /// What is not among them, or should be known of them.
    pub remarks: Vec<Remark>,
    /// The boots that the records are from, in the order of their files: several hosts have several clocks.
    pub boots: Vec<Text>,
    /// Of so many boots records are read.
    most_boots: usize,
    /// Whether the records keep their calendar times, each of which is another text.
    has_wall: bool,
}

/// What is to be said of a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Remark {
    file: PathBuf,
    /// The first line that it is about.
    line: Option<usize>,
    what: String,
    /// How many lines it is about.
    lines: usize,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", file_name(&self.file))?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.what)?;
        match self.lines {
            0 => Ok(()),
            1 => f.write_str(Lang::current().pick(" (1 line left out)", "（略去 1 行）")),
            n => f.write_str(&say!(
                Lang::current(),
                " ({n} such lines left out)",
                "（略去 {n} 个这样的行）",
            )),
        }
    }
}

/// Why there is nothing to draw, told in the language of the process ([`Lang::current`]).
#[derive(Debug)]
pub enum ReadError {
    /// A file cannot be read.
    Trace(PathBuf, io::Error),
    /// There is no record in any of them, for these reasons.
    Nothing(Vec<Remark>),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lang = Lang::current();
        match self {
            ReadError::Trace(path, _) => {
                let path = file_name(path);
                f.write_str(&say!(lang, "cannot read the trace {path}", "无法读取跟踪文件 {path}"))
            }
            ReadError::Nothing(remarks) if remarks.is_empty() => f.write_str(lang.pick(
                "there is nothing to draw: the trace is empty",
                "没有可画的内容：跟踪文件是空的",
            )),
            ReadError::Nothing(remarks) => {
                let why: Vec<String> = remarks.iter().map(ToString::to_string).collect();
                let why = why.join(lang.pick("; ", "；"));
                f.write_str(&say!(lang, "there is nothing to draw: {why}", "没有可画的内容：{why}"))
            }
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ReadError::Trace(_, error) => Some(error),
            ReadError::Nothing(_) => None,
        }
    }
}

/// Reads traces of one host, or of two; `-` is standard input.
///
/// # Errors
/// A file cannot be read, or there is no record in any of them.
pub fn read(paths: &[PathBuf]) -> Result<Reading, ReadError> {
    read_for(Format::Json, paths)
}

/// Reads what such a picture shows: only a timeline as JSON and a capture have calendar times.
///
/// # Errors
/// Those of [`read`].
pub fn read_for(format: Format, paths: &[PathBuf]) -> Result<Reading, ReadError> {
    let mut reading = Reading {
        has_wall: matches!(format, Format::Json | Format::Pcapng),
        most_boots: HOSTS,
        ..Reading::default()
    };
    let mut known = Known::default();
    let mut spans: Vec<(u64, u64, &Path)> = Vec::new();
    for path in paths {
        let before = reading.records.len();
        let read = if path.as_os_str() == "-" {
            read_one(io::stdin().lock(), path, &mut known, &mut reading)
        } else {
            File::open(path).and_then(|file| {
                // A program may still be writing to it, faster than it is read: what is there now is what is read.
                let now = match file.metadata()? {
                    there if there.is_file() => there.len(),
                    _ => u64::MAX, // a pipe ends when it ends
                };
                let file = BufReader::with_capacity(1 << 16, file.take(now));
                read_one(file, path, &mut known, &mut reading)
            })
        };
        read.map_err(|error| ReadError::Trace(path.clone(), error))?;
        let own = &reading.records[before..];
        let start = own.iter().map(|record| record.start_ns).min();
        let end = own.iter().map(|record| record.start_ns + record.dur_ns).max();
        if let (Some(start), Some(end)) = (start, end) {
            spans.push((start, end, path));
        }
    }
    if reading.records.is_empty() {
        return Err(ReadError::Nothing(reading.remarks));
    }
    if reading.boots.len() > 1 {
        return Ok(reading); // their clocks have nothing in common yet
    }
    spans.sort_unstable();
    let mut ended: Option<(u64, &Path)> = None; // the last of those before
    for (start, end, path) in spans {
        if let Some((end, earlier)) = ended.filter(|&(end, _)| end < start) {
            let apart = netplay_text::words::duration(start - end);
            let earlier = file_name(earlier);
            let what = say!(
                Lang::current(),
                "begins {apart} after {earlier} has ended: nothing goes from one to the other",
                "在 {earlier} 结束 {apart} 之后才开始：两者之间没有任何往来",
            );
            reading.remarks.push(Remark { file: path.to_path_buf(), line: None, what, lines: 0 });
        }
        ended = ended.max(Some((end, path)));
    }
    Ok(reading)
}

/// Reads one trace from wherever it comes; what is said of it calls it `path`.
///
/// # Errors
/// It cannot be read.
pub fn read_from(from: impl BufRead, path: &Path) -> io::Result<Reading> {
    let mut reading = Reading { has_wall: true, most_boots: 1, ..Reading::default() };
    read_one(from, path, &mut Known::default(), &mut reading)?;
    Ok(reading)
}

fn read_one(
    mut from: impl BufRead,
    path: &Path,
    known: &mut Known,
    reading: &mut Reading,
) -> io::Result<()> {
    let mut left_out: Vec<Remark> = Vec::new();
    let mut kinds: HashMap<String, usize> = HashMap::new();
    let mut leave_out = |what: String, number| match kinds.get(&what) {
        Some(&first) => left_out[first].lines += 1,
        None => {
            kinds.insert(what.clone(), left_out.len());
            let file = path.to_path_buf();
            left_out.push(Remark { file, line: Some(number), what, lines: 1 });
        }
    };
    let mut line = Vec::new();
    let mut host = 0; // a record without a boot is from where the one before it is from
    for number in 1.. {
        line.clear();
        if from.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        match record(&line, &mut reading.boots, reading.most_boots, &mut host) {
            Ok(record) if !known.insert(&record, &line) => {
                leave_out(Lang::current().pick("read already", "已经读过").to_owned(), number)
            }
            Ok(mut record) => {
                if !reading.has_wall {
                    record.wall = Text::default();
                }
                reading.records.push(record);
            }
            Err(what) => leave_out(what, number),
        }
    }
    reading.remarks.append(&mut left_out);
    Ok(())
}

/// The record in a line, or why it cannot be drawn.
fn record(
    line: &[u8],
    boots: &mut Vec<Text>,
    most: usize,
    host: &mut u8,
) -> Result<Box<Event>, String> {
    let lang = Lang::current();
    let mut record: Box<Event> = serde_json::from_slice(line).map_err(|error| {
        let why = match error.is_eof() {
            true => lang.pick("the line is torn", "这一行不完整"),
            false => lang.pick("not a line of a trace", "不是跟踪文件的一行"),
        };
        why.to_owned()
    })?;
    if record.v != 1 {
        let version = record.v;
        return Err(say!(
            lang,
            "version {version} of the format, and this program knows 1",
            "格式版本是 {version}，而本程序只认识 1",
        ));
    }
    if record.start_ns.checked_add(record.dur_ns).is_none() {
        return Err(lang.pick("its time is beyond any clock", "它的时间超出任何时钟").to_owned());
    }
    if let Some(of_record) = &record.boot {
        let known = boots.iter().position(|boot| boot == of_record);
        let number = known.unwrap_or(boots.len());
        if number >= most {
            let why = match most {
                1 => lang.pick(
                    "from another host or boot: its clock is another one",
                    "来自另一台主机或另一次启动：时钟不同",
                ),
                _ => lang.pick(
                    "from a third host or boot: two can be put on one clock",
                    "来自第三台主机或第三次启动：只有两台能放到同一时钟上",
                ),
            };
            return Err(why.to_owned());
        }
        if known.is_none() {
            boots.push(of_record.clone());
        }
        *host = number as u8;
    }
    record.host = *host;
    if make_safe(&mut record) {
        *record = record.read();
    }
    Ok(record)
}

/// The lines that were read.
#[derive(Default)]
struct Known {
    /// When each call began, its thread, and the hash of its line, which is too long to be kept.
    lines: HashSet<(u64, i32, u64)>,
    hasher: RandomState,
}

impl Known {
    /// Whether the line is a new one. No thread does the same thing twice in a nanosecond.
    fn insert(&mut self, record: &Event, line: &[u8]) -> bool {
        let hash = self.hasher.hash_one(line.trim_ascii());
        self.lines.insert((record.start_ns, record.tid, hash))
    }
}

/// A trace may come from anywhere: whatever could steer a terminal is escaped, as if a peer had sent it. Whether
/// anything was.
fn make_safe(record: &mut Event) -> bool {
    let mut escaped = false;
    let texts = [&mut record.wall, &mut record.role, &mut record.example].into_iter();
    let more = [
        &mut record.call,
        &mut record.syscall,
        &mut record.args,
        &mut record.errno,
        &mut record.data,
        &mut record.local,
        &mut record.peer,
        &mut record.out,
        &mut record.value,
        &mut record.ready,
        &mut record.state,
        &mut record.text,
        &mut record.boot,
    ];
    for text in texts.chain(more.into_iter().flatten()) {
        let plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if !plain && text.chars().any(is_unsafe) {
            *text = escape_unsafe(text).into();
            escaped = true;
        }
    }
    escaped
}
