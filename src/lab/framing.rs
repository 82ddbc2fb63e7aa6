//! One send is not one recv: TCP carries bytes, and forgets how they were cut.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::sync::mpsc;

use anyhow::Result;

use super::{Stage, Value};
use crate::call::{self, TcpListener, TcpStream};
use crate::escape::escape;
use crate::sendall;

pub(super) const PLAYS: super::Plays = &[];

/// What the client sends, each with a send of its own.
const MESSAGES: [&[u8]; 3] = [b"AAA", b"BB", b"CCCC"];

/// How much it sends next, with one call.
const MEGABYTE: usize = 1 << 20;

/// Three sends before the first recv; then a megabyte.
pub(super) fn run(stage: &mut Stage) -> Result<()> {
    let (listener, address) = super::listener()?;
    let (sent, all_sent) = mpsc::channel();
    let server = || {
        let (peer, _) = call::accept(&listener)?;
        let _ = all_sent.recv(); // late on purpose: a server is often busy with another client
        let mut buf = [0; 1024];
        let n = call::recv(&peer, &mut buf, 0)?;
        Ok((peer, escape(&buf[..n]), n))
    };
    let client = || {
        let server: TcpStream = super::connect(address)?;
        for message in MESSAGES {
            call::send(&server, message, 0)?;
        }
        let _ = sent.send(());
        Ok(server)
    };
    let ((peer, first, n), client) = stage.both(server, client)?;
    stage.figure("sends", MESSAGES.len());
    stage.figure("first", Value::Bytes(n as u64));
    stage.figure("bytes", first);

    let receive = || -> Result<Vec<usize>> {
        let (mut sizes, mut buf) = (Vec::new(), vec![0; 64 * 1024]);
        while sizes.iter().sum::<usize>() < MEGABYTE {
            sizes.push(call::recv(&peer, &mut buf, 0)?);
        }
        Ok(sizes)
    };
    let (sizes, ()) = stage.both(receive, || Ok(sendall(&client, &vec![b'x'; MEGABYTE])?))?;
    stage.figure("recvs", sizes.len());
    stage.figure("smallest", Value::Bytes(sizes.iter().min().map_or(0, |&n| n as u64)));
    stage.figure("largest", Value::Bytes(sizes.iter().max().map_or(0, |&n| n as u64)));
    call::close(client)?;
    call::close(peer)?;
    call::close(listener)?;

    stage.answer(match n {
        3 => Some(1),
        9 => Some(2),
        _ => None,
    });
    stage.claim("joined", n > MESSAGES[0].len());
    stage.claim("split", sizes.len() > 1);
    Ok(())
}

/// A way to say where a message ends.
struct Framing {
    name: &'static str,
    /// The message, as it goes over the wire.
    wrap: fn(&[u8]) -> Vec<u8>,
    /// The next message.
    unwrap: fn(&mut dyn BufRead) -> Result<Vec<u8>>,
}

const FRAMINGS: [Framing; 3] = [
    Framing {
        name: "prefix",
        wrap: |message| [&(message.len() as u16).to_be_bytes(), message].concat(),
        unwrap: |from| {
            let mut length = [0; 2];
            from.read_exact(&mut length)?;
            let mut message = vec![0; u16::from_be_bytes(length).into()];
            from.read_exact(&mut message)?;
            Ok(message)
        },
    },
    Framing {
        name: "newline",
        wrap: |message| [message, b"\n"].concat(),
        unwrap: |from| {
            let mut line = Vec::new();
            from.read_until(b'\n', &mut line)?;
            line.pop();
            Ok(line)
        },
    },
    Framing {
        name: "fixed",
        wrap: |message| {
            let mut field = message.to_vec();
            field.resize(8, b' ');
            field
        },
        unwrap: |from| {
            let mut field = vec![0; 8];
            from.read_exact(&mut field)?;
            Ok(field.trim_ascii_end().to_vec())
        },
    },
];

/// The same three messages, in frames of three kinds.
pub(super) fn fix(stage: &mut Stage) -> Result<()> {
    let (listener, address) = super::listener()?;
    let mut rows = Vec::new();
    let mut whole = true;
    for framing in &FRAMINGS {
        let (got, sent) = talk(stage, &listener, address, framing)?;
        whole &= got == MESSAGES;
        let shown: Vec<String> = got.iter().map(|message| escape(message)).collect();
        rows.push(vec![
            Value::Word(framing.name),
            Value::Bytes(sent as u64),
            got.len().into(),
            shown.join(" ").into(),
        ]);
    }
    call::close(listener)?;
    stage.table("frames", &["frame", "wire", "messages", "bytes"], rows);
    stage.claim("whole", whole);
    Ok(())
}

/// All messages in one kind of frame: what arrived, and how many bytes went over the wire.
fn talk(
    stage: &Stage,
    listener: &TcpListener,
    address: SocketAddr,
    framing: &Framing,
) -> Result<(Vec<Vec<u8>>, usize)> {
    let (sent, all_sent) = mpsc::channel();
    let server = || {
        let (peer, _) = call::accept(listener)?;
        let _ = all_sent.recv();
        let mut from = BufReader::with_capacity(1024, Receive(&peer));
        let got = MESSAGES.iter().map(|_| (framing.unwrap)(&mut from)).collect::<Result<_>>()?;
        call::close(peer)?;
        Ok(got)
    };
    let client = || {
        let server = super::connect(address)?;
        let mut bytes = 0;
        for message in MESSAGES {
            bytes += call::send(&server, &(framing.wrap)(message), 0)?;
        }
        let _ = sent.send(());
        call::close(server)?;
        Ok(bytes)
    };
    stage.both(server, client)
}

/// Reads by recv, a call at a time: what a buffered reader asks when it has too little.
struct Receive<'a>(&'a TcpStream);

impl Read for Receive<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        call::recv(self.0, buf, 0).map_err(std::io::Error::other)
    }
}
