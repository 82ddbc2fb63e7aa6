//! The command line: commands from the table of examples, options, exit codes.
//!
//! What a command is about lives elsewhere: here is what can be typed, what is called for it, and what becomes of
//! an error: a line, a hint ([`crate::why`]), an exit code.

mod args;
mod bar;
pub mod bench;
pub mod byte_order;
pub mod draw;
pub mod doctor;
mod exit;
pub mod explain;
pub mod lab;
mod man;
pub mod models;
mod pages;
mod progress;
pub mod sockopt;
mod why;

use std::io::{self, IsTerminal, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, FromArgMatches};

use crate::child;
use crate::client::{Interrupted, Usage};
use crate::demo::Recording;
use crate::draw::{Format, Time, Timeline, View};
use crate::escape::{escape_lines, escape_unsafe, file_name, hide_password};
use crate::examples::{Example, Place, examples, next};
use crate::files;
use crate::inspect;
use crate::lang::Lang;
use crate::lesson::{self, Subject};
use crate::output::stdout;
use crate::server::ServerArgs;
use crate::stop::{self, Stop};
use crate::trace::story::{Clock, Story};
use crate::trace::{self, Settings, Speaker, TraceFile};
use crate::why::{hint, quoted, remember};
use crate::{call, demo};
use args::Global;
use draw::Picture;

/// Runs the command that the process was started with. `closed`: without a standard output, so that what is
/// written there would be lost, and nothing would say so.
#[must_use]
pub fn main(closed: bool) -> ExitCode {
    stop::outlive_file_limits();
    stop::hear_signals();
    // A demo's server must not outlive the demo, nor a receiver its measurement.
    if !child::end_with_parent() {
        return ExitCode::from(128 + libc::SIGTERM as u8);
    }
    let matches = args::command().try_get_matches();
    let done = match matches {
        Err(error) if error.use_stderr() => refuse(&without_secrets(with_the_nearest(error))),
        _ if closed => Err(anyhow!("standard output is closed; >/dev/null throws results away")),
        Err(help) => show_help(&help),
        Ok(matches) => run(&matches),
    };
    stop::unless_it_ends();
    child::end_all();
    let missing = trace::missing();
    if let Some(missing) = &missing {
        trace::remark(format_args!("netplay: {missing}"));
    }
    match done {
        Ok(()) if missing.is_some() => ExitCode::FAILURE,
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let code = exit::code(&error);
            // What an error quotes may be anybody's.
            let said = escape_lines(&format!("{error:#}"));
            if error.is::<Usage>() {
                // As clap has it.
                trace::remark(format_args!("error: {said}"));
            } else if code != 0 && !error.is::<Interrupted>() {
                trace::remark(format_args!("netplay: {said}"));
                if let Some(hint) = hint(&error) {
                    trace::remark(format_args!("  hint: {hint}"));
                }
                remember(&error);
            }
            ExitCode::from(code)
        }
    }
}

/// Says what is wrong with a command line, and ends. The reason why a value will not do is a text of our
/// own that may quote the value; clap has no way to change it, so then the whole is written without colours.
fn refuse(error: &clap::Error) -> ! {
    let reason = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    if reason == escape_unsafe(&reason) {
        error.exit();
    }
    let said = error.to_string().replace(&reason, &escape_unsafe(&reason));
    trace::remark(escape_lines(said.trim_end()));
    std::process::exit(error.exit_code());
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
            byte_order::run(&args)
        }
        "draw" => {
            let args = draw::Args::from_arg_matches(matches).unwrap_or_else(|error| error.exit());
            draw::run(&args, &global.look(stdout().is_terminal()))?;
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
            why::run(&args, &global)
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
        if let Some(client) = its_client(example, &args, matches)? {
            trace::remark(format_args!("in a second terminal: {client}"));
        }
        trace::remark("Ctrl-C ends this server");
    }
    let stop = Stop::new();
    stop.on_signals();
    tidy_memory();
    let cpu_before = cpu_time()?;
    let server = example.server.context("only an example with a server has this command")?;
    let stats = server.serve(&args, matches, &stop)?;
    if !global.quiet {
        let cpu = (cpu_time()? - cpu_before) * 1e3;
        trace::remark(format_args!("{}: {stats}; {cpu:.0} ms of CPU time", example.name));
        trace::remark(format_args!("try next: {}", next(example.name)));
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

/// The command that talks to a server with these arguments; none, where no client can reach it.
fn its_client(
    example: &Example,
    args: &ServerArgs,
    matches: &ArgMatches,
) -> Result<Option<String>> {
    let name = example.short.unwrap_or(example.name);
    let place = match example.place {
        Place::Path => quoted(&args.path),
        Place::Host => host(args.endpoint.resolve()?),
        Place::Internet | Place::Group { .. } => {
            let address = args.endpoint.resolve()?;
            let group = matches!(example.place, Place::Group { .. });
            // Linux lets a server listen there, but a connection has one host at each end.
            if !group && (address.ip().is_multicast() || inspect::is_broadcast(address.ip())) {
                return Ok(None);
            }
            let right = if group && !address.ip().is_multicast() { "--broadcast " } else { "" };
            match address.port() {
                0 => format!("{right}{} PORT, as the ready line says", host(address)),
                port => format!("{right}{} {port}", host(address)),
            }
        }
    };
    // What both sides must agree on. A password is in no command line that we propose.
    let of_the_client = example.client_options();
    let mut agreed = String::new();
    for option in example.server_options() {
        let id = option.get_id().as_str();
        let given = matches.value_source(id) == Some(ValueSource::CommandLine);
        if id == "password" || !given || !of_the_client.iter().any(|other| other.get_id() == id) {
            continue;
        }
        agreed += &format!("--{} ", option.get_long().unwrap_or(id));
        if option.get_action().takes_values() {
            let values = matches.get_raw(id).into_iter().flatten();
            agreed.extend(values.map(|value| quoted(Path::new(value)) + " "));
        }
    }
    Ok(Some(format!("netplay {name}-client {agreed}{place}")))
}

/// How a client on this machine names the address of a server: loopback, if it is every address; and a link-local
/// address with its interface, without which it means nothing.
fn host(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => Ipv4Addr::LOCALHOST.to_string(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => Ipv6Addr::LOCALHOST.to_string(),
        SocketAddr::V6(v6) if v6.scope_id() != 0 => {
            let name = nix::net::if_::if_indextoname(v6.scope_id()).ok();
            let name = name.and_then(|name| name.into_string().ok());
            format!("{}%{}", v6.ip(), name.unwrap_or_else(|| v6.scope_id().to_string()))
        }
        address => address.ip().to_string(),
    }
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
    example.client.speak(&args, matches)?;
    if !global.quiet {
        trace::remark(format_args!("try next: {}", next(example.name)));
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
    let timeout = args::timeout(matches)?;
    listen_to_the_record(global, Speaker { role: "client", example: example.name })?;
    show_transfers(global);
    tool.run.work(timeout, matches)
}

/// Both sides in this terminal, and in a picture if one is asked for.
fn show(example: &Example, picture: &Picture, v6: bool, global: &Global) -> Result<()> {
    if let Some(path) = &picture.output {
        files::try_to_write(path)?;
    }
    let recording = demos(&[example], v6, global, picture.output.is_some())?;
    if let Some(path) = &picture.output {
        let format = Format::of(path).unwrap_or(Format::Text);
        let title = format!("netplay {} demo", example.name);
        let view = View { title, time: picture.time, ..global.look(false) };
        let timeline = Timeline::new(recording.records, &recording.names);
        files::write(&timeline.picture(format, &view), path)?;
    }
    if !global.quiet {
        writeln!(stdout(), "try next: {}", next(example.name))?;
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
    let named = |name| examples().find(|row| row.name == name).context("the tour's examples exist");
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
            lang: self.language(),
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
            lang: self.language(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Endpoint;

    /// The client that is proposed beside a server whose command line our own reads.
    fn client_of(example: &Example, words: &[&str]) -> Option<String> {
        let typed = [&["netplay", example.name, "server"], words].concat();
        let matches = args::command().try_get_matches_from(typed).unwrap();
        let (_, matches) = matches.subcommand().unwrap();
        let (_, matches) = matches.subcommand().unwrap();
        let args = args::server(example, matches, false).unwrap();
        its_client(example, &args, matches).unwrap()
    }

    /// Where the client goes whose command line was proposed, as our own command line reads that, and whether
    /// it may send to a broadcast address.
    fn goes(example: &Example, line: &str) -> (Endpoint, bool) {
        let matches = args::command().try_get_matches_from(line.split(' ')).unwrap();
        let (name, matches) = matches.subcommand().unwrap();
        assert_eq!(name, format!("{}-client", example.name), "{line}");
        let may = matches!(matches.try_get_one("broadcast"), Ok(Some(true)));
        (args::client(example, matches, false).unwrap().endpoint, may)
    }

    #[test]
    fn the_client_that_a_server_names_can_be_typed_and_goes_to_it() {
        let lo = format!("fe80::7%{}", nix::net::if_::if_nametoindex("lo").unwrap());
        for example in examples().filter(|example| {
            example.server.is_some()
                && matches!(example.place, Place::Internet | Place::Group { .. })
        }) {
            let group = matches!(example.place, Place::Group { .. });
            for (bound, meant) in [
                ("127.0.0.1", Some("127.0.0.1:7777")),
                ("127.0.0.3", Some("127.0.0.3:7777")),
                ("192.0.2.1", Some("192.0.2.1:7777")),
                ("0.0.0.0", Some("127.0.0.1:7777")),
                ("::1", Some("[::1]:7777")),
                ("[::1]", Some("[::1]:7777")),
                ("::", Some("[::1]:7777")),
                ("2001:db8::1", Some("[2001:db8::1]:7777")),
                (&lo, Some("[fe80::7%1]:7777")),
                ("224.0.0.7", group.then_some("224.0.0.7:7777")),
                ("127.255.255.255", group.then_some("127.255.255.255:7777")),
                ("255.255.255.255", group.then_some("255.255.255.255:7777")),
                ("ff01::7", group.then_some("[ff01::7]:7777")),
            ] {
                let what = format!("{} on {bound}", example.name);
                let line = client_of(example, &[bound, "7777"]);
                let goes = line.as_ref().map(|line| goes(example, line));
                let to = goes.as_ref().map(|(place, _)| place.resolve().unwrap().to_string());
                assert_eq!(to.as_deref(), meant, "{what}: {line:?}");
                let may = goes.is_some_and(|(_, may)| may);
                let broadcast = group && bound.ends_with(".255");
                assert!(may || !broadcast, "{what}: {line:?}");
                let any = client_of(example, &[bound, "0"]);
                assert_eq!(any.is_some(), meant.is_some(), "{what}");
                assert!(any.is_none_or(|any| any.contains(" PORT, as the ready line")), "{what}");
            }
        }
    }

    #[test]
    fn the_client_that_a_server_names_has_what_both_must_agree_on_and_no_password() {
        let named = |name: &str| examples().find(|row| row.name == name).unwrap();
        for (name, words, said) in [
            ("iterative", &["--tcp"][..], "netplay iterative-client --tcp 127.0.0.1 5858"),
            (
                "ftp",
                &["--user", "bob", "--password", "Zq9"],
                "netplay ftp-client --user bob 127.0.0.1 5858",
            ),
            (
                "multicast",
                &["--interface", "127.0.0.3"],
                "netplay multicast-client --interface 127.0.0.3 ",
            ),
        ] {
            let line = client_of(named(name), words).unwrap();
            assert!(line.starts_with(said), "{line}");
            goes(named(name), &line);
        }
    }
}
