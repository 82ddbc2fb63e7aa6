//! A lab as a picture to show to a class: the question, the answer, why it is so and the fix, with what happened
//! before and after it as two timelines.
//!
//! ```text
//! html   a screen for each part, one below the other     the two timelines are figures on it
//! svg    the same as one picture
//! md     the same for a page on a code host               the two timelines are Mermaid diagrams
//! ```

use pulldown_cmark::Parser;

use super::{Act, Outcome, Report, Value};
use crate::draw::page::{self, Cell};
use crate::draw::{Block, Format, Timeline, View, poster};
use crate::escape::markup;

/// What stands on the paper, in the order in which it is told.
enum Part<'a> {
    Heading(&'a str),
    /// A heading with which a new screen begins.
    Screen(&'a str),
    Markdown(String),
    /// The question's answers, from 1.
    Choices(&'a [String]),
    /// What was measured; with what was measured before the fix, to compare.
    Measured(&'a Act, Option<&'a Act>),
    Figure(&'a Timeline, &'static str),
}

impl Report<'_> {
    /// The lab in this format. For other programs, and as text, it is the timeline alone.
    #[must_use]
    pub fn picture_of(
        &self,
        outcome: &Outcome,
        predicted: Option<usize>,
        format: Format,
        view: &View,
    ) -> Vec<u8> {
        let lang = self.look.lang;
        let told = outcome.timelines.clone().map(|timeline| timeline.told_in(lang));
        let parts = self.parts(outcome, &told, predicted);
        match format {
            Format::Svg => self.svg(&parts, view).into_bytes(),
            Format::Html => self.html(&parts, view).into_bytes(),
            Format::Markdown => self.markdown(&parts, view).into_bytes(),
            Format::Text | Format::Pcapng | Format::Pftrace => {
                outcome.timeline.clone().told_in(lang).drawn(format, view)
            }
            Format::Json => outcome.timeline.drawn(format, view),
        }
    }

    fn parts<'a>(
        &'a self,
        outcome: &'a Outcome,
        [run, fix]: &'a [Timeline; 2],
        predicted: Option<usize>,
    ) -> Vec<Part<'a>> {
        let lang = self.look.lang;
        let (text, markdown) = (&self.text, |body: &String| Part::Markdown(body.clone()));
        let answers = self.answers(&outcome.run, predicted);
        let answers = answers.into_iter().map(|(who, said)| format!("**{who}** {said}\n\n"));
        vec![
            markdown(&text.intro),
            Part::Heading(lang.pick("Predict", "预测")),
            markdown(&text.question),
            Part::Choices(&text.choices),
            Part::Screen(self.measured()),
            Part::Markdown(answers.collect()),
            Part::Measured(&outcome.run, None),
            Part::Screen(&text.watch.heading),
            markdown(&text.watch.body),
            Part::Figure(run, lang.pick("Before the fix", "修正之前")),
            Part::Screen(&text.explain.heading),
            markdown(&text.explain.body),
            Part::Screen(&text.fix.heading),
            markdown(&text.fix.body),
            Part::Figure(fix, lang.pick("With the fix", "修正之后")),
            Part::Screen(self.measured_again()),
            Part::Measured(&outcome.fix, Some(&outcome.run)),
            Part::Screen(lang.pick("Try next", "接下来试试")),
            markdown(&text.own),
        ]
    }

    /// `framing: one send is not one recv`.
    fn title(&self) -> String {
        format!("{}: {}", self.lab.name, self.text.title)
    }

    fn svg(&self, parts: &[Part<'_>], view: &View) -> String {
        let lines = |text: &str| text.trim_end().lines().map(str::to_owned).collect::<Vec<_>>();
        // Code looks like the rest here: nothing in a picture marks it.
        let words = |markdown: &str| lines(&self.paragraphs(markdown).replace(['`', '*'], ""));
        let blocks: Vec<Block<'_>> = parts
            .iter()
            .filter_map(|part| {
                Some(match part {
                    Part::Heading(words) | Part::Screen(words) => {
                        Block::Heading((*words).to_owned())
                    }
                    Part::Markdown(markdown) => Block::Words(words(markdown)),
                    Part::Choices(choices) => {
                        let choices = (1..).zip(*choices);
                        Block::Words(
                            choices.flat_map(|(n, text)| words(&format!("{n}. {text}"))).collect(),
                        )
                    }
                    Part::Measured(act, before) => Block::Sheet(lines(&self.sheets(act, *before))),
                    Part::Figure(timeline, _) if timeline.calls.is_empty() => return None,
                    Part::Figure(timeline, title) => Block::Figure(timeline, (*title).to_owned()),
                })
            })
            .collect();
        poster(&blocks, &View { title: self.title(), ..view.clone() })
    }

    fn html(&self, parts: &[Part<'_>], view: &View) -> String {
        let mut body = format!("<section class=\"screen\">\n<h1>{}</h1>\n", markup(&self.title()));
        let mut figures = 0;
        for part in parts {
            body += &match part {
                Part::Heading(words) => format!("<h2>{}</h2>\n", markup(words)),
                Part::Screen(words) => {
                    let words = markup(words);
                    format!("</section>\n<section class=\"screen\">\n<h2>{words}</h2>\n")
                }
                Part::Markdown(markdown) => html(markdown),
                Part::Choices(choices) => {
                    let choices = choices.iter().map(|text| format!("<li>{}</li>\n", html(text)));
                    format!("<ol>\n{}</ol>\n", choices.collect::<String>())
                }
                Part::Measured(act, before) => self.tables(act, *before),
                Part::Figure(timeline, _) if timeline.calls.is_empty() => String::new(),
                Part::Figure(timeline, title) => {
                    figures += 1;
                    let svg = self.figure(timeline, title, Format::Svg, view);
                    page::figure(&svg, figures)
                }
            };
        }
        body += "</section>\n";
        page::report(&self.title(), &body)
    }

    /// What was measured, as the terminal shows it.
    fn sheets(&self, act: &Act, before: Option<&Act>) -> String {
        self.act(act) + &before.map(|before| self.both(before, act)).unwrap_or_default()
    }

    /// The same as tables of a page.
    fn tables(&self, act: &Act, before: Option<&Act>) -> String {
        let plain = |words: String| Cell::from(words.replace('`', ""));
        let word = |key: &str| plain(self.word(key));
        let value = |value: &Value| plain(self.value(value));
        let lang = self.look.lang;
        let mut html = String::new();
        if !act.figures.is_empty() {
            let then = |key| {
                let found = before.and_then(|act| act.figures.iter().find(|f| f.key == key));
                found.map_or_else(Cell::default, |figure| value(&figure.value))
            };
            let rows = act.figures.iter().map(|f| match before {
                Some(_) => vec![word(f.key), then(f.key), value(&f.value)],
                None => vec![word(f.key), value(&f.value)],
            });
            let heads = ["", lang.pick("before", "修正前"), lang.pick("with the fix", "修正后")];
            let heads = if before.is_some() { &heads[..] } else { &["", ""] };
            html += &page::table("", heads, rows);
        }
        for table in &act.tables {
            let rows = table.rows.iter().map(|row| row.iter().map(value).collect::<Vec<_>>());
            let heads = table.columns.iter().map(|key| word(key));
            html += &page::table(&self.word(table.key).replace('`', ""), heads, rows);
        }
        for claim in &act.claims {
            let mark = if claim.held { "✓" } else { "✗" };
            html += &format!("<p>{mark} {}</p>\n", markup(&self.word(claim.key).replace('`', "")));
        }
        html
    }

    fn markdown(&self, parts: &[Part<'_>], view: &View) -> String {
        let mut page = format!("# {}\n\n", self.title());
        for part in parts {
            page += &match part {
                Part::Heading(words) | Part::Screen(words) => format!("## {words}\n\n"),
                Part::Markdown(markdown) => format!("{}\n\n", markdown.trim_end()),
                Part::Choices(choices) => {
                    let choices = (1..).zip(*choices).map(|(n, text)| format!("{n}. {text}\n"));
                    choices.chain(["\n".to_owned()]).collect()
                }
                Part::Measured(act, before) => {
                    format!("```text\n{}\n```\n\n", self.sheets(act, *before).trim_end())
                }
                Part::Figure(timeline, _) if timeline.calls.is_empty() => String::new(),
                Part::Figure(timeline, title) => {
                    let figure = self.figure(timeline, title, Format::Markdown, view);
                    format!("{}\n\n", figure.trim_end())
                }
            };
        }
        page.trim_end().to_owned() + "\n"
    }

    fn figure(&self, timeline: &Timeline, title: &str, format: Format, view: &View) -> String {
        timeline.picture(format, &View { title: title.to_owned(), ..view.clone() })
    }
}

/// Markdown of ours as HTML. It quotes no peer.
fn html(markdown: &str) -> String {
    let mut html = String::new();
    pulldown_cmark::html::push_html(&mut html, Parser::new(markdown));
    html
}
