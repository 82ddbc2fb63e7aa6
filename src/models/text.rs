//! The figure in characters, at most 80 columns wide.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::figure::{
    After, Axis, Figure, Lengths, cannot, cells, extremes, heads, meanwhile, waiting_bar,
};
use crate::columns::{self, wrapped};
use netplay_text::say;

/// The bars.
const WIDTH: usize = 60;
/// Where they begin.
const LEFT: usize = 14;

/// The characters of the four bars, and of the line at the arrival.
struct Ink {
    waiting: char,
    knows: char,
    copies: char,
    in_one: char,
    arrival: char,
}

const UNICODE: Ink =
    Ink { waiting: '░', knows: '▒', copies: '█', in_one: '▓', arrival: '│' };
const ASCII: Ink = Ink { waiting: '.', knows: '-', copies: '#', in_one: '=', arrival: '|' };

/// How it is drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    pub ascii: bool,
    pub color: bool,
}

pub(super) fn draw(figure: &Figure<'_>, look: Look) -> String {
    let ink = if look.ascii { ASCII } else { UNICODE };
    let (lang, Ink { waiting, knows, copies, in_one, arrival }) = (figure.lang, &ink);
    let title = columns::hanging(&figure.title, 80, 2);
    let mut out = say!(
        lang,
        "{title}\n\n1. waiting for the data {waiting} until it arrived {arrival}\n",
        "{title}\n\n1. 等待数据 {waiting} 直到它到达 {arrival}\n"
    );
    for outcome in figure.outcomes {
        let bar = match &outcome.phases {
            Ok(_) => {
                let words = meanwhile(outcome, lang);
                self::waiting(&figure.waiting, waiting_bar(outcome), &words, &ink)
            }
            Err(_) => cannot(lang.pick("see below", "见下"), lang),
        };
        line(&mut out, outcome.model.name, &paint(&bar, &ink, look));
    }
    axis(&mut out, &figure.waiting);
    let times = figure.magnified();
    out += &say!(
        lang,
        "\n2. from the arrival on, magnified {times} times: until the program knows {knows},\n   copying {copies}; or both in one call {in_one}\n",
        "\n2. 从到达开始，放大 {times} 倍：直到程序得知 {knows}，拷贝 {copies}；\n   或一次调用完成两者 {in_one}\n"
    );
    for outcome in figure.outcomes {
        let Ok(phases) = &outcome.phases else { continue };
        let place = |time| figure.after.place(time, WIDTH as f64).round() as usize;
        let bar = match Lengths::of(phases).after {
            After::Apart { knows, copies } => {
                let (first, end) = (place(knows), place(knows + copies));
                // A time that is not zero is always visible, even if its bar is a little too long.
                bar(ink.knows, first) + &bar(ink.copies, (end - first).max(1))
            }
            After::InOne(both) => bar(ink.in_one, place(both).max(1)),
        };
        line(&mut out, outcome.model.name, &paint(&bar, &ink, look));
    }
    axis(&mut out, &figure.after);
    out.push('\n');
    table(&mut out, figure);
    if look.ascii { out.replace('µ', "u") } else { out }
}

fn line(out: &mut String, name: &str, bar: &str) {
    _ = writeln!(out, "  {name:<12}{bar}");
}

fn bar(ink: char, length: usize) -> String {
    std::iter::repeat_n(ink, length).collect()
}

/// A bar with the words in it, and the line at its end.
fn waiting(axis: &Axis, arrived: u64, words: &str, ink: &Ink) -> String {
    let length = axis.place(arrived, WIDTH as f64 - 1.0).round() as usize;
    let words = format!(" {words} ");
    let words = if columns::width(&words) + 4 <= length { words } else { String::new() };
    let before = (length - columns::width(&words)) / 2;
    let after = length - columns::width(&words) - before;
    format!("{}{words}{}{}", bar(ink.waiting, before), bar(ink.waiting, after), ink.arrival)
}

/// Colours only repeat what the characters say.
fn paint(bar: &str, ink: &Ink, look: Look) -> String {
    if !look.color {
        return bar.to_owned();
    }
    let style = |c: char| match c {
        c if c == ink.waiting => AnsiColor::Cyan.on_default(),
        c if c == ink.knows => AnsiColor::Yellow.on_default(),
        c if c == ink.copies => AnsiColor::Green.on_default(),
        c if c == ink.in_one => AnsiColor::Magenta.on_default(),
        _ => Style::new(),
    };
    let mut painted = String::new();
    let mut now = Style::new();
    for c in bar.chars() {
        let next = style(c);
        if next != now {
            _ = write!(painted, "{now:#}{next}");
            now = next;
        }
        painted.push(c);
    }
    painted + &format!("{now:#}")
}

/// The numbers under a panel, each centred below its place.
fn axis(out: &mut String, axis: &Axis) {
    let mut line = String::new();
    for (at, number) in axis.ticks() {
        let place = LEFT + axis.place(at, WIDTH as f64).round() as usize;
        let begin = place.saturating_sub(number.len() / 2);
        if begin > line.chars().count() || line.is_empty() {
            let gap = begin.saturating_sub(line.chars().count());
            line += &" ".repeat(gap);
            line += &number;
        }
    }
    _ = writeln!(out, "{line} {}", axis.name);
}

fn table(out: &mut String, figure: &Figure<'_>) {
    let lang = figure.lang;
    let right =
        |cell: &str, room: usize| " ".repeat(room.saturating_sub(columns::width(cell))) + cell;
    let line = |cells: [&str; 7]| {
        let [name, waiting, knows, copies, calls, eagains, cpu] = cells;
        // "38.2 µs in one" takes the room of both.
        let after = match copies {
            "" => right(knows, 25),
            _ => right(knows, 15) + &right(copies, 10),
        };
        let name = format!("  {name}{:1$}", "", 12_usize.saturating_sub(columns::width(name)));
        let counts = right(calls, 11) + &right(eagains, 11);
        let line = name + &right(waiting, 9) + &after + &counts + &right(cpu, 10);
        line.trim_end().to_owned() + "\n"
    };
    *out += &line(heads(lang));
    for outcome in figure.outcomes {
        match &outcome.phases {
            Ok(_) => {
                for row in std::iter::once(cells(outcome, lang)).chain(extremes(outcome, lang)) {
                    *out += &line(row.each_ref().map(String::as_str));
                }
            }
            Err(reason) => {
                let mut name = format!("  {:<12}", outcome.model.name);
                for part in wrapped(&cannot(reason, lang), 80 - LEFT) {
                    *out += &format!("{name}{part}\n");
                    name = " ".repeat(LEFT);
                }
            }
        }
    }
    out.push('\n');
    for note in &figure.notes {
        for (nth, line) in wrapped(note, 74).enumerate() {
            _ = writeln!(out, "  {} {line}", if nth == 0 { '-' } else { ' ' });
        }
    }
}
