//! # UDP echo: datagrams without a connection
//!
//! ```text
//! server                                        client
//! socket                                        socket
//! bind
//! recvfrom ◀─────── datagram ────────────────── sendto
//! sendto   ──────── datagram ────────────────▶  recvfrom
//!   …                                             …
//!                                               close
//! ```
//!
//! Watch for what is missing: no listen, no accept, no second socket. One socket serves all clients,
//! and each datagram carries its sender's address. A datagram arrives whole or not at all, perhaps twice, in
//! any order; one that is larger than the buffer loses its end. An empty one is also a message.

use std::time::Duration;

use anyhow::Result;

use super::row::{self, Both, Example, Place, Purpose};
use super::script::{self, Demo};
use crate::call::{self, Domain, IPV6_V6ONLY, MSG_TRUNC, SO_RCVTIMEO, Type, UdpSocket};
use crate::client::{self, ClientArgs};
use crate::server::{self, Reply, Senders, ServerArgs, Stamp, Stats};
use crate::stop::Stop;

/// Answers each datagram to its sender, until the stop.
pub fn serve(args: &ServerArgs, stop: &Stop) -> Result<Stats> {
    let address = args.endpoint.resolve()?;
    let socket = call::socket(Domain::for_address(address), Type::DGRAM, 0)?;
    if let Some(alone) = server::v6_alone(address, args.endpoint.family) {
        call::setsockopt(&socket, IPV6_V6ONLY, alone)?;
    }
    // No SO_REUSEADDR: a datagram socket has no TIME_WAIT, and the option would let a second server
    // take the same port and the first one's datagrams.
    call::bind(&socket, address)?;
    let socket = UdpSocket::from(socket);
    server::announce("udp", call::getsockname(&socket)?)?;

    let (mut stats, mut senders, mut reply) =
        (Stats::of_datagrams(), Senders::default(), Vec::new());
    let mut buf = vec![0; args.bufsize];
    let waiting = stop.watch(&socket);
    // MSG_TRUNC: the length is the datagram's, even if the buffer got only its beginning.
    while !args.full(stats.datagrams)
        && let Some((len, Some(client))) =
            waiting.or(|| call::recvfrom(&socket, &mut buf, MSG_TRUNC))?
    {
        let data = &buf[..len.min(args.bufsize)];
        let answer = args.answer(data, &mut reply);
        stats.datagrams += 1;
        stats.addresses = Some(senders.note(client));
        stats.received += data.len() as u64;
        match call::sendto(&socket, answer, 0, client) {
            Ok(n) => stats.sent += n as u64,
            // Too long for a datagram, or no route to that client: only this client is affected.
            Err(error) => server::lost(client, &error),
        }
    }
    drop(waiting);
    call::close(socket)?;
    Ok(stats)
}

/// After so much silence the client says that no reply has come.
const SILENCE: Duration = Duration::from_secs(2);

/// Sends each message as one datagram and waits for one in return.
///
/// It takes the first address of a name, and tries no other, because silence may mean a lost datagram as well
/// as no server. For `localhost` that is often ::1; `-4` and `-6` choose.
pub fn client(args: &ClientArgs) -> Result<()> {
    let address = args.endpoint.resolve()?;
    let socket = UdpSocket::from(call::socket(Domain::for_address(address), Type::DGRAM, 0)?);
    // The wait for a reply has a limit: there is no other way to notice that none comes.
    call::setsockopt(&socket, SO_RCVTIMEO, args.timeout.unwrap_or(SILENCE))?;
    let said = converse(&socket, args, address);
    call::close(socket)?;
    said
}

fn converse(socket: &UdpSocket, args: &ClientArgs, server: std::net::SocketAddr) -> Result<()> {
    let mut talk = args.talk()?;
    let mut buf = vec![0; args.bufsize];
    while let Some(message) = talk.next()? {
        // The first sendto also binds: the kernel chooses a port for this end.
        call::sendto(socket, &message, 0, server)?;
        // Any program that knows our port may answer; a connected socket (connect(2)) would take the
        // server's datagrams only.
        let received = match call::recvfrom(socket, &mut buf, MSG_TRUNC) {
            // If either datagram is lost, UDP does not report it. So without --timeout this waits for ever.
            Err(silence) if silence.would_block() && args.timeout.is_none() => {
                client::no_reply(SILENCE);
                call::setsockopt(socket, SO_RCVTIMEO, Duration::ZERO)?; // no limit
                call::recvfrom(socket, &mut buf, MSG_TRUNC)
            }
            received => received,
        };
        talk.show(&buf[..received?.0.min(args.bufsize)])?;
    }
    Ok(talk.end_line()?)
}

/// How this server stamps its answers.
pub const STAMP: Stamp = Stamp { open: "[", middle: " : ", close: "]" };

/// Its row in the table.
pub static ROW: Example = Example {
    name: "udp-echo",
    short: Some("udp"),
    summary: Both {
        en: "datagrams without a connection: each one carries its sender's address",
        zh: "没有连接的数据报：每个数据报都带着发送方的地址",
    },
    watch: Both {
        en: "no listen, no accept: one socket serves all clients, and recvfrom says which one to \
              answer",
        zh: "没有 listen，也没有 accept：一个套接字服务所有客户端，recvfrom 告诉服务器该回答谁",
    },
    place: Place::Internet,
    purpose: Purpose::Echo,
    at_once: row::AtOnce::All,
    reply: Some(Reply::Stamp(STAMP)),
    server: Some(&serve),
    client: &client,
    tools: &[],
    demo: Demo::of(script::ONE),
    next: None,
    lesson: "udp",
};
