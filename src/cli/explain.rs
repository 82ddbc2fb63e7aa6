//! `netplay explain`: the lessons, the table of contents, and what an errno means here.

use std::io::Write;

use anyhow::Result;
use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, Command};
use nix::errno::Errno;

use super::args::Global;
use super::terminal_columns;
use crate::call::strerror;
use crate::lab::{Lab, TABLE};
use crate::lang::Lang;
use crate::lesson::{self, Lesson, Look, Subject};
use crate::trace::remark;

const TRY: &str = "\
Try:
  netplay explain                    the table of contents
  netplay explain tcp                a topic; tcp-echo, the name of an example, will do as well
  netplay explain EADDRINUSE         what an error means here; its number will do as well
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
    #[arg(value_name = "TOPIC", value_parser = ReadTopic)]
    topic: Option<Topic>,
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

/// Reads a topic; shells complete the names of the lessons.
#[derive(Debug, Clone)]
struct ReadTopic;

impl TypedValueParser for ReadTopic {
    type Value = Topic;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<Topic, clap::Error> {
        StringValueParser::new().try_map(|name| named(&name)).parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(lesson::topics().map(PossibleValue::new)))
    }
}

/// What somebody asks about.
#[derive(Debug, Clone, Copy)]
enum Topic {
    /// What the lessons have.
    Lessons(Subject),
    /// A lab of this name, which explains itself.
    Lab(&'static str),
}

fn named(name: &str) -> Result<Topic, String> {
    let lab = || Lab::named(&name.to_lowercase()).map(|lab| Topic::Lab(lab.name));
    let labs = TABLE.iter().map(|lab| lab.name);
    lesson::find(name).map(Topic::Lessons).or_else(lab).ok_or_else(|| {
        match lesson::similar(name, labs) {
            Some(similar) => format!("no lesson has this name; did you mean '{similar}'?"),
            None => "no lesson has this name; netplay explain lists them all".to_owned(),
        }
    })
}

/// Runs it.
///
/// # Errors
/// If `out` cannot be written.
pub(super) fn run(args: &Args, global: &Global, terminal: bool, out: &mut dyn Write) -> Result<()> {
    let lang = global.language();
    match args.topic {
        None => print(lesson::contents(lang), &args.form, global, terminal, out),
        Some(Topic::Lessons(Subject::Lesson(lesson))) => {
            show(lesson, &args.form, global, terminal, out)
        }
        Some(Topic::Lessons(Subject::Errno(errno))) => {
            print(&about(errno, lang), &args.form, global, terminal, out)
        }
        Some(Topic::Lab(name)) => {
            let sentence = match lang {
                Lang::En => {
                    format!("`{name}` is a lab, which explains itself: `netplay lab {name}`\n")
                }
                Lang::Zh => format!("`{name}` 是一个实验，自带讲解：`netplay lab {name}`\n"),
            };
            print(&sentence, &args.form, global, terminal, out)
        }
    }
}

/// One lesson.
///
/// # Errors
/// If `out` cannot be written.
pub(super) fn show(
    lesson: &Lesson,
    form: &Form,
    global: &Global,
    terminal: bool,
    out: &mut dyn Write,
) -> Result<()> {
    print(lesson.text(global.language()), form, global, terminal, out)
}

/// What is known about an error number, in Markdown.
fn about(errno: Errno, lang: Lang) -> String {
    let title = format!("# {errno:?} ({}): {}", errno as i32, strerror(errno));
    let text = match (lesson::about_errno(errno, lang), lang) {
        (Some(section), _) => section,
        (None, Lang::En) => {
            "None of the calls that netplay makes is documented to return it. \
             `man 3 errno` lists every error number.\n"
        }
        (None, Lang::Zh) => {
            "netplay 所用的系统调用，手册都没有写会返回它。`man 3 errno` 列出全部错误号。\n"
        }
    };
    format!("{title}\n\n{}\n", text.trim())
}

/// A text in Markdown, for a terminal or as it is.
fn print(
    markdown: &str,
    form: &Form,
    global: &Global,
    terminal: bool,
    out: &mut dyn Write,
) -> Result<()> {
    let lang = global.language();
    let ascii = global.plain() && lang == Lang::En;
    if global.plain() && !ascii && !form.plain && !global.quiet {
        remark("Chinese cannot be written in ASCII, so here it is as it is; --lang en can be");
    }
    let look = Look {
        columns: if terminal { terminal_columns() } else { 80 },
        styled: global.color.use_on(terminal),
        ascii,
        links: !std::ptr::eq(markdown, lesson::contents(lang)),
        lang,
    };
    let text = if form.plain { markdown.to_owned() } else { lesson::render(markdown, &look) };
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
