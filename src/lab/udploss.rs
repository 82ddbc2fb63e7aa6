//! UDP promises nothing, even on one machine: a datagram that finds no room is dropped, and neither side is told.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::errno::Errno;

use super::{CannotRun, Stage, Value, or_one_of, unrecorded, word};
use crate::call::{self, Domain, MSG_DONTWAIT, MSG_TRUNC, SO_RCVBUF, Type, UdpSocket, pollfd};
use crate::inspect::{self, Ask};
use crate::lang::Lang;

pub(super) const PLAYS: super::Plays = &[];

/// How many datagrams are sent, and how large they are.
const SENT: u32 = 2_000;
const SIZE: usize = 1_000;

/// What the receiver asks for as its buffer: far less than all of them.
const SMALL: i32 = 64 << 10;

/// What it asks for next; net.core.rmem_max may cap it.
const LARGE: i32 = 8 << 20;

/// How many datagrams may be under way unacknowledged.
const WINDOW: u32 = 32;

/// How long an acknowledgement is waited for before all is sent again.
const AGAIN: Duration = Duration::from_millis(100);

/// What the kernel does at once it is given this long to do on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A flood to a receiver that sleeps; then five surprises.
pub(super) fn run(stage: &mut Stage) -> Result<()> {
    let flood = flood(stage, SMALL)?;
    flood.show(stage);
    stage.answer(match (flood.accepted, flood.arrived) {
        (_, SENT) => Some(1),
        (..SENT, _) => Some(2),
        (_, ..SENT) => Some(3),
        _ => None,
    });
    stage.claim("silent", flood.accepted == SENT && flood.arrived < SENT);
    stage.claim("counted", flood.arrived + flood.dropped == SENT);
    surprises(stage)
}

/// A larger buffer, which only moves the border; and the same messages, numbered and acknowledged.
pub(super) fn fix(stage: &mut Stage) -> Result<()> {
    let few = transfer(stage, 3, 1)?;
    stage.claim("repeated", few.again > 0 && few.twice == few.again);
    let (larger, all) = unrecorded(
        ["a larger buffer, and all messages acknowledged", "更大的缓冲区，每条消息都有确认"],
        || anyhow::Ok((flood(stage, LARGE)?, transfer(stage, SENT, WINDOW)?)),
    )?;
    let plain = |way, flood: &Flood| row(way, SENT, flood.arrived, None);
    let sure = |way, transfer: &Transfer| {
        row(way, transfer.messages, transfer.arrived, Some((transfer.again, transfer.twice)))
    };
    let rows = vec![plain("larger", &larger), sure("few", &few), sure("all", &all)];
    stage.table("ways", &["way", "messages", "there", "again", "twice"], rows);
    stage.figure("buffer", Value::Bytes(larger.buffer));
    stage.figure("arrived", u64::from(larger.arrived));
    stage.claim("whole", few.arrived == few.messages && all.arrived == SENT);
    Ok(())
}

fn row(way: &'static str, messages: u32, arrived: u32, sure: Option<(u32, u32)>) -> Vec<Value> {
    let count = |n: u32| Value::Count(n.into());
    let (again, twice) =
        sure.map_or(("-".to_owned().into(), "-".to_owned().into()), |(a, t)| (count(a), count(t)));
    vec![Value::Word(way), count(messages), count(arrived), again, twice]
}

/// A socket of this machine's, and its address.
fn datagram_socket() -> Result<(UdpSocket, SocketAddr)> {
    let socket = call::socket(Domain::IPV4, Type::DGRAM, 0)?;
    call::bind(&socket, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let socket = UdpSocket::from(socket);
    let address = call::getsockname(&socket)?;
    Ok((socket, address))
}

/// What sendto says if the sender's kernel has no room for a datagram.
const NO_ROOM: [Errno; 2] = [Errno::EAGAIN, Errno::ENOBUFS];

/// What became of many datagrams.
struct Flood {
    /// How large the receive buffer was, as the kernel has it.
    buffer: u64,
    /// Sends that returned the whole length.
    accepted: u32,
    /// Datagrams that could be read afterwards.
    arrived: u32,
    /// Datagrams that the kernel counts as dropped at this socket.
    dropped: u32,
}

impl Flood {
    fn show(&self, stage: &mut Stage) {
        stage.figure("buffer", Value::Bytes(self.buffer));
        stage.figure("accepted", u64::from(self.accepted));
        stage.figure("arrived", u64::from(self.arrived));
        stage.figure("dropped", u64::from(self.dropped));
    }
}

/// Sends them all while the receiver sleeps, which then reads what is there.
fn flood(stage: &Stage, buffer: i32) -> Result<Flood> {
    let (receiver, address) = datagram_socket()?;
    call::setsockopt(&receiver, SO_RCVBUF, buffer)?;
    let (_, sender) = stage.both(|| Ok(()), || Ok(datagram_socket()?.0))?;
    let send_all = || -> Result<u32> {
        let mut accepted = 0;
        for i in 0..SENT {
            let sent = or_one_of(call::sendto(&sender, &[b'x'; SIZE], 0, address), &NO_ROOM)?;
            accepted += u32::from(sent == Ok(SIZE));
            if i % 256 == 0 {
                thread::yield_now(); // on a busy machine another thread of the kernel delivers
            }
        }
        Ok(accepted)
    };
    let send_all = || unrecorded(["2,000 calls of sendto", "2,000 次 sendto 调用"], send_all);
    let ((), accepted) = stage.both(|| Ok(()), send_all)?;
    let (mut arrived, mut memory) = (0, memory_of(address)?);
    let end = Instant::now() + PATIENCE;
    unrecorded(
        ["recvfrom, until nothing is left", "recvfrom，直到读空"],
        || -> Result<()> {
            loop {
                match call::recvfrom(&receiver, &mut [0; SIZE], MSG_DONTWAIT) {
                    Ok(_) => arrived += 1,
                    Err(error) if error.would_block() => {
                        memory = memory_of(address)?;
                        if arrived + memory.drops >= accepted || Instant::now() > end {
                            return Ok(());
                        }
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        },
    )?;
    stage.both(|| Ok(call::close(receiver)?), || Ok(call::close(sender)?))?;
    Ok(Flood { buffer: memory.receive_buffer.into(), accepted, arrived, dropped: memory.drops })
}

/// The memory of the socket at this address, and what it dropped.
fn memory_of(address: SocketAddr) -> Result<inspect::Memory> {
    let sockets = inspect::udp(Ask::port(address.port()).memory())?;
    let socket = sockets.iter().find(|socket| socket.local == address);
    let socket = socket.context(
        Lang::current().pick("the kernel does not list our socket", "内核没有列出我们的套接字"),
    )?;
    let reason = Lang::current().pick(
        "the kernel's counter of drops cannot be read: sock_diag is forbidden here, as in some containers; \
         run it outside",
        "无法读取内核的丢弃计数：这里禁止 sock_diag，有些容器就是这样；请在容器外运行",
    );
    Ok(socket.memory.ok_or_else(|| CannotRun(reason.to_owned()))?)
}

/// Five things that surprise those who know TCP.
fn surprises(stage: &mut Stage) -> Result<()> {
    let (receiver, address) = datagram_socket()?;
    let (_, sender) = stage.both(|| Ok(()), || Ok(datagram_socket()?.0))?;
    let (sent, all_sent) = mpsc::channel();
    let read = || {
        let _ = all_sent.recv();
        let mut buf = [0; 4];
        let (cut, _) = call::recvfrom(&receiver, &mut buf, MSG_TRUNC)?;
        let (empty, from) = call::recvfrom(&receiver, &mut buf, 0)?;
        let (next, _) = call::recvfrom(&receiver, &mut buf, 0)?;
        Ok((cut, empty, from.is_some(), buf[..next].to_vec()))
    };
    let write = || {
        for datagram in [&b"0123456789"[..], b"", b"next"] {
            call::sendto(&sender, datagram, 0, address)?;
        }
        let _ = sent.send(());
        // The memory is not read by the kernel: the length alone is too much for a length field of 16 bits.
        let too_large = call::sendto(&sender, &vec![b'x'; 65_508], 0, address);
        Ok(word(too_large, &[Errno::EMSGSIZE])?)
    };
    let ((cut, empty, is_message, next), too_large) = stage.both(read, write)?;
    call::close(receiver)?;

    // No socket has that address any more.
    let dead = || {
        let said = |sent| word(sent, &[Errno::ECONNREFUSED]);
        let [first, second] = [(); 2].map(|()| said(call::sendto(&sender, b"hello", 0, address)));
        let unconnected = [first?, second?].join(", ");
        call::close(sender)?;
        let socket = call::socket(Domain::IPV4, Type::DGRAM, 0)?;
        let connected: UdpSocket = call::connect(socket, address)?;
        let first = said(call::send(&connected, b"hello", 0))?;
        let mut list = [pollfd { fd: connected.as_raw_fd(), events: 0, revents: 0 }];
        call::poll(&mut list, Some(PATIENCE))?; // until the kernel has the answer: port unreachable
        let second = said(call::send(&connected, b"hello", 0))?;
        call::close(connected)?;
        Ok((unconnected, [first, second].join(", ")))
    };
    let ((), (unconnected, connected)) = stage.both(|| Ok(()), dead)?;

    stage.claim("cut", cut == 10 && next == b"next");
    stage.claim("empty", empty == 0 && is_message);
    stage.claim("large", too_large == format!("{:?}", Errno::EMSGSIZE));
    stage.claim("refused", unconnected == "5, 5" && connected == "5, ECONNREFUSED");
    let row = |case, result: String| vec![Value::Word(case), Value::Text(result)];
    let rows = vec![
        row("ten", format!("{} + {}", 4, cut.saturating_sub(4))),
        row("nothing", empty.to_string()),
        row("huge", too_large),
        row("dead", unconnected),
        row("dead-connected", connected),
    ];
    stage.table("surprises", &["case", "result"], rows);
    Ok(())
}

/// What became of numbered messages.
struct Transfer {
    messages: u32,
    /// Different ones that arrived.
    arrived: u32,
    /// Sends beyond the first of a message.
    again: u32,
    /// Messages that arrived once more, and were known by their number.
    twice: u32,
}

/// Sends numbered messages, some at a time, and the same ones again until they are acknowledged. The receiver
/// sleeps as before: until something was sent in vain.
fn transfer(stage: &Stage, messages: u32, window: u32) -> Result<Transfer> {
    let (receiver, address) = datagram_socket()?;
    let (in_vain, wake) = mpsc::channel();
    let receive = || {
        let _ = wake.recv();
        let (mut next, mut seen, mut twice, mut buf) = (0, BTreeSet::new(), 0, [0; SIZE]);
        // An empty datagram says that this was all.
        while let (4.., Some(from)) = call::recvfrom(&receiver, &mut buf, 0)? {
            let number = number(&buf);
            twice += u32::from(!seen.insert(number));
            while seen.contains(&next) {
                next += 1;
            }
            // "All before this one are here": also for a message that is known already, because the
            // acknowledgement may be what was lost.
            call::sendto(&receiver, &u32::to_be_bytes(next), 0, from)?;
        }
        call::close(receiver)?;
        Ok((seen.len() as u32, twice))
    };
    let send = || {
        let (sender, _) = datagram_socket()?;
        let (mut begin, mut sends) = (0, 0);
        while begin < messages {
            let end = messages.min(begin + window);
            loop {
                let all: Vec<Vec<u8>> = (begin..end).map(numbered).collect();
                // Datagrams that one call does not take are not acknowledged, so they are sent again.
                sends += match &all[..] {
                    [one] => call::sendto(&sender, one, 0, address).map(|_| 1)?,
                    many => call::sendmmsg(&sender, many, 0, address)? as u32,
                };
                if acknowledged(&sender, end)? {
                    break;
                }
                let _ = in_vain.send(());
            }
            begin = end;
        }
        call::sendto(&sender, b"", 0, address)?;
        call::close(sender)?;
        Ok(sends - messages)
    };
    let ((arrived, twice), again) = stage.both(receive, send)?;
    Ok(Transfer { messages, arrived, again, twice })
}

/// Whether all messages before this one are acknowledged in time.
fn acknowledged(sender: &UdpSocket, end: u32) -> Result<bool> {
    let mut buf = [0; 4];
    loop {
        let mut list = [pollfd { fd: sender.as_raw_fd(), events: libc::POLLIN, revents: 0 }];
        if call::poll(&mut list, Some(AGAIN))? == 0 {
            return Ok(false);
        }
        call::recvfrom(sender, &mut buf, 0)?;
        if number(&buf) >= end {
            return Ok(true);
        }
    }
}

/// A message with this number at its beginning.
fn numbered(number: u32) -> Vec<u8> {
    [&number.to_be_bytes()[..], &[b'x'; SIZE - 4]].concat()
}

/// The number at the beginning of a datagram.
fn number(datagram: &[u8]) -> u32 {
    let number = datagram.first_chunk().expect("the buffers here have four bytes at least");
    u32::from_be_bytes(*number)
}
