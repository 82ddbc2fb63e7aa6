//! An error: what on this machine bears on it.

use std::fmt::Write as _;

use nix::errno::Errno;
use serde_json::json;

use super::answer::Answer;
use super::words::name;
use super::{machine, port};
use crate::call::strerror;

/// `netplay why ERRNO`.
pub(super) fn answer(errno: Errno) -> Answer {
    let (name, number, words) = (name(errno), errno as i32, strerror(errno));
    let here = here(errno);
    let mut text = format!("{name} ({number}): {words}\n");
    if here.is_empty() {
        text += "  nothing that could be looked up on this machine decides on it\n";
    }
    here.iter().for_each(|fact| _ = writeln!(text, "  {fact}"));
    let next = format!("netplay explain {name}");
    text += &format!("next: {next}\n");
    let facts = json!({
        "name": name, "number": number, "text": words, "here": here, "next": [next],
    });
    Answer { key: "errno", text, facts }
}

/// What was found; what cannot be read is left out.
fn here(errno: Errno) -> Vec<String> {
    let found: Vec<Option<String>> = match errno {
        Errno::EADDRINUSE => vec![default_port(), Some("any other port: netplay why PORT".into())],
        Errno::EADDRNOTAVAIL => vec![
            Some("a bind: is the address one of this machine? ip address shows them".into()),
            machine::local_ports(),
        ],
        Errno::EMFILE => vec![machine::descriptors_of_a_process(), machine::largest_users()],
        Errno::ENFILE => vec![machine::open_files()],
        Errno::EACCES => vec![
            Some(format!("a bind: {}", machine::privileged_ports())),
            Some(format!("a socket for ICMP: {}", machine::ping_group())),
            Some("a path: you may not write there, or not enter a folder on the way".into()),
            Some("a sendto: a broadcast address needs SO_BROADCAST".into()),
        ],
        Errno::EPERM => vec![
            Some(format!("a raw socket needs CAP_NET_RAW; one for ICMP alone: {}", machine::ping_group())),
            Some("a sendto: a firewall of this machine forbids it".into()),
            machine::io_uring(),
        ],
        Errno::ENOSYS => vec![machine::io_uring()],
        Errno::ECONNREFUSED => vec![port::who_listens().ok()],
        Errno::ENOBUFS | Errno::ENOMEM => vec![machine::memory("TCP", "tcp_mem"), machine::memory("UDP", "udp_mem")],
        Errno::EMSGSIZE => vec![
            Some(
                "a datagram of UDP holds at most 65,507 bytes over IPv4 and 65,527 over IPv6, whatever the machine"
                    .into(),
            ),
            machine::interfaces(),
        ],
        Errno::ETIMEDOUT => vec![machine::syn_retries(), machine::keepalive()],
        Errno::EAGAIN | Errno::EINPROGRESS => vec![Some(
            "no failure: the call would have to wait, and was told not to (O_NONBLOCK, a timeout)"
                .into(),
        )],
        Errno::ENETUNREACH | Errno::EHOSTUNREACH => vec![machine::routes(), machine::interfaces()],
        Errno::EAFNOSUPPORT => vec![machine::ipv6()],
        Errno::ECONNRESET | Errno::EPIPE => vec![Some(
            "the other end decided: it closed with data unread, ended by force, or is gone".into(),
        )],
        _ => Vec::new(),
    };
    found.into_iter().flatten().collect()
}

/// What there is at the port that netplay itself takes.
fn default_port() -> Option<String> {
    let answer = port::answer(5858).ok()?;
    let lines = answer.text.lines().skip(1).take_while(|line| line.starts_with("  "));
    let lines: Vec<&str> = lines.map(str::trim).collect();
    Some(format!("netplay's own port, 5858: {}", lines.join("; ")))
}
