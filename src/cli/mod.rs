//! The command line: commands from the table of examples, options, exit codes.
//!
//! Exit codes: 0 done · 1 network or run error · 2 usage · 3 an expectation was not met (`bench
//! --expect`) · 4 cannot run here · 128+n ended by a signal.

mod args;
mod bar;
pub mod bench;
pub mod byte_order;
pub mod draw;
pub mod doctor;
pub mod explain;
mod hint;
pub mod lab;
mod man;
pub mod models;
mod pages;
mod progress;
pub mod sockopt;
mod state;
mod why;

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use clap::error::{ContextKind, ContextValue};
use clap::{ArgMatches, Command, FromArgMatches};

use crate::child::WITH_PARENT;
use crate::client::{Interrupted, Usage};
use crate::demo::Recording;
use crate::draw::{Format, Time, Timeline, View};
use crate::escape::{escape_unsafe, file_name, hide_password};
use crate::examples::{Example, Place, Sides, TABLE, Value};
use crate::lang::Lang;
use crate::lesson::{self, Subject};
use crate::output::stdout;
use crate::server::ServerArgs;
use crate::stop::{self, Stop};
use crate::trace::story::{Clock, Story};
use crate::trace::{self, Settings, Speaker, TraceFile};
use crate::{call, demo};
use args::Global;
use draw::Picture;

/// Runs the command that the process was started with. `closed`: without a standard output, so that what is
/// written there would be lost, and nothing would say so.
#[must_use]
pub fn main(closed: bool) -> ExitCode {
    stop::outlive_file_limits();
    if std::env::var_os(WITH_PARENT).is_some() {
        // A demo's server must not outlive the demo.
        let _ = nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGTERM);
    }
    let matches = args::command().try_get_matches();
    let done = match matches {
        Err(error) if error.use_stderr() => without_secrets(with_the_nearest(error)).exit(),
        _ if closed => Err(anyhow!("standard output is closed; >/dev/null throws results away")),
        Err(help) => show_help(&help),
        Ok(matches) => run(&matches),
    };
    let missing = trace::missing();
    if let Some(missing) = &missing {
        trace::remark(format_args!("netplay: {missing}"));
    }
    match done {
        Ok(()) if missing.is_some() => ExitCode::FAILURE,
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let code = hint::exit_code(&error);
            if error.is::<Usage>() {
                // As clap has it.
                trace::remark(format_args!("error: {error:#}"));
            } else if code != 0 && !error.is::<Interrupted>() {
                trace::remark(format_args!("netplay: {error:#}"));
                if let Some(hint) = hint::hint(&error) {
                    trace::remark(format_args!("  hint: {hint}"));
                }
                why::remember(&error);
            }
            ExitCode::from(code)
        }
    }
}

/// The answer to --help and --version, which clap hands out as an error. Its own `exit` would say 0 even
/// where nothing can be written.
fn show_help(help: &clap::Error) -> Result<()> {
    let color = args::Color::Auto.use_on(io::stdout().is_terminal());
    let text = help.render();
    let text = if color { text.ansi().to_string() } else { text.to_string() };
    Ok(stdout().write_all(text.as_bytes())?)
}

/// The error of a mistyped command, with the three nearest names in it, the nearest first. clap has them in
/// the other order, and as many as share a few letters: of our many servers, a dozen.
fn with_the_nearest(mut error: clap::Error) -> clap::Error {
    let kind = ContextKind::SuggestedSubcommand;
    if let Some(ContextValue::Strings(names)) = error.get(kind) {
        let nearest = names.iter().rev().take(3).cloned().collect();
        error.insert(kind, ContextValue::Strings(nearest));
    }
    error
}

/// The error of a command line, without the password of a URL that it quotes, and with nothing that could
/// steer a terminal.
fn without_secrets(mut error: clap::Error) -> clap::Error {
    let hidden = error.context().filter_map(|(kind, value)| match value {
        ContextValue::String(text) => {
            Some((kind, ContextValue::String(escape_unsafe(&hide_password(text)))))
        }
        _ => None,
    });
    for (kind, value) in hidden.collect::<Vec<_>>() {
        error.insert(kind, value);
    }
    error
}

fn run(matches: &ArgMatches) -> Result<()> {
    let global = Global::from_arg_matches(matches).unwrap_or_else(|error| error.exit());
    call::show_secrets(global.show_secrets);
    let Some((name, matches)) = matches.subcommand() else {
        return pages::menu(&mut stdout());
    };
    match name {
        "demo" => tour(over_v6(matches), &global),
        "completions" => pages::completions(matches),
        "man" => man::run(matches),
        "byte-order" => {
            let args =
                byte_order::Args::from_arg_matches(matches).unwrap_or_else(|error| error.exit());
            byte_order::run(&args, &mut stdout())
        }
        "draw" => {
            let args = draw::Args::from_arg_matches(matches).unwrap_or_else(|error| error.exit());
            let mut out = stdout();
            let look = global.look(out.is_terminal());
            draw::run(&args, &look, &mut out)?;
            if !global.quiet && !args.is_for_a_browser() {
                trace::remark("try next: the same with -o timeline.html, a page to step through");
            }
            Ok(())
        }
        "bench" => {
            let args = bench::Args::from_arg_matches(matches).unwrap_or_else(|error| error.exit());
            bench::run(&args, global.quiet, global.plain(), &mut stdout())
        }
        "sockopt" => {
            let args =
                sockopt::Args::from_arg_matches(matches).unwrap_or_else(|error| error.exit());
            let request = args.request().unwrap_or_else(|error| error.exit());
            // Here the answers are the result, and the calls behind them only for who asks.
            let quiet = global.quiet;
            let global = Global { quiet: global.verbose == 0, ..global };
            listen_to_the_record(&global, Speaker { role: "client", example: "sockopt" })?;
            sockopt::run(&request, quiet, &mut stdout())
        }
        "explain" => {
            let args =
                explain::Args::from_arg_matches(matches).unwrap_or_else(|error| error.exit());
            let mut out = stdout();
            let terminal = out.is_terminal();
            explain::run(&args, &global, terminal, &mut out)
        }
        "why" => {
            let args = why::Args::from_arg_matches(matches).unwrap_or_else(|error| error.exit());
            let question = args.question().unwrap_or_else(|error| error.exit());
            if global.verbose > 0 || global.trace.is_some() {
                let global =
                    Global { quiet: global.verbose == 0, trace: global.trace.clone(), ..global };
                listen_to_the_record(&global, Speaker { role: "client", example: "why" })?;
            }
            why::run(&question, &global, &mut stdout())
        }
        "models" => {
            let args = models::Args::from_arg_matches(matches).unwrap_or_else(|error| error.exit());
            models::run(args, &global)
        }
        "doctor" => {
            let args = doctor::Args::from_arg_matches(matches).unwrap_or_else(|error| error.exit());
            doctor::run(&args, &global)
        }
        "lab" => {
            let args = lab::Args::from_arg_matches(matches).unwrap_or_else(|error| error.exit());
            lab::run(&args, &global)
        }
        name => {
            let (example, side) =
                args::find(name).context("every subcommand is a row of the table")?;
            let (side, matches) = match (side, matches.subcommand()) {
                (Some(side), _) => (side, matches),
                (None, Some(_)) if args::typed(example, matches) => args::either_or(example),
                (None, Some(named)) => named,
                (None, None) if args::typed(example, matches) => ("client", matches),
                (None, None) => return show(example, &Picture::default(), false, &global),
            };
            match side {
                "server" => serve(example, matches, &global),
                "client" => speak(example, matches, &global),
                "demo" => {
                    let picture = Picture::from_arg_matches(matches);
                    let picture = picture.unwrap_or_else(|error| error.exit());
                    show(example, &picture, over_v6(matches), &global)
                }
                "explain" => teach(example, matches, &global),
                tool => work(example, tool, matches, &global),
            }
        }
    }
}

/// One server, here, until the stop.
fn serve(example: &'static Example, matches: &ArgMatches, global: &Global) -> Result<()> {
    let args = args::server(example, matches, global.plain())?;
    listen_to_the_record(global, Speaker { role: "server", example: example.name })?;
    if !global.quiet {
        trace::remark(format_args!("in a second terminal: {}", its_client(example, &args)?));
        trace::remark("Ctrl-C ends this server");
    }
    let stop = Stop::new();
    stop.on_signals();
    tidy_memory();
    let cpu_before = cpu_time()?;
    let serve = example.serve.context("only an example with a server has this command")?;
    let stats = serve(&args, &stop)?;
    if !global.quiet {
        let cpu = (cpu_time()? - cpu_before) * 1e3;
        trace::remark(format_args!("{}: {stats}; {cpu:.0} ms of CPU time", example.name));
        trace::remark(format_args!("try next: {}", example.next));
    }
    Ok(())
}

/// Leaves no work behind for the children of a server that forks. What the command line was read with
/// is free by now, in many pieces; whoever next wants a larger one would join and sort them first. If
/// that is a child, it copies every page that it touches, and so does the next child.
fn tidy_memory() {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "the C library's own function")]
    // SAFETY: malloc_trim(3) touches nothing but memory that is free, under malloc's own locks.
    unsafe {
        libc::malloc_trim(0); // joins them, and gives whole pages back to the kernel
    }
    std::hint::black_box(Vec::<u8>::with_capacity(4096)); // sorts the rest
}

/// The command that talks to a server with these arguments.
fn its_client(example: &Example, args: &ServerArgs) -> Result<String> {
    let name = example.short.unwrap_or(example.name);
    let place = match example.place {
        Place::Path => why::quoted(&args.path),
        Place::Host => args.endpoint.resolve()?.ip().to_string(),
        Place::Internet | Place::Group { .. } => match args.endpoint.resolve()? {
            address if address.port() == 0 => {
                format!("{} PORT, as the ready line says", address.ip())
            }
            address => format!("{} {}", address.ip(), address.port()),
        },
    };
    let agreed = example.options.iter().filter(|flag| {
        flag.sides == Sides::Both
            && matches!(flag.value, Value::None)
            && args.options.has(flag.name)
    });
    let agreed: String = agreed.map(|flag| format!("--{} ", flag.name)).collect();
    Ok(format!("netplay {name}-client {agreed}{place}"))
}

/// Seconds of CPU time that this process has used, in the program and in the kernel for it.
fn cpu_time() -> Result<f64> {
    let used = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF)?;
    let seconds =
        |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Ok(seconds(used.user_time()) + seconds(used.system_time()))
}

/// One client, here.
fn speak(example: &'static Example, matches: &ArgMatches, global: &Global) -> Result<()> {
    let args = args::client(example, matches, global.plain())?;
    listen_to_the_record(global, Speaker { role: "client", example: example.name })?;
    show_transfers(global);
    (example.client)(&args)?;
    if !global.quiet {
        trace::remark(format_args!("try next: {}", example.next));
    }
    Ok(())
}

/// The lesson behind an example.
fn teach(example: &Example, matches: &ArgMatches, global: &Global) -> Result<()> {
    let form = explain::Form::from_arg_matches(matches).unwrap_or_else(|error| error.exit());
    let Some(Subject::Lesson(lesson)) = lesson::find(example.lesson) else {
        bail!("{} has no lesson", example.name);
    };
    let mut out = stdout();
    let terminal = out.is_terminal();
    explain::show(lesson, &form, global, terminal, &mut out)
}

/// One of the tools that only this example has.
fn work(example: &Example, name: &str, matches: &ArgMatches, global: &Global) -> Result<()> {
    let mut tools = example.tools.iter();
    let tool = tools.find(|tool| tool.name == name).context("the table has every tool")?;
    let args = args::tool(tool, matches)?;
    listen_to_the_record(global, Speaker { role: "client", example: example.name })?;
    show_transfers(global);
    (tool.run)(&args)
}

/// Both sides in this terminal, and in a picture if one is asked for.
fn show(example: &Example, picture: &Picture, v6: bool, global: &Global) -> Result<()> {
    if let Some(path) = &picture.output {
        draw::try_to_write(path)?;
    }
    let recording = demos(&[example], v6, global, picture.output.is_some())?;
    if let Some(path) = &picture.output {
        let format = Format::of(path).unwrap_or(Format::Text);
        let title = format!("netplay {} demo", example.name);
        let view = View { title, time: picture.time, ..global.look(false) };
        let timeline = Timeline::new(recording.records, &recording.names);
        draw::write(&timeline.picture(format, &view), path, &mut stdout())?;
    }
    if !global.quiet {
        writeln!(stdout(), "try next: {}", example.next)?;
    }
    whole(recording.missing)
}

/// A demo whose trace lacks records is no success.
fn whole(missing: Option<String>) -> Result<()> {
    missing.map_or(Ok(()), |missing| Err(anyhow!(missing)))
}

/// Whether a demo is to run over IPv6; one without a network has no such option.
fn over_v6(matches: &ArgMatches) -> bool {
    matches!(matches.try_get_one("v6"), Ok(Some(true)))
}

/// Three demos that show the most in the least time.
fn tour(v6: bool, global: &Global) -> Result<()> {
    let named =
        |name| TABLE.iter().find(|row| row.name == name).context("the tour's examples exist");
    let three = [named("tcp-echo")?, named("udp-echo")?, named("select")?];
    let missing = demos(&three, v6, global, false)?.missing;
    if !global.quiet {
        let mut out = stdout();
        writeln!(
            out,
            "try next, in two terminals: netplay tcp-server    and    netplay tcp-client"
        )?;
    }
    whole(missing)
}

/// One demo after the other, each with its own clock. Their records, if they are to be drawn.
fn demos(examples: &[&Example], v6: bool, global: &Global, drawn: bool) -> Result<Recording> {
    let mut out = stdout();
    let terminal = out.is_terminal();
    let trace = global.trace.as_deref().map(open_trace).transpose()?;
    let stop = Stop::new();
    stop.on_signals();
    trace::wait_for_nobody();
    let observe = drawn || global.observe || global.verbose > 1;
    let recording = drawn.then(Recording::default);
    let columns = if terminal { known_columns } else { || None };
    let mut audience = demo::Audience {
        story: None,
        out: &mut out,
        columns,
        trace,
        missing: None,
        observe,
        secrets: global.show_secrets,
        recording,
        stop,
    };
    let mut missing = None;
    for example in examples {
        audience.story = global.story(Clock::Since(call::monotonic()), terminal);
        if audience.story.is_some() {
            writeln!(audience.out, "== {}: {}", example.name, example.summary)?;
            writeln!(audience.out, "   watch: {}\n", example.watch)?;
        }
        let run = demo::run(example, v6, &mut audience);
        missing = audience.missing.take();
        if let (Err(_), Some(missing)) = (&run, &missing) {
            trace::remark(format_args!("netplay: {missing}"));
        }
        run?;
        if audience.story.is_some() {
            writeln!(audience.out)?;
        }
    }
    Ok(Recording { missing, ..audience.recording.unwrap_or_default() })
}

fn listen_to_the_record(global: &Global, speaker: Speaker) -> Result<()> {
    let story = global.story(Clock::Wall, io::stderr().is_terminal());
    call::observe(global.verbose > 1 || global.observe);
    let file = global.trace.as_deref().map(open_trace).transpose()?;
    trace::install(Settings { speaker, story, file, collection: None })
        .context("the record has a listener already")
}

/// Lets a client's transfers be seen on a bar, where one can be drawn.
fn show_transfers(global: &Global) {
    if !global.quiet && io::stderr().is_terminal() && !args::dumb_terminal() {
        bar::show(global.plain());
    }
}

fn open_trace(path: &Path) -> Result<TraceFile> {
    TraceFile::open(path).with_context(|| format!("cannot write the trace to {}", file_name(path)))
}

impl Global {
    fn story(&self, clock: Clock, terminal: bool) -> Option<Story> {
        (!self.quiet).then(|| Story {
            detail: self.verbose,
            color: self.color.use_on(terminal),
            ascii: self.plain(),
            clock,
        })
    }

    /// How pictures look that are made of text.
    fn look(&self, terminal: bool) -> View {
        View {
            title: String::new(),
            time: Time::Even,
            columns: if terminal { terminal_columns() } else { 80 },
            ascii: self.plain(),
            color: self.color.use_on(terminal),
        }
    }

    /// What lessons and labs are read in.
    fn language(&self) -> Lang {
        self.lang.unwrap_or_else(Lang::of_environment)
    }

    /// Whether only ASCII can be shown.
    fn plain(&self) -> bool {
        self.ascii || !args::utf8_locale()
    }
}

/// The columns of the terminal; 80 where nobody knows.
fn terminal_columns() -> usize {
    known_columns().unwrap_or(80)
}

/// The columns of the terminal, if they can be known.
fn known_columns() -> Option<usize> {
    terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))
}

/// The whole command, for completions and manual pages.
#[must_use]
pub fn command() -> Command {
    args::command()
}
