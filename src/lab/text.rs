//! What people read of a lab: a Markdown file of a fixed form.
//!
//! ```text
//! # one send is not one recv        the misconception, corrected, as a title
//! What happens in this lab.
//! ## Predict                        a question, and the numbered answers to choose from
//! ## Watch                          what to look at in the picture
//! ## Explain                        why it is so
//! ## Fix                            what the fix is, and why it cures
//! ## Run it                         a command to go on with, and what to try with one's own program
//! ## Words                          `- key: text` for each figure, column, word and claim of the lab
//! ```
//!
//! The sections are known by their order; their headings are in the language of the file.

use std::collections::HashMap;

/// The text of a lab in one language.
#[derive(Debug, Clone)]
pub struct Text {
    /// The misconception, corrected.
    pub title: String,
    /// What happens in the lab, as Markdown.
    pub intro: String,
    /// The question.
    pub question: String,
    /// What one can answer.
    pub choices: Vec<String>,
    /// What to look at in the picture.
    pub watch: Section,
    /// Why it is so.
    pub explain: Section,
    /// What the fix is.
    pub fix: Section,
    /// The command to go on with.
    pub next: String,
    /// How to look for the same in one's own program, as Markdown: a command of `watch`, and what to look for.
    pub own: String,
    words: HashMap<String, String>,
}

/// A section: its heading, and its text as Markdown.
#[derive(Debug, Clone, Default)]
pub struct Section {
    /// The heading.
    pub heading: String,
    /// The text below it.
    pub body: String,
}

impl Text {
    /// Reads the file. What is missing is empty; a test sees to it that nothing is.
    #[must_use]
    pub fn read(markdown: &str) -> Text {
        let (head, rest) = markdown.split_once("\n## ").unwrap_or((markdown, ""));
        let (title, intro) = head.split_once('\n').unwrap_or((head, ""));
        let mut sections = rest.split("\n## ").map(|section| {
            let (heading, body) = section.split_once('\n').unwrap_or((section, ""));
            Section { heading: heading.trim().to_owned(), body: body.trim().to_owned() }
        });
        let mut section = || sections.next().unwrap_or_default();
        let (question, choices) = predict(&section().body);
        let (watch, explain, fix, go_on) = (section(), section(), section(), section());
        Text {
            title: title.trim_start_matches("# ").to_owned(),
            intro: intro.trim().to_owned(),
            question,
            choices,
            watch,
            explain,
            fix,
            next: command(&go_on.body),
            own: after_command(&go_on.body),
            words: words(&section().body),
        }
    }

    /// The word for a key; the key itself if it has none.
    #[must_use]
    pub fn word(&self, key: &str) -> String {
        self.words.get(key).cloned().unwrap_or_else(|| key.to_owned())
    }

    /// The keys that have a word.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.words.keys().map(String::as_str)
    }
}

/// A question, and the answers `1. …`, which may go on in indented lines.
fn predict(body: &str) -> (String, Vec<String>) {
    let numbered = |line: &str| line.split_once(". ").is_some_and(|(n, _)| n.parse::<u8>().is_ok());
    let mut lines = body.lines().peekable();
    let mut question = Vec::new();
    while let Some(line) = lines.next_if(|line| !numbered(line)) {
        question.push(line);
    }
    let mut choices: Vec<String> = Vec::new();
    for line in lines.filter(|line| !line.trim().is_empty()) {
        match (line.split_once(". ").filter(|_| numbered(line)), choices.last_mut()) {
            (Some((_, choice)), _) => choices.push(choice.to_owned()),
            (None, Some(last)) => last.extend([" ", line.trim()]),
            (None, None) => {}
        }
    }
    (question.join("\n").trim().to_owned(), choices)
}

/// The command of a `console` block: what follows `$ `.
fn command(body: &str) -> String {
    body.lines().find_map(|line| line.strip_prefix("$ ")).unwrap_or_default().to_owned()
}

/// What follows the `console` block.
fn after_command(body: &str) -> String {
    let after = body.split_once("$ ").and_then(|(_, rest)| rest.split_once("```"));
    after.map_or("", |(_, after)| after.trim()).to_owned()
}

/// `- key: text`.
fn words(body: &str) -> HashMap<String, String> {
    let pair = |line: &str| {
        let (key, text) = line.strip_prefix("- ")?.split_once(": ")?;
        Some((key.trim_matches('`').to_owned(), text.trim().to_owned()))
    };
    body.lines().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_text_are_found_by_their_order() {
        let text = Text::read(
            "# title\n\nintro\n\n## P\n\nWhat?\n\n1. one\n   more\n2. two\n\n## W\n\nlook\n\n## E\n\nbecause\n\n\
             ## F\n\ndo\n\n## R\n\n```console\n$ netplay lab\n```\n\nown\n\n## Words\n\n- `a-b`: c: d\n",
        );
        assert_eq!((text.title.as_str(), text.intro.as_str()), ("title", "intro"));
        assert_eq!(text.question, "What?");
        assert_eq!(text.choices, ["one more", "two"]);
        assert_eq!((text.watch.body.as_str(), text.fix.heading.as_str()), ("look", "F"));
        assert_eq!((text.next.as_str(), text.own.as_str()), ("netplay lab", "own"));
        assert_eq!((text.word("a-b").as_str(), text.word("x").as_str()), ("c: d", "x"));
    }
}
