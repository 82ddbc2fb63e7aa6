//! The options of every command, and what they decide: who listens to the record, and how it is shown.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::builder::{StringValueParser, TypedValueParser};
use clap::{ArgAction, Args, ValueEnum};

use crate::call;
use crate::draw::{Time, View};
use crate::escape::file_name;
use crate::examples::value::Offer;
use crate::lang::{Lang, Voice};
use crate::terminal::{self, columns, columns_of_stderr, takes_utf8};
use crate::trace::story::{Clock, Story};
use crate::trace::{self, Settings, Speaker, TraceFile};

/// The options that every command has.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// Print results only, not the story
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Tell more: -v each call as strace prints it, -vv also the state of the socket
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "quiet")]
    pub verbose: u8,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = Color::Auto)]
    pub color: Color,
    /// Write ASCII only, as in a locale without UTF-8
    #[arg(long, global = true)]
    pub ascii: bool,
    /// Append each call to FILE, as a line of JSON
    #[arg(long, global = true, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Also write into FILE the state of each socket after a call, as -vv shows it
    #[arg(long, global = true, requires = "trace")]
    pub observe: bool,
    /// Show passwords in the story and the trace, not * for each byte: as others see them on the wire
    #[arg(long, global = true)]
    pub show_secrets: bool,
    /// The language of what is told and explained; --help stays English [default: that of NETPLAY_LANG, or of the locale]
    #[arg(long, global = true, value_name = "en|zh", hide_possible_values = true)]
    #[arg(value_parser = lang())]
    pub lang: Option<Lang>,
}

// When to use colours. (These are no doc comments: they would make every help page twice as long.)
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Color {
    // On a terminal, unless NO_COLOR is set or TERM is dumb.
    Auto,
    Always,
    Never,
}

impl Color {
    pub fn use_on(self, is_terminal: bool) -> bool {
        match self {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => is_terminal && terminal::takes_color(),
        }
    }
}

fn lang() -> Offer<impl TypedValueParser<Value = Lang>> {
    let read = StringValueParser::new().try_map(|code| code.parse());
    Offer::new(read, || Lang::ALL.map(Lang::code).to_vec())
}

impl Global {
    pub(super) fn story(&self, clock: Clock, terminal: bool) -> Option<Story> {
        (!self.quiet).then(|| Story {
            detail: self.verbose,
            color: self.color.use_on(terminal),
            ascii: self.plain(),
            clock,
            lang: self.spoken(),
        })
    }

    /// How pictures look that are made of text.
    pub(super) fn look(&self, terminal: bool) -> View {
        View {
            title: String::new(),
            time: Time::Even,
            columns: if terminal { columns().unwrap_or(80) } else { 80 },
            ascii: self.plain(),
            color: self.color.use_on(terminal),
            lang: self.language(),
        }
    }

    /// The language of all that is told. Without Chinese characters there is no Chinese.
    pub(super) fn spoken(&self) -> Lang {
        if self.plain() { Lang::En } else { self.language() }
    }

    /// How standard output is told.
    pub(super) fn voice(&self, terminal: bool) -> Voice {
        let columns = if terminal { columns() } else { None };
        Voice { lang: self.spoken(), columns: columns.unwrap_or(usize::MAX) }
    }

    /// Sets the language and the width of what this process tells.
    pub(super) fn speak(&self) {
        self.spoken().set();
        trace::fit_terminal(columns_of_stderr);
    }

    /// What lessons and labs are read in.
    pub(super) fn language(&self) -> Lang {
        self.lang.unwrap_or_else(Lang::of_environment)
    }

    /// Whether only ASCII can be shown.
    pub(super) fn plain(&self) -> bool {
        self.ascii || !takes_utf8()
    }
}

/// Where the answers are the result, the calls behind them are only for those who ask.
pub(super) fn listen_for_those_who_ask(global: &Global, speaker: Speaker) -> Result<()> {
    let quiet = global.verbose == 0;
    listen_to_the_record(&Global { quiet, trace: global.trace.clone(), ..*global }, speaker)
}

pub(super) fn listen_to_the_record(global: &Global, speaker: Speaker) -> Result<()> {
    let story = global.story(Clock::Wall, io::stderr().is_terminal());
    call::observe(global.verbose > 1 || global.observe);
    let file = global.trace.as_deref().map(open_trace).transpose()?;
    trace::install(Settings { speaker, story, file, collection: None })
        .context("the record has a listener already")
}

pub(super) fn open_trace(path: &Path) -> Result<TraceFile> {
    TraceFile::open(path).with_context(|| format!("cannot write the trace to {}", file_name(path)))
}
