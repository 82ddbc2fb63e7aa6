//! `/proc/net/tcp` and its siblings (proc_pid_net(5)): the tables of sockets as text.
//!
//! They exist where sock_diag does not. They lack sockets that are only bound, the
//! backlog of a listener, `IPV6_V6ONLY`, memory and measurements. And they are not consistent: the kernel
//! hands out the text in pieces, and rows come and go between them.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use super::{Ask, Inet, Protocol, State, Timer, TimerKind, Unix, UnixKind, UnixName};

/// The ticks per second in the times of `/proc`: `USER_HZ`, 100 on every machine today.
pub const TICKS: u64 = 100;

/// The TCP or UDP sockets, of both families; a host without IPv6 has no IPv6 table.
///
/// # Errors
/// The table of IPv4 cannot be read.
pub fn inet(protocol: Protocol, ask: Ask) -> io::Result<Vec<Inet>> {
    let v4 = fs::read_to_string(format!("/proc/net/{}", protocol.name()))?;
    let v6 = fs::read_to_string(format!("/proc/net/{}6", protocol.name())).unwrap_or_default();
    let rows = v4.lines().chain(v6.lines()).filter_map(|line| row(protocol, line));
    Ok(rows.filter(|socket| ask.wants(socket)).collect())
}

/// `sl local rem st tx:rx tr:when retrnsmt uid timeout inode …`, in hexadecimal except for the last three.
fn row(protocol: Protocol, line: &str) -> Option<Inet> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let &[_, local, peer, state, queues, timer, rung, uid, _, inode, ..] = &fields[..] else {
        return None;
    };
    let hex = |text| u32::from_str_radix(text, 16).ok();
    let (send_queue, receive_queue) = queues.split_once(':')?;
    let (kind, ticks) = timer.split_once(':')?;
    let left = Duration::from_millis(u64::from(hex(ticks)?) * 1000 / TICKS);
    let timer = TimerKind::from_number(hex(kind)? as u8);
    Some(Inet {
        protocol,
        local: address(local)?,
        peer: address(peer).filter(|peer| peer.port() != 0),
        state: State(hex(state)? as u8),
        receive_queue: hex(receive_queue)?,
        send_queue: hex(send_queue)?,
        inode: inode.parse().ok()?,
        uid: uid.parse().ok()?,
        interface: 0,
        timer: timer.map(|kind| Timer { kind, left, rung: hex(rung).unwrap_or_default() as u8 }),
        v6only: None,
        memory: None,
        tcp_info: None,
    })
}

/// `0100007F:16E2` is 127.0.0.1:5858: the address as 32-bit numbers in host order,
/// the port as a number.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let mut octets = Vec::new();
    for at in (0..ip.len()).step_by(8) {
        octets.extend(u32::from_str_radix(ip.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    }
    let ip = match <[u8; 4]>::try_from(&octets[..]) {
        Ok(v4) => IpAddr::from(v4),
        Err(_) => IpAddr::from(<[u8; 16]>::try_from(&octets[..]).ok()?),
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

/// The UNIX domain sockets.
///
/// # Errors
/// The table cannot be read.
pub fn unix() -> io::Result<Vec<Unix>> {
    let table = fs::read("/proc/net/unix")?;
    Ok(table.split(|&byte| byte == b'\n').filter_map(unix_row).collect())
}

/// `Num RefCount Protocol Flags Type St Inode Path`; the path may hold any byte, even a line end.
fn unix_row(line: &[u8]) -> Option<Unix> {
    /// `__SO_ACCEPTCON` of the kernel: it listens.
    const LISTENS: u32 = 1 << 16;
    const CONNECTED: u32 = 3; // SS_CONNECTED of linux/net.h
    let mut fields = line.split(|&byte| byte == b' ').filter(|field| !field.is_empty()).skip(3);
    let mut hex = || {
        let field = std::str::from_utf8(fields.next()?).ok()?;
        u32::from_str_radix(field, 16).ok()
    };
    let (flags, kind, state) = (hex()?, hex()?, hex()?);
    let inode = std::str::from_utf8(fields.next()?).ok()?;
    let name = fields.next().map(|first| {
        let at = first.as_ptr().addr() - line.as_ptr().addr();
        match &line[at..] {
            [b'@', name @ ..] => UnixName::Abstract(name.to_vec()),
            path => UnixName::Path(PathBuf::from(std::ffi::OsStr::from_bytes(path))),
        }
    });
    Some(Unix {
        name,
        kind: UnixKind::from_number(kind as u8)?,
        listening: flags & LISTENS != 0,
        connected: state == CONNECTED,
        receive_queue: None,
        send_queue: None,
        inode: inode.parse().ok()?,
        peer: None,
        uid: None,
        file: None,
    })
}
