//! Markdown as text on a terminal.

use std::collections::HashSet;
use std::iter::Peekable;
use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag};

use super::rust;
use super::text::{Mark, Text, ascii};
use crate::columns::{self, width, width_of};
use crate::lang::Lang;
use crate::table;

/// The longest line of prose: longer ones are hard to read.
const LONGEST_LINE: usize = 90;

/// How a text looks.
#[derive(Debug, Clone)]
pub struct Look {
    /// The columns of the terminal.
    pub columns: usize,
    /// Bold, underlined, in colours; if not, `marks` stay in the text.
    pub styled: bool,
    /// In ASCII only.
    pub ascii: bool,
    /// Whether links are followed by the command that goes there.
    pub links: bool,
    /// The language of the text.
    pub lang: Lang,
}

/// The text as lines that fit the terminal.
///
/// Links become commands: `[select](select.md)` is `select`, and the first time also
/// `netplay explain select`.
///
/// ```
/// use netplay::lang::Lang;
/// use netplay::lesson::{Look, render};
/// let look = Look { columns: 40, styled: false, ascii: false, links: true, lang: Lang::En };
/// let text = render("# A page\n\n- `recv` waits: see [select](select.md)\n", &look);
/// assert_eq!(text, "A page\n══════\n\n• `recv` waits: see select\n  (`netplay explain select`)\n");
/// ```
#[must_use]
pub fn render(markdown: &str, look: &Look) -> String {
    let events = Parser::new_ext(markdown, Options::ENABLE_TABLES).peekable();
    let mut page = Page {
        look,
        events,
        margins: Vec::new(),
        gap: false,
        told: HashSet::new(),
        in_table: false,
        out: String::new(),
    };
    page.blocks();
    page.out
}

struct Page<'a> {
    look: &'a Look,
    events: Peekable<Parser<'a>>,
    /// The prefixes of a line, from the outermost list or quotation to the innermost.
    margins: Vec<Margin>,
    /// Whether the next block begins with an empty line.
    gap: bool,
    /// The links that were shown as commands.
    told: HashSet<String>,
    in_table: bool,
    out: String,
}

/// The prefix of the lines of a list item or a quotation.
struct Margin {
    /// For the next line only: a bullet, a number.
    once: Option<String>,
    always: String,
}

/// A cell of a table.
struct Cell {
    text: Text,
    styled: bool,
}

impl table::Cell for Cell {
    fn text(&self) -> &str {
        self.text.as_str()
    }

    fn show(&self, part: Range<usize>) -> String {
        self.text.show(part, self.styled)
    }

    fn lines(&self, columns: usize) -> Vec<Range<usize>> {
        self.text.lines(columns)
    }
}

impl<'a> Page<'a> {
    /// Blocks, up to the end of the block that contains them.
    fn blocks(&mut self) {
        while let Some(event) = self.events.peek() {
            if is_inline(event) {
                // A paragraph in a list whose items are close together.
                let text = self.inline();
                self.paragraph(&text);
                continue;
            }
            match self.events.next() {
                Some(Event::Start(tag)) => self.block(tag),
                Some(Event::End(_)) => return,
                Some(Event::Rule) => {
                    let rule = self.drawn("─").repeat(self.room().min(20));
                    self.open();
                    self.line(&rule);
                }
                _ => {}
            }
        }
    }

    fn block(&mut self, tag: Tag<'a>) {
        match tag {
            Tag::Heading { level, .. } => self.heading(level),
            Tag::CodeBlock(kind) => self.code(&kind),
            Tag::List(first) => self.list(first),
            Tag::Table(_) => self.table(),
            Tag::BlockQuote(_) => {
                self.open();
                self.gap = false;
                let always = format!("{} ", self.drawn("│"));
                self.margins.push(Margin { once: None, always });
                self.blocks();
                self.margins.pop();
            }
            _ => self.blocks(),
        }
    }

    fn heading(&mut self, level: HeadingLevel) {
        let text = self.inline();
        self.events.next();
        let mut bold = Text::default();
        bold.push(text.as_str(), Mark::Strong);
        self.paragraph(&bold);
        let rule = match level {
            HeadingLevel::H1 if self.look.ascii => "=",
            HeadingLevel::H1 => "═",
            HeadingLevel::H2 => self.drawn("─"),
            _ => return,
        };
        let rule = rule.repeat(bold.width().min(self.room()));
        self.line(&rule);
    }

    fn list(&mut self, first: Option<u64>) {
        let nested = !self.margins.is_empty();
        let mut number = first;
        let mut begun = false;
        while let Some(Event::Start(Tag::Item)) = self.events.peek() {
            self.events.next();
            // Items with a paragraph of their own are separated by an empty line.
            let loose = matches!(self.events.peek(), Some(Event::Start(Tag::Paragraph)));
            self.gap &= if begun { loose } else { !nested || loose };
            begun = true;
            self.open();
            self.gap = false;
            let bullet = match &mut number {
                Some(n) => {
                    *n += 1;
                    format!("{}. ", *n - 1)
                }
                None => format!("{} ", self.drawn("•")),
            };
            let always = " ".repeat(width(&bullet));
            self.margins.push(Margin { once: Some(bullet), always });
            self.blocks();
            self.margins.pop();
        }
        self.events.next();
        self.gap = true;
    }

    fn table(&mut self) {
        let mut rows: Vec<Vec<Text>> = Vec::new();
        self.in_table = true;
        loop {
            match self.events.next() {
                Some(Event::Start(Tag::TableHead | Tag::TableRow)) => rows.push(Vec::new()),
                Some(Event::Start(Tag::TableCell)) => {
                    let cell = self.inline();
                    rows.last_mut().expect("a cell is in a row").push(cell);
                }
                Some(Event::End(pulldown_cmark::TagEnd::Table)) | None => break,
                Some(_) => {}
            }
        }
        self.in_table = false;
        let styled = self.look.styled;
        let row = |row: Vec<Text>| row.into_iter().map(|text| Cell { text, styled }).collect();
        let rows: Vec<Vec<Cell>> = rows.into_iter().map(row).collect();
        let rule = Some(self.drawn("─"));
        self.open();
        for line in table::lines(
            &rows,
            table::Look { room: Some(self.room()), rule, ..table::Look::default() },
        ) {
            self.line(&line);
        }
    }

    /// A diagram, commands to type, or a quote of the program, which is named above it.
    fn code(&mut self, kind: &CodeBlockKind<'_>) {
        let mut code = String::new();
        while let Some(Event::Text(text)) = self.events.next() {
            code.push_str(&text);
        }
        let code = self.spelled(code.trim_end());
        let info = match kind {
            CodeBlockKind::Fenced(info) => &**info,
            CodeBlockKind::Indented => "",
        };
        self.open();
        self.margins.push(Margin { once: None, always: "  ".to_owned() });
        let mut words = info.split_whitespace();
        let text = match words.next() {
            Some("rust") => {
                let place: Vec<&str> = words.collect();
                if !place.is_empty() {
                    let mut caption = Text::default();
                    caption.push(&format!("// {}", place.join(", ")), Mark::Comment);
                    self.wrapped(&caption);
                }
                rust::marked(&code)
            }
            Some("console") => commands(&code),
            _ => {
                let mut text = Text::default();
                text.push(&code, Mark::Plain);
                text
            }
        };
        self.verbatim(&text);
        self.margins.pop();
        self.gap = true;
    }

    /// Lines as they are, over the whole width of the terminal; one that is too wide continues below, further right;
    /// a comment stays a comment.
    fn verbatim(&mut self, text: &Text) {
        let room = self.look.columns.saturating_sub(self.margin()).max(2);
        let mut at = 0;
        for line in text.as_str().split('\n') {
            let start = line.trim_start();
            let slashes = ["/// ", "//! ", "// "].into_iter().find(|&sign| start.starts_with(sign));
            let further = slashes.unwrap_or("    ");
            let mut indent = format!("{}{further}", " ".repeat(line.len() - start.len()));
            indent.truncate(room / 2);
            let rest = room - indent.len();
            for (nth, part) in columns::wrap(line, room, rest).into_iter().enumerate() {
                let shown = text.show(at + part.start..at + part.end, self.look.styled);
                self.line(&if nth == 0 { shown } else { format!("{indent}{shown}") });
            }
            at += line.len() + 1;
        }
    }

    /// A paragraph, up to the next block.
    fn inline(&mut self) -> Text {
        let mut text = Text::default();
        let mut marks = vec![Mark::Plain];
        let mut link = None;
        while let Some(event) = self.events.next_if(is_inline) {
            let mark = *marks.last().expect("the first is never taken");
            match event {
                Event::Text(said) => {
                    // Behind a command in （） that the source did not have.
                    let after = text.as_str().ends_with('）');
                    let said = if after { said.trim_start_matches(' ') } else { &said };
                    text.push(&self.spelled(said), mark);
                }
                Event::Code(said) => {
                    text.push(&self.code_sign(&self.spelled(&said)), Mark::Code);
                }
                Event::SoftBreak if self.joins(&text) => {}
                Event::SoftBreak => text.push(" ", mark),
                Event::HardBreak => text.push("\n", mark),
                Event::Start(Tag::Link { dest_url, .. }) => {
                    link = Some((dest_url, text.as_str().len()));
                    marks.push(Mark::Link);
                }
                Event::Start(tag) => {
                    marks.push(if tag == Tag::Strong { Mark::Strong } else { Mark::Emphasis });
                    self.sign(&tag, &mut text);
                }
                Event::End(end) => {
                    marks.pop();
                    match link.take_if(|_| end == pulldown_cmark::TagEnd::Link) {
                        Some((to, start)) => self.way(&to, start, &mut text),
                        None if end == pulldown_cmark::TagEnd::Strong => {
                            self.sign(&Tag::Strong, &mut text);
                        }
                        None => self.sign(&Tag::Emphasis, &mut text),
                    }
                }
                _ => {}
            }
        }
        text
    }

    /// Code in a sentence.
    fn code_sign(&self, code: &str) -> String {
        if self.look.styled { code.to_owned() } else { format!("`{code}`") }
    }

    /// The signs of Markdown, if nothing else can show an emphasis.
    fn sign(&self, tag: &Tag<'_>, text: &mut Text) {
        if !self.look.styled {
            text.push(if *tag == Tag::Strong { "**" } else { "*" }, Mark::Plain);
        }
    }

    /// Whether the next line of the source continues without a space: Chinese has no spaces between words.
    fn joins(&mut self, text: &Text) -> bool {
        let last = text.as_str().chars().next_back();
        let next = match self.events.peek() {
            Some(Event::Text(next)) => next.chars().next(),
            _ => None,
        };
        last.is_some_and(|c| width_of(c) == 2) && next.is_some_and(|c| width_of(c) == 2)
    }

    /// At the first link to something: the command that goes there.
    fn way(&mut self, to: &str, start: usize, text: &mut Text) {
        let Some(way) = way(to) else { return };
        if self.in_table
            || !self.look.links
            || text.as_str()[start..].contains(&way)
            || !self.told.insert(way.clone())
        {
            return;
        }
        let [open, close] = if self.look.lang == Lang::Zh { ["（", "）"] } else { [" (", ")"] };
        text.push(open, Mark::Plain);
        text.push_whole(&self.code_sign(&way), Mark::Code);
        text.push(close, Mark::Plain);
    }

    fn paragraph(&mut self, text: &Text) {
        self.open();
        self.wrapped(text);
    }

    fn wrapped(&mut self, text: &Text) {
        for line in text.lines(self.room()) {
            let shown = text.show(line, self.look.styled);
            self.line(&shown);
        }
    }

    /// Before a block: an empty line, unless it is the first.
    fn open(&mut self) {
        if std::mem::replace(&mut self.gap, true) {
            self.line("");
        }
    }

    fn line(&mut self, text: &str) {
        let mut line = String::new();
        for margin in &mut self.margins {
            // An empty line does not use up a bullet.
            let once = if text.is_empty() { None } else { margin.once.take() };
            line.push_str(once.as_ref().unwrap_or(&margin.always));
        }
        line.push_str(text);
        self.out.push_str(line.trim_end());
        self.out.push('\n');
    }

    fn margin(&self) -> usize {
        self.margins.iter().map(|margin| width(&margin.always)).sum()
    }

    fn room(&self) -> usize {
        self.look.columns.min(LONGEST_LINE).saturating_sub(self.margin()).max(2)
    }

    fn drawn(&self, line: &'static str) -> &'static str {
        match line {
            _ if !self.look.ascii => line,
            "•" => "*",
            "│" => "|",
            _ => "-",
        }
    }

    fn spelled(&self, text: &str) -> String {
        if self.look.ascii { ascii(text) } else { text.to_owned() }
    }
}

/// Commands, without the `$` that stands before them.
fn commands(code: &str) -> Text {
    let mut text = Text::default();
    for (nth, line) in code.split('\n').enumerate() {
        if nth > 0 {
            text.push("\n", Mark::Plain);
        }
        match line.strip_prefix("$ ") {
            Some(command) => {
                text.push("$ ", Mark::Comment);
                text.push(command, Mark::Strong);
            }
            None => text.push(line, Mark::Plain),
        }
    }
    text
}

/// What to type, or to open, for a link; `None` for another place on the same page.
fn way(to: &str) -> Option<String> {
    let (file, anchor) = to.split_once('#').unwrap_or((to, ""));
    if file.contains("://") {
        return Some(to.to_owned());
    }
    let name = |path: &str| path.strip_suffix(".md").map(|path| path.replace("../", ""));
    match name(file) {
        Some(lab) if lab.starts_with("labs/") => Some(format!("netplay lab {}", &lab[5..])),
        Some(topic) if topic == "errno" && !anchor.is_empty() => {
            Some(format!("netplay explain {}", anchor.to_uppercase()))
        }
        Some(topic) if topic == "README" => Some("netplay explain".to_owned()),
        Some(topic) if !topic.contains('/') => Some(format!("netplay explain {topic}")),
        _ if file.is_empty() => None,
        _ => Some(file.trim_start_matches("../").to_owned()),
    }
}

fn is_inline(event: &Event<'_>) -> bool {
    use pulldown_cmark::TagEnd;
    match event {
        Event::Text(_) | Event::Code(_) | Event::SoftBreak | Event::HardBreak => true,
        Event::Start(tag) => matches!(tag, Tag::Emphasis | Tag::Strong | Tag::Link { .. }),
        Event::End(end) => matches!(end, TagEnd::Emphasis | TagEnd::Strong | TagEnd::Link),
        _ => false,
    }
}
