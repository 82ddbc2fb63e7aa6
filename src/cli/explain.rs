//! `netplay explain`: the lessons, the table of contents, and what an errno means here.

use std::io::Write;

use anyhow::{Result, bail};
use clap::builder::{StringValueParser, TypedValueParser};

use super::global::Global;
use crate::client::Usage;
use crate::examples::Example;
use crate::examples::value::Offer;
use crate::lab::{Lab, TABLE};
use crate::lang::Lang;
use crate::lesson::{self, Lesson, Look, Subject};
use crate::output::stdout;
use crate::trace::remark;

const TRY: &str = "\
Try:
  netplay explain                    the table of contents
  netplay explain tcp                a topic; tcp-echo, the name of an example, will do as well
  netplay explain EADDRINUSE         what an error means here; its number will do as well
  netplay explain 10054              an error number of Windows; 61 of macOS: its name here
  netplay explain tcp --lang zh      in Chinese
  netplay explain tcp --color always | less -R";

/// The arguments of `netplay explain`.
#[derive(Debug, clap::Args)]
#[command(
    about = "Explain a topic, an example or an error: the lessons, in English and in Chinese"
)]
#[command(after_help = TRY)]
pub struct Args {
    /// A topic, an example, or an errno; without one, the table of contents
    #[arg(value_name = "TOPIC", value_parser = Offer::new(StringValueParser::new().try_map(named), || lesson::topics().collect()))]
    topic: Option<Topic>,
    /// The number behind a word, as in WinError 10054
    #[arg(value_name = "NUMBER", hide = true)]
    number: Option<u16>,
    #[command(flatten)]
    form: Form,
}

/// How a lesson is printed.
#[derive(Debug, clap::Args)]
pub struct Form {
    /// Print the Markdown as it is
    #[arg(long)]
    plain: bool,
}

/// What may be asked about.
#[derive(Debug, Clone, Copy)]
enum Topic {
    /// What the lessons have.
    Lessons(Subject),
    /// A lab of this name, which explains itself.
    Lab(&'static str),
    /// A word that stands before the number of an error: WinError.
    Word,
}

fn named(name: String) -> Result<Topic, String> {
    let lab = || Lab::named(&name.to_lowercase()).map(|lab| Topic::Lab(lab.name));
    if name.eq_ignore_ascii_case("winerror") {
        return Ok(Topic::Word);
    }
    let labs = TABLE.iter().map(|lab| lab.name);
    lesson::find(&name).map(Topic::Lessons).or_else(lab).ok_or_else(|| {
        match lesson::similar(&name, labs) {
            Some(similar) => format!("no lesson has this name; did you mean '{similar}'?"),
            None => "no lesson has this name; netplay explain lists them all".to_owned(),
        }
    })
}

/// Runs it.
///
/// # Errors
/// Standard output cannot be written.
pub(super) fn run(args: &Args, global: &Global) -> Result<()> {
    let lang = global.language();
    let topic = match (args.topic, args.number) {
        (
            Some(Topic::Word | Topic::Lessons(Subject::Lesson(Lesson { topic: "errno", .. }))),
            Some(number),
        ) => Some(
            named(number.to_string())
                .map_err(|_| Usage(format!("no error has the number {number}")))?,
        ),
        (Some(Topic::Word), None) => bail!(Usage("which number? netplay explain 10054".into())),
        (_, Some(_)) => bail!(Usage("one topic at a time".into())),
        (topic, None) => topic,
    };
    match topic {
        None | Some(Topic::Word) => print(lesson::contents(lang), &args.form, global),
        Some(Topic::Lessons(Subject::Lesson(lesson))) => {
            print(lesson.text(lang), &args.form, global)
        }
        Some(Topic::Lessons(Subject::Errno(errno))) => {
            print(&lesson::page_of_errno(errno, lang), &args.form, global)
        }
        Some(Topic::Lessons(Subject::Foreign(foreign))) => {
            print(&lesson::page_of_foreign(foreign, lang), &args.form, global)
        }
        Some(Topic::Lab(name)) => {
            let sentence = match lang {
                Lang::En => {
                    format!("`{name}` is a lab, which explains itself: `netplay lab {name}`\n")
                }
                Lang::Zh => format!("`{name}` 是一个实验，自带讲解：`netplay lab {name}`\n"),
            };
            print(&sentence, &args.form, global)
        }
    }
}

/// The lesson behind an example.
///
/// # Errors
/// Standard output cannot be written.
pub(super) fn teach(example: &Example, form: &Form, global: &Global) -> Result<()> {
    let Some(Subject::Lesson(lesson)) = lesson::find(example.lesson) else {
        bail!("{} has no lesson", example.name);
    };
    print(lesson.text(global.language()), form, global)
}

/// A text in Markdown, for a terminal or as it is.
fn print(markdown: &str, form: &Form, global: &Global) -> Result<()> {
    let mut out = stdout();
    let view = global.look(out.is_terminal());
    let ascii = view.ascii && view.lang == Lang::En;
    if view.ascii && !ascii && !form.plain && !global.quiet {
        remark("Chinese cannot be written in ASCII, so here it is as it is; --lang en can be");
    }
    let look = Look {
        columns: view.columns,
        styled: view.color,
        ascii,
        links: !std::ptr::eq(markdown, lesson::contents(view.lang)),
        lang: view.lang,
    };
    let text = if form.plain { markdown.to_owned() } else { lesson::render(markdown, &look) };
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
