//! One side of an example, here: a server, a client, or a tool.

use std::io::{self, IsTerminal};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context, Result};
use clap::ArgMatches;
use clap::parser::ValueSource;

use super::args::{self, Global};
use super::listen_to_the_record;
use crate::examples::{Example, Place, next};
use crate::inspect;
use crate::server::ServerArgs;
use crate::stop::Stop;
use crate::terminal;
use crate::trace::{self, Speaker};
use crate::why::quoted;

/// One server, here, until the stop.
pub(super) fn serve(
    example: &'static Example,
    matches: &ArgMatches,
    global: &Global,
) -> Result<()> {
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
pub(super) fn speak(
    example: &'static Example,
    matches: &ArgMatches,
    global: &Global,
) -> Result<()> {
    let args = args::client(example, matches, global.plain())?;
    listen_to_the_record(global, Speaker { role: "client", example: example.name })?;
    show_transfers(global);
    example.client.speak(&args, matches)?;
    if !global.quiet {
        trace::remark(format_args!("try next: {}", next(example.name)));
    }
    Ok(())
}

/// One of the tools that only this example has.
pub(super) fn work(
    example: &Example,
    name: &str,
    matches: &ArgMatches,
    global: &Global,
) -> Result<()> {
    let mut tools = example.tools.iter();
    let tool = tools.find(|tool| tool.name == name).context("the table has every tool")?;
    let timeout = args::timeout(matches)?;
    listen_to_the_record(global, Speaker { role: "client", example: example.name })?;
    show_transfers(global);
    tool.run.work(timeout, matches)
}

/// Lets a client's transfers be seen on a bar, where one can be drawn.
fn show_transfers(global: &Global) {
    if !global.quiet && io::stderr().is_terminal() && !terminal::is_dumb() {
        terminal::show_transfers(global.plain());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Endpoint;
    use crate::examples::examples;

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
