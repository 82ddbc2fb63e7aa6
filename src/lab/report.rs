//! A lab on paper: what is asked, what was measured, what the fix changes; for people and for programs.

use anyhow::Result;
use netplay_text::say;
use serde_json::{Value as Json, json};

use super::figure::{Claim, Table, Value};
use super::{Act, Lab, Outcome, Text};
use crate::columns;
use crate::draw::{Format, Time, View};
use crate::lang::Lang;
use crate::{lesson, table};

/// How a report is to look.
#[derive(Debug, Clone)]
pub struct Look {
    /// The language.
    pub lang: Lang,
    /// How many columns there are.
    pub columns: usize,
    /// Whether to keep to ASCII.
    pub ascii: bool,
    /// Whether colours may be used.
    pub color: bool,
}

/// A lab, its text, and how both are shown.
pub struct Report<'a> {
    /// The lab.
    pub lab: &'a Lab,
    /// Its text.
    pub text: Text,
    /// How it is to look.
    pub look: Look,
}

impl Report<'_> {
    /// The title, what happens, and the question with its choices.
    #[must_use]
    pub fn question(&self) -> String {
        let mut page = format!("== {}: {}\n\n", self.lab.name, self.text.title);
        page += &self.paragraphs(&self.text.intro);
        page += "\n";
        page += &self.paragraphs(&self.text.question);
        for (i, choice) in self.text.choices.iter().enumerate() {
            page += &self.indented(&format!("  {}  ", i + 1), choice);
        }
        page
    }

    /// What was measured, what to see in it, why it is so, what the fix is, and what it changes: a screen for each,
    /// with its heading.
    #[must_use]
    pub fn screens(&self, outcome: &Outcome, predicted: Option<usize>) -> Vec<(String, String)> {
        let [run, fix] = &outcome.timelines;
        let Text { watch, explain, fix: cure, .. } = &self.text;
        let compared = self.compared(&outcome.run, predicted);
        let screens = [
            (self.measured(), format!("{compared}\n{}", self.act(&outcome.run))),
            (watch.heading.as_str(), self.paragraphs(&watch.body) + &self.picture(run)),
            (&explain.heading, self.paragraphs(&explain.body)),
            (&cure.heading, self.paragraphs(&cure.body) + &self.picture(fix)),
            (
                self.measured_again(),
                self.act(&outcome.fix) + &self.both(&outcome.run, &outcome.fix),
            ),
        ];
        let screen = |(heading, body): (&str, String)| {
            (String::from(heading), self.heading(heading) + &body)
        };
        screens.map(screen).into()
    }

    /// All of that at once.
    #[must_use]
    pub fn answer(&self, outcome: &Outcome, predicted: Option<usize>) -> String {
        self.screens(outcome, predicted).into_iter().map(|(_, screen)| screen).collect()
    }

    /// The heading of what was measured.
    pub(super) fn measured(&self) -> &'static str {
        self.look.lang.pick("Measured", "实测")
    }

    /// The heading of what was measured with the fix.
    pub(super) fn measured_again(&self) -> &'static str {
        self.look.lang.pick("Measured with the fix", "修正之后的实测")
    }

    /// The result and nothing else.
    #[must_use]
    pub fn result(&self, outcome: &Outcome, predicted: Option<usize>) -> String {
        self.act(&outcome.run) + &self.compared(&outcome.run, predicted) + &self.act(&outcome.fix)
    }

    /// All of it for programs.
    ///
    /// # Errors
    /// None that its types allow.
    pub fn json(&self, outcome: &Outcome, predicted: Option<usize>) -> Result<String> {
        let act = |act: &Act| -> Json {
            let figures: serde_json::Map<_, _> =
                act.figures.iter().map(|f| (f.key.to_owned(), json!(f.value))).collect();
            let tables: serde_json::Map<_, _> =
                act.tables.iter().map(|t| (t.key.to_owned(), rows(t))).collect();
            let claims: serde_json::Map<_, _> =
                act.claims.iter().map(|c| (c.key.to_owned(), json!(c.held))).collect();
            json!({ "figures": figures, "tables": tables, "claims": claims })
        };
        let whole = json!({
            "v": 1,
            "lab": self.lab.name,
            "title": self.text.title,
            "predicted": predicted,
            "answer": outcome.run.answer,
            "met": outcome.unmet().is_none(),
            "seconds": outcome.took.as_secs_f64(),
            "run": act(&outcome.run),
            "fix": act(&outcome.fix),
        });
        Ok(serde_json::to_string_pretty(&whole)? + "\n")
    }

    /// Prediction and measurement, one below the other: `you said 1: …`, `measured 3: …`.
    fn compared(&self, run: &Act, predicted: Option<usize>) -> String {
        self.answers(run, predicted)
            .into_iter()
            .map(|(who, said)| self.indented(&format!("  {who}  "), &said))
            .collect()
    }

    /// What was predicted, if anything was, and what was measured: `you said 1:` and the answer of this number.
    pub(super) fn answers(&self, run: &Act, predicted: Option<usize>) -> Vec<(String, String)> {
        let lang = self.look.lang;
        let choice = |n: usize| {
            let text = n.checked_sub(1).and_then(|i| self.text.choices.get(i));
            text.cloned().unwrap_or_default()
        };
        let said = predicted.map(|n| (say!(lang, "you said {n}:", "你的答案 {n}："), choice(n)));
        let measured = match run.answer {
            Some(n) => (say!(lang, "measured {n}:", "实测结果 {n}："), choice(n)),
            None => (
                say!(lang, "measured:  ", "实测结果：  "),
                lang.pick("none of these answers", "以上答案都不符合").to_owned(),
            ),
        };
        said.into_iter().chain([measured]).collect()
    }

    /// Figures, tables and claims.
    pub(super) fn act(&self, act: &Act) -> String {
        let mut lines = String::new();
        if !act.figures.is_empty() {
            let rows =
                act.figures.iter().map(|f| vec![self.word(f.key), self.value(&f.value)]).collect();
            lines += &self.sheet(&[], rows);
        }
        for table in &act.tables {
            let gap = if lines.is_empty() { "" } else { "\n" };
            lines += &format!("{gap}  {}\n", self.word(table.key));
            let heads: Vec<String> = table.columns.iter().map(|key| self.word(key)).collect();
            let row = |row: &Vec<Value>| row.iter().map(|value| self.value(value)).collect();
            lines += &self.sheet(&heads, table.rows.iter().map(row).collect());
        }
        for claim in &act.claims {
            lines += &self.claim(claim);
        }
        lines
    }

    fn claim(&self, claim: &Claim) -> String {
        let mark = match (claim.held, self.look.ascii) {
            (true, false) => "  ✓ ",
            (false, false) => "  ✗ ",
            (true, true) => "  ok: ",
            (false, true) => "  NOT: ",
        };
        self.indented(mark, &self.word(claim.key))
    }

    /// What was measured both times, beside each other.
    pub(super) fn both(&self, run: &Act, fix: &Act) -> String {
        let lang = self.look.lang;
        let with = |key| fix.figures.iter().find(|figure| figure.key == key);
        let rows: Vec<Vec<String>> = run
            .figures
            .iter()
            .filter_map(|f| {
                let fixed = with(f.key)?;
                Some(vec![self.word(f.key), self.value(&f.value), self.value(&fixed.value)])
            })
            .collect();
        if rows.is_empty() {
            return String::new();
        }
        let heads = ["", lang.pick("before", "修正前"), lang.pick("with the fix", "修正后")];
        "\n".to_owned() + &self.sheet(&heads.map(String::from), rows)
    }

    fn sheet(&self, heads: &[String], rows: Vec<Vec<String>>) -> String {
        let heads = (!heads.is_empty()).then(|| heads.to_vec());
        let rows: Vec<Vec<String>> = heads.into_iter().chain(rows).collect();
        let room = Some(self.look.columns.saturating_sub(2).max(20));
        let lines = table::lines(&rows, table::Look { room, ..table::Look::default() });
        lines.into_iter().map(|line| format!("  {line}\n")).collect()
    }

    fn picture(&self, timeline: &crate::draw::Timeline) -> String {
        if timeline.calls.is_empty() {
            return String::new();
        }
        let view = View {
            title: String::new(),
            time: Time::Even,
            columns: self.look.columns,
            ascii: self.look.ascii,
            color: self.look.color,
            lang: self.look.lang,
        };
        format!(
            "\n{}\n",
            timeline
                .clone()
                .told_in(self.look.lang)
                .picture(Format::Text, &view)
                .trim_matches('\n')
        )
    }

    fn heading(&self, heading: &str) -> String {
        format!("\n-- {heading}\n\n")
    }

    pub(super) fn word(&self, key: &str) -> String {
        self.text.word(key)
    }

    pub(super) fn value(&self, value: &Value) -> String {
        let text = value.text(|key| self.word(key));
        if self.look.ascii {
            text.replace('µ', "u").replace('█', "#").replace('░', ".")
        } else {
            text
        }
    }

    /// How to look for the same in one's own program.
    #[must_use]
    pub fn own(&self) -> String {
        self.paragraphs(&self.text.own)
    }

    /// Markdown, as lessons show it.
    pub(super) fn paragraphs(&self, markdown: &str) -> String {
        self.rendered(markdown, self.look.columns)
    }

    /// A text behind its mark, wrapped below itself.
    fn indented(&self, mark: &str, text: &str) -> String {
        let indent = columns::width(mark);
        let text = self.rendered(text, self.look.columns.saturating_sub(indent));
        let lines = text.lines().enumerate().map(|(i, line)| match i {
            0 => format!("{mark}{line}\n"),
            _ => format!("{:indent$}{line}\n", ""),
        });
        lines.collect()
    }

    fn rendered(&self, markdown: &str, columns: usize) -> String {
        let Look { lang, ascii, color, .. } = self.look;
        let ascii = ascii && lang == Lang::En; // Chinese cannot be ASCII
        lesson::render(markdown, &lesson::Look { columns, styled: color, ascii, links: true, lang })
    }
}

/// A table as a list of objects.
fn rows(table: &Table) -> Json {
    let row = |row: &Vec<Value>| -> Json {
        let pairs = table.columns.iter().zip(row);
        pairs
            .map(|(key, value)| ((*key).to_owned(), json!(value)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    table.rows.iter().map(row).collect()
}
