//! The options, and how they become the arguments of a server or client.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::builder::{PathBufValueParser, StringValueParser, TypedValueParser};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, value_parser};
use netplay_text::say;

use super::global::Global;
use crate::address::{Endpoint, Family, host, socket_path, usual_path};
use crate::client::{ClientArgs, Usage};
use crate::examples::row::{Serve, Tool};
use crate::examples::value::{Offer, within};
use crate::examples::{Example, Place, examples};
use crate::lang::Lang;
use crate::server::{Reply, ServerArgs};

/// Where: HOST and PORT.
#[derive(Debug, Args)]
struct HostPort {
    /// A name or address; a lone number is taken for the port [default: 127.0.0.1]
    #[arg(value_name = "HOST", index = 1, value_parser = host)]
    host: Option<String>,
    /// A port; for a server, 0 means any free one [default: 5858]
    #[arg(value_name = "PORT", index = 2)]
    port: Option<u16>,
    #[command(flatten)]
    wanted: Wanted,
}

// Which version of IP one side is to use.
#[derive(Debug, Args)]
struct Wanted {
    /// Use IPv4
    #[arg(short = '4', conflicts_with = "v6")]
    v4: bool,
    /// Use IPv6; without HOST, ::1
    #[arg(short = '6')]
    v6: bool,
}

impl HostPort {
    fn endpoint(self) -> Result<Endpoint> {
        let family = self.wanted.family(self.host.as_deref())?;
        let (host, port) = match (self.host, self.port) {
            // The resolver takes any number as an address: 99999 as 0.1.134.159.
            (Some(host), None) if host.bytes().all(|byte| byte.is_ascii_digit()) => {
                (None, Some(lone_port(&host)?))
            }
            both => both,
        };
        Ok(Endpoint { host, port: port.unwrap_or(5858), family })
    }
}

/// Where: HOST alone.
#[derive(Debug, Args)]
struct HostOnly {
    /// A name or address [default: 127.0.0.1]
    #[arg(value_name = "HOST", value_parser = host)]
    host: Option<String>,
    #[command(flatten)]
    wanted: Wanted,
}

impl HostOnly {
    fn endpoint(self) -> Result<Endpoint> {
        let family = self.wanted.family(self.host.as_deref())?;
        Ok(Endpoint { host: self.host, port: 0, family })
    }
}

impl Wanted {
    /// The version that is asked for. An address must have it; what a name has, only the resolver knows.
    fn family(&self, host: Option<&str>) -> Result<Option<Family>> {
        let host = host.unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let version = match host.parse::<IpAddr>() {
            Ok(IpAddr::V4(_)) if self.v6 => "IPv6",
            Ok(IpAddr::V6(_)) if self.v4 => "IPv4",
            _ if self.v6 => return Ok(Some(Family::V6)),
            _ => return Ok(self.v4.then_some(Family::V4)),
        };
        bail!(Usage(say!(
            Lang::current(),
            "{host} is not an {version} address",
            "{host} 不是 {version} 地址",
        )))
    }
}

fn lone_port(number: &str) -> Result<u16> {
    let why = || {
        Usage(say!(
            Lang::current(),
            "a lone number is a port, and {number} is too large: ports end at 65535",
            "单独一个数是端口，而 {number} 太大：端口最大是 65535",
        ))
    };
    number.parse().ok().with_context(why)
}

/// Where: a path.
#[derive(Debug, Args)]
struct PathOnly {
    /// The path of the socket [default: netplay.sock in $XDG_RUNTIME_DIR, or one of your own in /tmp]
    #[arg(value_name = "PATH", value_parser = PathBufValueParser::new().try_map(socket_path))]
    path: Option<PathBuf>,
}

/// The options of every server.
#[derive(Debug, Args)]
struct ServerFlags {
    /// How many connected clients may wait for accept (Linux lets one more wait)
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = value_parser!(i32).range(0..))]
    backlog: i32,
    /// The size of the receive buffer, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 1024, value_parser = within(1..=LARGEST_BUFFER, "a buffer has 1 to 67108864 bytes"))]
    bufsize: usize,
    // Its help names the answer that the example gives by default.
    #[arg(long, value_name = "echo|stamp|TEXT", hide_possible_values = true)]
    #[arg(value_parser = Offer::new(StringValueParser::new().try_map(answer), || vec!["echo", "stamp"]))]
    reply: Option<String>,
    /// How many clients to serve at once; the others wait in the listener's queue
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = at_least_one)]
    max_clients: usize,
    /// Close the connection of a client that was silent for this long [default: never]
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    idle_timeout: Option<Duration>,
    /// Pretend that each answer takes this long to compute (at most 1000)
    #[arg(long, value_name = "MS", default_value_t = 0, value_parser = value_parser!(u64).range(..=1000))]
    work: u64,
    /// End after the first client (over UDP: the first datagram)
    #[arg(long)]
    once: bool,
}

/// The options of every client.
#[derive(Debug, Args)]
struct ClientFlags {
    /// Send this, and read nothing from the terminal; may be repeated
    #[arg(short, long, value_name = "TEXT")]
    message: Vec<String>,
    #[command(flatten)]
    wait: Timeout,
    /// The size of the receive buffer, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 1024, value_parser = within(1..=LARGEST_BUFFER, "a buffer has 1 to 67108864 bytes"))]
    bufsize: usize,
}

/// The option of every client and tool.
#[derive(Debug, Args)]
struct Timeout {
    /// Wait at most this long for a connection, a reply, or the next bytes of a file or a listing [default: no limit]
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    timeout: Option<Duration>,
}

/// The largest buffer that is of use: a datagram has at most 65,507 bytes, bulk wants 64 KiB.
const LARGEST_BUFFER: usize = 64 * 1024 * 1024;

fn answer(text: String) -> Result<String> {
    let why = "the answer cannot be empty: use --reply echo, --reply stamp or a text";
    Some(text).filter(|text| !text.is_empty()).context(why)
}

fn at_least_one(text: &str) -> Result<usize> {
    match text.parse()? {
        0 => bail!("it must be at least 1"),
        n => Ok(n),
    }
}

pub(super) fn seconds(text: &str) -> Result<Duration> {
    // The kernel takes microseconds, and 0 of them would mean that there is no limit.
    match text.parse() {
        Ok(seconds @ 1e-6..=1e9) => Ok(Duration::from_secs_f64(seconds)),
        _ => bail!("it must be a number of seconds above 0, such as 2 or 0.5"),
    }
}

pub(super) fn server_side(example: &Example, server: &dyn Serve) -> Command {
    let command = ServerFlags::augment_args(place(Command::new("server"), example));
    let usual = match &example.reply {
        None => "no answer",
        Some(Reply::Echo) => "echo",
        Some(Reply::Stamp(_)) => "stamp",
        Some(Reply::Text(text)) => str::from_utf8(text).unwrap_or("a text"),
    };
    let command = command.mut_arg("reply", |arg| {
        arg.help(format!(
            "What to answer: echo (the same bytes), stamp (with the time), or any text [default: {usual}]"
        ))
    });
    server.augment(command).about(format!("Run the server of {}, until Ctrl-C", example.name))
}

/// The server of an example, as a command of its own; `None`: it has none.
pub(super) fn server_alone(example: &Example) -> Option<Command> {
    Some(Global::augment_args(server_side(example, example.server?)))
}

pub(super) fn client_side(example: &Example) -> Command {
    let about = match example.server {
        Some(_) => "The client: sends what is typed, prints the replies",
        None => "The client; there is no server, because the kernel of the host answers",
    };
    client_args(Command::new("client"), example).about(about)
}

/// What a client takes. One that only its options tell what to send has no messages.
pub(super) fn client_args(command: Command, example: &Example) -> Command {
    let command = place(command, example);
    let command = match example.server {
        Some(_) => ClientFlags::augment_args(command),
        None => Timeout::augment_args(command),
    };
    example.client.augment(command)
}

pub(super) fn tool_side(tool: &Tool) -> Command {
    tool.run.augment(Timeout::augment_args(Command::new(tool.name))).about(tool.about)
}

fn place(command: Command, example: &Example) -> Command {
    match example.place {
        Place::Internet => HostPort::augment_args(command),
        Place::Group { v4, v6 } => HostPort::augment_args(command)
            .mut_arg("host", |arg| {
                arg.help(format!("A group; a lone number is taken for the port [default: {v4}]"))
            })
            .mut_arg("v6", |arg| arg.help(format!("Use IPv6; without HOST, {v6}"))),
        Place::Host => HostOnly::augment_args(command),
        Place::Path => PathOnly::augment_args(command),
    }
}

/// The example that a subcommand means, and the side, if its name says that too.
pub fn find(subcommand: &str) -> Option<(&'static Example, Option<&'static str>)> {
    let named = |name: &str| examples().find(|example| example.name == name);
    if let Some(example) = named(subcommand) {
        return Some((example, None));
    }
    ["server", "client"].into_iter().find_map(|side| {
        let name = subcommand.strip_suffix(side)?.strip_suffix('-')?;
        Some((named(name)?, Some(side)))
    })
}

/// Whether what a client takes stands right behind the name of its example: `ping HOST`.
pub fn typed(example: &Example, matches: &ArgMatches) -> bool {
    let typed =
        |arg: &Arg| matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
    example.server.is_none() && client_side(example).get_arguments().any(typed)
}

/// The arguments of a server, on a screen that may show ASCII only.
///
/// # Errors
/// These are the arguments of another command.
pub fn server(example: &Example, matches: &ArgMatches, ascii: bool) -> Result<ServerArgs> {
    let flags = ServerFlags::from_arg_matches(matches)?;
    let (endpoint, path) = place_of(example, matches)?;
    let usual = || example.reply.clone();
    let reply = flags.reply.map(|text| Reply::asked(text, usual().as_ref())).or_else(usual);
    Ok(ServerArgs {
        endpoint,
        path,
        backlog: flags.backlog,
        bufsize: flags.bufsize,
        reply,
        max_clients: flags.max_clients,
        idle_timeout: flags.idle_timeout,
        work: Duration::from_millis(flags.work),
        once: flags.once,
        ascii,
    })
}

/// The arguments of a client, on a screen that may show ASCII only.
///
/// # Errors
/// These are the arguments of another command.
pub fn client(example: &Example, matches: &ArgMatches, ascii: bool) -> Result<ClientArgs> {
    let ClientFlags { message, wait, bufsize } = match example.server {
        Some(_) => ClientFlags::from_arg_matches(matches)?,
        None => {
            let wait = Timeout::from_arg_matches(matches)?;
            ClientFlags { message: vec![], wait, bufsize: 1024 }
        }
    };
    let (endpoint, path) = place_of(example, matches)?;
    Ok(ClientArgs { endpoint, path, messages: message, timeout: wait.timeout, bufsize, ascii })
}

/// How long a tool waits for anything.
pub fn timeout(matches: &ArgMatches) -> Result<Option<Duration>> {
    Ok(Timeout::from_arg_matches(matches)?.timeout)
}

fn place_of(example: &Example, matches: &ArgMatches) -> Result<(Endpoint, PathBuf)> {
    Ok(match example.place {
        Place::Internet => (HostPort::from_arg_matches(matches)?.endpoint()?, PathBuf::new()),
        Place::Group { v4, v6 } => {
            let mut endpoint = HostPort::from_arg_matches(matches)?.endpoint()?;
            let usual = if endpoint.family == Some(Family::V6) { v6 } else { v4 };
            endpoint.host.get_or_insert(usual.to_owned());
            (endpoint, PathBuf::new())
        }
        Place::Host => (HostOnly::from_arg_matches(matches)?.endpoint()?, PathBuf::new()),
        Place::Path => (
            Endpoint::default(),
            PathOnly::from_arg_matches(matches)?.path.unwrap_or_else(usual_path),
        ),
    })
}
