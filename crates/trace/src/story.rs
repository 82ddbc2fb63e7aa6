//! The story: a sentence for each call, in words for a learner.
//!
//! ```text
//! 10:29:31.456 server  accept       3  client 127.0.0.1:40312 is connected: its socket is fd 4  [waited 2.333 s]
//! 10:29:31.456 server  recv         4  5 bytes: "hello"
//! 10:29:31.457 server  send         4  the kernel took 34 of 34 bytes: "[Sun Nov 22 10:29:31 2026] : hello"
//! ```

use std::ops::Range;

use super::screen;
use anstyle::{AnsiColor, Style};
use netplay_record::noise;
pub use netplay_record::noise::Noise;
use netplay_record::text::lane_in;
use netplay_record::{Direction, Event, Kind, Moves, Text};
use netplay_text::columns::{width, wrap};
use netplay_text::escape::escape_unicode;
use netplay_text::lang::Lang;
use netplay_text::say;
use netplay_text::words::{counted, duration, grouped, plural};

/// How to tell the story.
#[derive(Debug, Clone)]
pub struct Story {
    /// 0: sentences; 1: also the call as strace prints it; 2: also the state of the socket.
    pub detail: u8,
    /// Whether colours may be used. They only repeat what the words say.
    pub color: bool,
    /// Whether to keep to ASCII: a peer's other characters are escaped.
    pub ascii: bool,
    /// Where the time column starts.
    pub clock: Clock,
    /// The language of the sentences.
    pub lang: Lang,
}

/// What the time column shows.
#[derive(Debug, Clone, Copy)]
pub enum Clock {
    /// The time of day at which the call returned.
    Wall,
    /// Seconds from this time of CLOCK_MONOTONIC, in nanoseconds, to the event's [moment](Event::moment).
    Since(u64),
}

/// With fewer columns than this, a sentence would have one word per line: then it continues at the left edge.
const NARROW: usize = 24;

/// One of two columns side by side, as wide as a terminal.
#[derive(Debug, Clone, Copy)]
pub struct Column<'a> {
    /// Whether it is the right column: clients right, servers left.
    pub right: bool,
    /// The name of the process, if the column has more than one: `A`.
    pub name: &'a str,
    /// How many columns the terminal has, both of these and the time together.
    pub terminal: usize,
}

/// A run of calls with the same result: the first is told, the others are counted.
#[derive(Debug, Default)]
pub struct Fold {
    /// Whether a bar shows how many bytes move: then calls that move them are also such a run.
    pub bar: bool,
    /// Whether each call is told.
    pub all: bool,
    /// Whether somebody else has written the program: then looking without waiting, again and again, is also such a run.
    program: bool,
    run: Option<Run>,
    told: u64,
    more: u64,
    bytes: u64,
    since: u64,
    until: u64,
}

/// What the calls of a run have in common.
#[derive(Debug, PartialEq)]
enum Run {
    /// Nothing was ready for them.
    Eagain,
    /// The same wait found nothing, because it had no time.
    Empty(Text),
    /// The same call moved bytes, over the same descriptor.
    Moved(Text, Option<i32>),
}

impl Fold {
    /// For the next run of the same thread.
    fn fresh(&self) -> Fold {
        Fold { bar: self.bar, all: self.all, program: self.program, ..Fold::default() }
    }
}

impl Run {
    fn of(event: &Event, fold: &Fold) -> Option<Run> {
        match (event.errno.as_deref(), event.bytes) {
            (Some("EAGAIN"), _) => Some(Run::Eagain),
            (None, None) if fold.program && noise::looked_in_vain(event) => {
                Some(Run::Empty(event.call.clone()?))
            }
            (None, Some(1..)) if fold.bar => Some(Run::Moved(event.call.clone()?, event.fd)),
            _ => None,
        }
    }

    fn name(&self) -> &str {
        match self {
            Run::Eagain => "EAGAIN",
            Run::Empty(call) | Run::Moved(call, _) => call,
        }
    }

    /// How many of them are told: the third turn shows that it is a loop.
    fn first(&self) -> u64 {
        match self {
            Run::Eagain | Run::Empty(_) => 1,
            Run::Moved(..) => 3,
        }
    }
}

impl Story {
    /// The lines for one event of one thread, each with its line end; `lane` names the process.
    ///
    /// The first calls of a run are told; the line after it counts the others. `-vv` tells all.
    ///
    /// A sentence that is too wide for the terminal continues below its beginning.
    #[must_use]
    pub fn lines(&self, fold: &mut Fold, event: &Event, lane: &str) -> String {
        self.told(fold, event, |event| self.line(event, lane, screen::columns(), ""))
    }

    /// The same for a program that somebody else has written: what its runtime does on its own account is counted, and told
    /// with the call to which it belongs.
    #[must_use]
    pub fn lines_of_program(
        &self,
        (noise, fold): (&mut Noise, &mut Fold),
        event: &Event,
        lane: &str,
    ) -> String {
        if self.detail > 1 || fold.all {
            return self.lines(fold, event, lane);
        }
        fold.program = true;
        let heard = noise.hear(event, self.lang);
        let columns = screen::columns();
        let line = |event: &Event| self.line(event, lane, columns, "");
        let mut lines: String =
            heard.before.iter().map(|event| self.told(fold, event, line)).collect();
        if let Some(more) = heard.this {
            lines += &self.told(fold, event, |event| self.line(event, lane, columns, &more));
        }
        lines
    }

    /// The same in a column, with sentences wrapped to its width.
    #[must_use]
    pub fn lines_in(&self, fold: &mut Fold, event: &Event, column: Column<'_>) -> String {
        self.told(fold, event, |event| self.line_in(event, column))
    }

    /// What stands above the two columns.
    #[must_use]
    pub fn heading(&self, terminal: usize) -> String {
        let head = |text: &str| vec![(Style::new().bold(), text.to_owned())];
        let time = match self.clock {
            Clock::Wall => pad(self.lang.pick("time", "时间"), 12),
            Clock::Since(_) => format!("{:>8}", "s"),
        };
        let wide = column_width(&time, terminal);
        let (server, clients) = self.lang.pick(("server", "clients"), ("服务器", "客户端"));
        let end = server.len();
        let server = format!("{server}{}", " ".repeat(wide - width(server)));
        let line = format!(
            "{} {}",
            self.paint(Style::new().dimmed(), &time),
            self.spans(&head(&server), 0..end + wide - width(&server[..end]))
        );
        format!("{line}{}{}\n", self.gap(None), self.spans(&head(clients), 0..clients.len()))
    }

    /// Tells an event by `line`, after the note of a run that it ends.
    fn told(&self, fold: &mut Fold, event: &Event, line: impl Fn(&Event) -> String) -> String {
        let run = Run::of(event, fold).filter(|_| self.detail < 2 && !fold.all);
        let mut lines = String::new();
        if run != fold.run {
            lines = folded(fold, event, self.lang).map(|run| line(&run)).unwrap_or_default();
            *fold = Fold { run, ..fold.fresh() };
        }
        let end = event.start_ns + event.dur_ns;
        match &fold.run {
            Some(run) if fold.told == run.first() => {
                fold.more += 1;
                fold.bytes += event.bytes.unwrap_or_default();
                fold.until = end;
                lines
            }
            _ => {
                fold.told += 1;
                fold.since = end;
                lines + &line(event)
            }
        }
    }

    fn time(&self, event: &Event) -> String {
        match self.clock {
            Clock::Wall => wall_time(event),
            Clock::Since(zero) => {
                let ns = event.moment().saturating_sub(zero);
                format!("{:8.3}", ns as f64 / 1e9)
            }
        }
    }

    /// What happened, and its style.
    fn words(&self, event: &Event) -> (Style, String) {
        let failed = event.ret == Some(-1) && !event.is_ordinary();
        let style = if failed { AnsiColor::Red.on_default() } else { Style::new() };
        let text = match event.kind {
            Kind::Note => event.text.as_deref().unwrap_or_default().to_owned(),
            Kind::Call => event.sentence(self.lang),
            Kind::Submit => submission(event, self.lang),
            Kind::Complete => completion(event, self.lang),
        };
        (style, self.shown(text))
    }

    /// The text in the characters that can be shown.
    fn shown(&self, text: String) -> String {
        if self.ascii { escape_unicode(&text) } else { text }
    }

    /// `more` stands at the end of what is said of a call.
    fn line(&self, event: &Event, lane: &str, columns: usize, more: &str) -> String {
        let (plain, dim) = (Style::new(), Style::new().dimmed());
        let (words, text) = self.words(event);
        let mut said = vec![
            (dim, self.time(event)),
            (plain, " ".to_owned()),
            (role(event), pad(&lane_in(lane, self.lang), 8)),
            (plain, " ".to_owned()),
        ];
        let below: usize = said.iter().map(|(_, text)| width(text)).sum();
        let sentence;
        match event.kind {
            Kind::Note => {
                said.push((dim, format!("-- {text}")));
                sentence = below + "-- ".len();
            }
            Kind::Call | Kind::Submit | Kind::Complete => {
                let call = event.call.as_deref().unwrap_or_default();
                said.push((plain.bold(), pad(call, 12)));
                said.push((plain, format!(" {:>3}  ", fd_column(event))));
                sentence = said.iter().map(|(_, text)| width(text)).sum();
                said.push((words, text));
                said.extend(waited(event, self.lang).map(|waited| (dim, waited)));
                said.push((dim, more.to_owned()));
            }
        }
        let mut lines = self.hanging(&said, sentence, columns);
        if self.detail > 0 && event.kind == Kind::Call {
            for detail in self.details(event) {
                let said = [(plain, " ".repeat(below)), (dim, detail)];
                lines += &self.hanging(&said, below + 2, columns);
            }
        }
        lines
    }

    /// A text of several styles in lines of this many columns, all except the first indented.
    fn hanging(&self, said: &[(Style, String)], indent: usize, columns: usize) -> String {
        let indent = if columns.saturating_sub(indent) < NARROW { 4 } else { indent };
        let text: String = said.iter().map(|(_, text)| text.as_str()).collect();
        let mut lines = String::new();
        for (i, at) in wrap(&text, columns, columns.saturating_sub(indent)).into_iter().enumerate()
        {
            let indent = if i == 0 { 0 } else { indent };
            lines += &format!("{:indent$}{}\n", "", self.spans(said, at));
        }
        lines
    }

    /// What `-v` and `-vv` add to a call.
    fn details(&self, event: &Event) -> Vec<String> {
        let now = event.state.as_ref().map(|state| format!("now: {state}"));
        [self.shown(event.strace())].into_iter().chain(now).collect()
    }

    /// A line of two columns, and more lines as needed:
    ///
    /// ```text
    ///    0.032 accept(3)  client 127.0.0.1:40312  │
    ///            is connected: its socket is fd 4 │
    ///    0.033                                    ← A send(3)  the kernel took 5 of 5
    ///                                             │   bytes: "hello"
    /// ```
    fn line_in(&self, event: &Event, column: Column<'_>) -> String {
        let dim = Style::new().dimmed();
        let time = self.time(event);
        let wide = column_width(&time, column.terminal);
        let (words, text) = self.words(event);
        let mut said = Vec::new();
        if !column.name.is_empty() {
            said.push((role(event), format!("{} ", column.name)));
        }
        match event.kind {
            Kind::Note => said.push((dim, format!("-- {text}"))),
            Kind::Call | Kind::Submit | Kind::Complete => {
                let call = event.call.as_deref().unwrap_or_default();
                said.push((Style::new().bold(), call.to_owned()));
                let fd = fd_column(event);
                let fd = if fd == "-" { String::new() } else { format!("({fd})") };
                said.push((words, format!("{fd}  {text}")));
                said.extend(waited(event, self.lang).map(|waited| (dim, waited)));
            }
        }
        let mut lines = self.broken(&said, wide, 0);
        if self.detail > 0 && event.kind == Kind::Call {
            for detail in self.details(event) {
                lines.extend(self.broken(&[(dim, detail)], wide, 2));
            }
        }
        let mut text = String::new();
        for (i, (line, used)) in lines.into_iter().enumerate() {
            let time = if i == 0 { &time } else { "" };
            let time = format!("{time:>0$} ", self.time(event).len());
            let gap = self.gap((i == 0).then_some(event).filter(|event| crosses(event)));
            let rest = " ".repeat(wide - used);
            text += &self.paint(dim, &time);
            text += &match column.right {
                true => format!("{}{gap}{line}\n", " ".repeat(wide)),
                false => format!("{line}{rest}{}\n", gap.trim_end()),
            };
        }
        text
    }

    /// The separator of the two columns: a line, or an arrow for bytes that have just left.
    fn gap(&self, crosses: Option<&Event>) -> String {
        match (crosses.map(|event| event.role == "server"), self.ascii) {
            (None, false) => " │ ",
            (None, true) => " | ",
            (Some(true), false) => " → ",
            (Some(true), true) => " > ",
            (Some(false), false) => " ← ",
            (Some(false), true) => " < ",
        }
        .to_owned()
    }

    /// The lines of a text in a column of this width, with their widths. The first is indented by `indent`,
    /// the others by two more.
    fn broken(
        &self,
        spans: &[(Style, String)],
        wide: usize,
        indent: usize,
    ) -> Vec<(String, usize)> {
        let text: String = spans.iter().map(|(_, text)| text.as_str()).collect();
        let lines = wrap(&text, wide - indent, wide - indent - 2).into_iter().enumerate();
        lines
            .map(|(i, at)| {
                let indent = if i == 0 { indent } else { indent + 2 };
                let used = indent + width(&text[at.clone()]);
                (" ".repeat(indent) + &self.spans(spans, at), used)
            })
            .collect()
    }

    /// A part of a text of several styles.
    fn spans(&self, spans: &[(Style, String)], part: Range<usize>) -> String {
        let mut painted = String::new();
        let mut start = 0;
        for (style, text) in spans {
            let from = part.start.clamp(start, start + text.len()) - start;
            let to = part.end.clamp(start, start + text.len()) - start;
            if from < to {
                painted += &self.paint(*style, &text[from..to]);
            }
            start += text.len();
        }
        painted
    }

    fn paint(&self, style: Style, text: &str) -> String {
        if self.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// The note that ends a run; `None` if all of it was told.
fn folded(fold: &Fold, event: &Event, lang: Lang) -> Option<Event> {
    let run = fold.run.as_ref().filter(|_| fold.more > 0)?;
    let time = duration(fold.until.saturating_sub(fold.since));
    let (name, more) = (run.name(), grouped(fold.more));
    let times = plural(fold.more, "time");
    let mut text = say!(
        lang,
        "... {name} {more} more {times} in {time}",
        "…… {name} 又 {more} 次，历时 {time}"
    );
    if fold.bytes > 0 {
        let (bytes, n) = (counted(fold.bytes, "byte"), grouped(fold.bytes));
        text += &say!(lang, ": {bytes}", "：{n} 字节");
    }
    // It has the time of the event that it precedes, so that lines stay in the order of time.
    Some(Event { kind: Kind::Note, text: Some(text.into()), ..event.clone() })
}

fn role(event: &Event) -> Style {
    match event.role.as_str() {
        "server" => AnsiColor::Cyan.on_default(),
        _ => AnsiColor::Green.on_default(),
    }
}

/// The width of each of the two columns, beside the time and with three columns between them.
fn column_width(time: &str, terminal: usize) -> usize {
    (terminal.saturating_sub(time.len() + 1 + 3) / 2).max(10)
}

/// Whether something has just left for the other side; whether it arrives is not known yet.
fn crosses(event: &Event) -> bool {
    let connects = event.what.moves() == Moves::Connects && event.is_done();
    connects || event.direction() == Some(Direction::Out) && event.bytes > Some(0)
}

fn submission(event: &Event, lang: Lang) -> String {
    let number = number(event);
    let multishot =
        if event.may_answer_often() { lang.pick(", multishot", "（multishot）") } else { "" };
    say!(
        lang,
        "operation {number}{multishot} is written into the ring; the kernel does not know of it yet",
        "操作 {number}{multishot} 写入环中；内核还不知道它",
    )
}

fn completion(event: &Event, lang: Lang) -> String {
    let (number, sentence) = (number(event), event.sentence(lang));
    match event.goes_on() {
        true => say!(
            lang,
            "operation {number} has a result and continues: {sentence}",
            "操作 {number} 有一个结果，还会继续：{sentence}",
        ),
        false => say!(
            lang,
            "operation {number} is complete: {sentence}",
            "操作 {number} 完成：{sentence}",
        ),
    }
}

/// The number of an operation.
fn number(event: &Event) -> u64 {
    event.user_data.unwrap_or_default()
}

/// The text, padded with spaces to this width.
fn pad(text: &str, wide: usize) -> String {
    format!("{text}{}", " ".repeat(wide.saturating_sub(width(text))))
}

/// How long the call waited, if it was at least a millisecond.
fn waited(event: &Event, lang: Lang) -> Option<String> {
    let waited = event.dur_ns >= 1_000_000 && event.is_wait();
    waited
        .then(|| duration(event.dur_ns))
        .map(|time| say!(lang, "  [waited {time}]", "  [等待 {time}]"))
}

fn fd_column(event: &Event) -> String {
    let moves = event.what.moves();
    let makes = matches!(moves, Moves::Makes { .. } | Moves::Opens | Moves::Duplicates);
    let made = event.is_done() && makes;
    let fd = if made { event.ret.map(|fd| fd as i32) } else { event.fd };
    fd.map_or("-".to_owned(), |fd| fd.to_string())
}

/// `10:29:31.456`, when the call returned.
fn wall_time(event: &Event) -> String {
    let start = chrono::DateTime::parse_from_rfc3339(&event.wall);
    let end = start.map(|start| start + chrono::TimeDelta::nanoseconds(event.dur_ns as i64));
    end.map_or_else(|_| "-".repeat(12), |end| end.format("%H:%M:%S%.3f").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> Story {
        Story { detail: 0, color: false, ascii: true, clock: Clock::Since(0), lang: Lang::En }
    }

    fn eagain(at: u64) -> Event {
        Event {
            role: "server".into(),
            call: Some("recv".into()),
            fd: Some(4),
            ret: Some(-1),
            errno: Some("EAGAIN".into()),
            start_ns: at,
            ..Event::default()
        }
        .read()
    }

    #[test]
    fn a_run_of_eagains_is_told_once_and_counted() {
        let story = plain();
        let mut fold = Fold::default();
        assert_eq!(story.lines(&mut fold, &eagain(0), "server").lines().count(), 1);
        for at in 1..=1234 {
            assert_eq!(story.lines(&mut fold, &eagain(at * 1_000_000), "server"), "");
        }
        let bytes = Event { errno: None, ret: Some(5), bytes: Some(5), ..eagain(1_300_000_000) };
        let lines = story.lines(&mut fold, &bytes, "server");
        assert!(lines.contains("EAGAIN 1,234 more times in 1.234 s"), "{lines}");
        assert_eq!(lines.lines().count(), 2);
    }

    #[test]
    fn beside_a_bar_a_run_of_bytes_is_told_thrice_and_counted() {
        let moved = |at: u64, bytes: u64| Event {
            errno: None,
            bytes: (bytes > 0).then_some(bytes),
            ret: Some(bytes as i64),
            ..eagain(at)
        };
        for (bar, detail, told) in [(false, 0, 1004), (true, 2, 2008), (true, 0, 5), (true, 1, 9)] {
            let story = Story { detail, ..plain() };
            let mut fold = Fold { bar, ..Fold::default() };
            let mut lines = String::new();
            for at in 0..1003 {
                lines += &story.lines(&mut fold, &moved(at * 1_000_000, 65_536), "client");
            }
            lines += &story.lines(&mut fold, &moved(2_000_000_000, 0), "client");
            assert_eq!(lines.lines().count(), told, "{lines}");
            let counted = lines.contains("... recv 1,000 more times in 1.000 s: 65,536,000 bytes");
            assert_eq!(counted, told < 10, "{lines}");
        }
    }
}
