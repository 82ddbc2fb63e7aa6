//! The outcomes as a file: text, Markdown, SVG, HTML, JSON.

use std::path::Path;

use serde_json::{Value, json};

use super::figure::{Figure, Lengths, cannot, cells, heads, kind, meanwhile, ranges};
use super::send::{Phases, Spread};
use super::text::Look;
use super::{Experiment, Outcome, svg, text};
use crate::draw::page::{self, Cell};
use crate::lang::Lang;
use crate::table;

/// A form of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For a terminal, or a file: `ascii` and `color` as they are here.
    Text {
        /// Only ASCII can be shown.
        ascii: bool,
        /// Colours may repeat what the characters say.
        color: bool,
    },
    /// A table, and the figure in characters.
    Markdown,
    /// A picture.
    Svg,
    /// A page with the picture and the table.
    Html,
    /// For programs.
    Json,
}

impl Format {
    /// The form that the name of a file asks for by its suffix.
    #[must_use]
    pub fn of(path: &Path) -> Option<Format> {
        match path.extension()?.to_str()? {
            "txt" => Some(Format::Text { ascii: false, color: false }),
            "md" => Some(Format::Markdown),
            "svg" => Some(Format::Svg),
            "html" => Some(Format::Html),
            "json" => Some(Format::Json),
            _ => None,
        }
    }
}

/// The report in this form, its words in this language; the figures for programs have English ones.
#[must_use]
pub fn write(experiment: &Experiment, outcomes: &[Outcome], format: Format, lang: Lang) -> String {
    let figure = Figure::new(experiment, outcomes, lang);
    match format {
        Format::Text { ascii, color } => text::draw(&figure, Look { ascii, color }),
        Format::Markdown => markdown(&figure),
        Format::Svg => svg::draw(&figure),
        Format::Html => html(&figure),
        Format::Json => format!("{:#}\n", facts(experiment, outcomes)),
    }
}

fn markdown(figure: &Figure<'_>) -> String {
    let row = |outcome: &Outcome| match &outcome.phases {
        Ok(_) => with_ranges(outcome, figure.lang),
        Err(reason) => {
            let [name, reason] = [outcome.model.name.to_owned(), cannot(reason, figure.lang)];
            let mut cells = [const { String::new() }; 7];
            (cells[0], cells[1]) = (name, reason);
            cells
        }
    };
    let rows: Vec<_> = figure.outcomes.iter().map(row).collect();
    let table = table::markdown(&heads(figure.lang), |column| column > 0, &rows);
    let out = format!("# {}\n\n{table}", figure.title);
    let drawn = text::draw(figure, Look { ascii: false, color: false });
    out + &format!("\n```text\n{drawn}```\n")
}

/// The medians, each with its range behind it, if there was more than one round.
fn with_ranges(outcome: &Outcome, lang: Lang) -> [String; 7] {
    let mut cells = cells(outcome, lang);
    let both = cells.iter_mut().zip(ranges(outcome));
    for (cell, range) in both.filter(|(_, range)| !range.is_empty()) {
        *cell += &format!(" ({range})");
    }
    cells
}

fn html(figure: &Figure<'_>) -> String {
    let lang = figure.lang;
    let [name, others @ ..] = heads(lang).map(Cell::from);
    let meanwhile = Cell::from(lang.pick("meanwhile", "同时")).sentence();
    let heads = [name, meanwhile].into_iter().chain(others);
    let rows = figure.outcomes.iter().map(|outcome| row(outcome, lang));
    let body = format!(
        "<h1>{}</h1>\n<figure>{}</figure>\n<div class=\"table\">\n{}</div>\n",
        lang.pick("The five models of I/O", "五种 I/O 模型"),
        svg::draw(figure),
        page::table("", heads, rows)
    );
    page::report(&figure.title, &body)
}

/// An outcome on the page: the medians, each above its range.
fn row(outcome: &Outcome, lang: Lang) -> Vec<Cell> {
    let name = Cell::from(outcome.model.name).below(kind(outcome.model, lang).to_owned());
    if let Err(reason) = &outcome.phases {
        let reason = cannot(reason, lang);
        return vec![name, Cell::from(reason).sentence().across(7)];
    }
    let cells = cells(outcome, lang);
    let in_one = cells[3].is_empty();
    let figures = cells.into_iter().zip(ranges(outcome));
    let mut row = vec![name, Cell::from(meanwhile(outcome, lang)).sentence()];
    row.extend(figures.skip(1).map(|(median, range)| Cell::from(median).below(range)));
    if in_one {
        // One call does both, so both have one figure.
        row.remove(4);
        row[3] = std::mem::take(&mut row[3]).across(2);
    }
    row
}

/// Times are microseconds since the program began to wait.
fn facts(experiment: &Experiment, outcomes: &[Outcome]) -> Value {
    let us = |ns: u64| json!(ns as f64 / 1e3);
    let maybe = |ns: Option<u64>| ns.map_or(Value::Null, us);
    let measured = |p: &Phases| {
        json!({
            "first_call_us": us(p.first), "sent_us": us(p.sent), "arrived_us": us(p.arrived), "copying_from_us": maybe(p.copying),
            "done_us": us(p.done), "clock_error_us": us(p.clock_error),
            "waiting_us": us(Lengths::of(p).waiting),
            "until_it_knows_us": maybe(p.copying.map(|copying| copying - p.arrived)),
            "copying_us": maybe(p.copying.map(|copying| p.done - copying)),
            "both_in_one_us": maybe(p.copying.is_none().then_some(p.done - p.arrived)),
            "calls": p.calls, "eagains": p.eagains,
            "cpu_user_us": us(p.user), "cpu_system_us": us(p.system),
        })
    };
    let row = |outcome: &Outcome| {
        let mut row = json!({
            "name": outcome.model.name, "model": outcome.model.kind,
            "meanwhile": outcome.model.meanwhile, "setup": outcome.model.setup,
            "can_run": outcome.phases.is_ok(), "reason": outcome.phases.as_ref().err(),
        });
        if let (Ok(phases), Some(row)) = (&outcome.phases, row.as_object_mut()) {
            row.extend(measured(phases).as_object().cloned().unwrap_or_default());
            let rounds: Vec<Value> = outcome.rounds.iter().map(measured).collect();
            row.insert("spread".to_owned(), spread(outcome));
            row.insert("rounds".to_owned(), rounds.into());
        }
        row
    };
    let rows: Vec<Value> = outcomes.iter().map(row).collect();
    let rounds = outcomes.iter().map(|outcome| outcome.rounds.len()).max().unwrap_or_default();
    json!({
        "rounds": rounds,
        "delay_us": experiment.delay.as_secs_f64() * 1e6,
        "transport": if experiment.tcp { "tcp" } else { "udp" },
        "models": rows,
    })
}

/// The least, the median and the most over all rounds, by the names that a round has.
fn spread(outcome: &Outcome) -> Value {
    let apart = !outcome.model.in_one;
    let times = |of: fn(&Phases) -> u64| match outcome.spread(of) {
        Some(Spread { least, median, most }) => {
            let [least, median, most] = [least, median, most].map(|ns| ns as f64 / 1e3);
            json!({ "least": least, "median": median, "most": most })
        }
        None => Value::Null,
    };
    let counts = |of: fn(&Phases) -> u64| match outcome.spread(of) {
        Some(Spread { least, median, most }) => {
            json!({ "least": least, "median": median, "most": most })
        }
        None => Value::Null,
    };
    let only = |has: bool, value: Value| if has { value } else { Value::Null };
    json!({
        "waiting_us": times(|p| p.arrived),
        "until_it_knows_us": only(apart, times(|p| p.copying.unwrap_or(p.done) - p.arrived)),
        "copying_us": only(apart, times(|p| p.done - p.copying.unwrap_or(p.done))),
        "both_in_one_us": only(!apart, times(|p| p.done - p.arrived)),
        "calls": counts(|p| p.calls),
        "eagains": counts(|p| p.eagains),
        "cpu_us": times(|p| p.user + p.system),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::columns;
    use crate::examples::models::{MODELS, Model};

    /// Every model, with the same figures, except what it cannot tell.
    fn drawn(phases: &Phases, format: Format, lang: Lang) -> String {
        let outcome = |model: &'static Model| {
            let copying = phases.copying.filter(|_| !model.in_one);
            let phases = Phases { copying, ..phases.clone() };
            Outcome { model, phases: Ok(phases.clone()), rounds: vec![phases; 2] }
        };
        let outcomes: Vec<Outcome> = MODELS.iter().map(outcome).collect();
        let experiment = Experiment { delay: Duration::from_secs(10), tcp: true, options: vec![] };
        write(&experiment, &outcomes, format, lang)
    }

    /// The shortest and the longest that there are: no line is too long, no two figures touch.
    #[test]
    fn any_figures_fit_their_columns() {
        for (arrived, after, calls) in [
            (1_000_000, 0, 1),
            (59_900_000, 99_900, 99_999),
            (10_999_900_000, 999_990_000, 98_765_432),
        ] {
            let phases = Phases {
                first: 0,
                sent: arrived,
                arrived,
                copying: Some(arrived + after / 2),
                done: arrived + after,
                clock_error: 99,
                calls,
                eagains: calls - 1,
                user: arrived,
                system: after,
            };
            for (ascii, lang) in [(false, Lang::En), (true, Lang::En), (false, Lang::Zh)] {
                let text = drawn(&phases, Format::Text { ascii, color: false }, lang);
                let width = text.lines().map(columns::width).max().unwrap();
                assert!(width <= 80, "{width} columns:\n{text}");
                assert_eq!(text.is_ascii(), ascii, "{text}");
                if lang == Lang::Zh {
                    continue;
                }
                let mut rows =
                    text.lines().filter(|line| line.contains(&crate::words::grouped(calls)));
                let row = rows.find(|line| line.starts_with("  epoll ")).unwrap();
                assert!(text.lines().filter(|line| line.starts_with("    least ")).count() == 7);
                // The name, two numbers without a unit, and four with.
                assert_eq!(row.split_whitespace().count(), 11, "{row}");
            }
        }
    }

    #[test]
    fn a_reason_is_text_in_every_form() {
        let reason = "<b> & \"c\" | d".to_owned();
        let outcomes = [Outcome { model: &MODELS[0], phases: Err(reason), rounds: vec![] }];
        let experiment =
            Experiment { delay: Duration::from_millis(50), tcp: false, options: vec![] };
        for (format, escaped) in [
            (Format::Svg, "&lt;b&gt; &amp; &quot;c&quot;"),
            (Format::Html, "&lt;b&gt; &amp; &quot;c&quot;"),
            (Format::Markdown, "\\| d"),
        ] {
            let report = write(&experiment, &outcomes, format, Lang::Zh);
            assert!(report.contains(escaped), "{report}");
            assert!(format == Format::Markdown || !report.contains("<b>"), "{report}");
        }
    }
}
