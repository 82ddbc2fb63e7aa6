//! A server is reached only where it is bound: 127.0.0.1 is one address, 0.0.0.0 all of IPv4, and localhost a name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::mpsc;

use anyhow::{Result, bail};
use netplay_text::say;
use nix::errno::Errno;

use super::{CannotRun, NOT_THERE, Stage, Value, unrecorded};
use crate::address::{AddressError, Endpoint};
use crate::call::{self, CallError, Domain, IPV6_V6ONLY, Socket, TcpListener, Type};
use crate::escape::escape;
use crate::lang::Lang;

pub(super) const PLAYS: super::Plays = &[];

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
const ANY_V4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const ANY_V6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// Where clients go. All of 127.0.0.0/8 is this machine (RFC 1122), not one address of it.
const DOORS: [IpAddr; 3] = [V4, IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)), V6];

/// A table's columns: where the server has bound, and each of the doors.
const COLUMNS: [&str; 4] = ["bound", "v4", "v4-2", "v6"];

/// A server at each address, and clients at each door.
pub(super) fn run(stage: &mut Stage) -> Result<()> {
    stage.figure("localhost", localhost()?);

    let loopback = knock(stage, &[Bind { at: V4, only_v6: false }])?;
    let [any, loopback_v6, any_v6] = unrecorded(
        [
            "the same clients, and a server at 0.0.0.0, ::1 and ::",
            "同样的客户端，服务器绑定 0.0.0.0、::1 和 ::",
        ],
        || -> Result<_> {
            Ok([
                knock(stage, &[Bind { at: ANY_V4, only_v6: false }])?,
                knock(stage, &[Bind { at: V6, only_v6: true }])?,
                knock(stage, &[Bind { at: ANY_V6, only_v6: true }])?,
            ])
        },
    )?;
    stage.answer(match &loopback[2] {
        Knock::Opened { .. } => Some(1),
        Knock::Failed(Errno::ECONNREFUSED) => Some(2),
        Knock::Failed(Errno::ETIMEDOUT) => Some(3),
        Knock::Failed(_) => None,
    });
    let opened = |knocks: &[Knock; 3]| knocks.each_ref().map(Knock::opened);
    stage.claim("one", opened(&loopback) == [true, false, false]);
    stage.claim("family", opened(&any) == [true, true, false]);
    stage.claim("other", opened(&loopback_v6) == [false, false, true]);
    let rows = vec![
        row("127.0.0.1", &loopback),
        row("0.0.0.0", &any),
        row("::1", &loopback_v6),
        row(":: (IPV6_V6ONLY 1)", &any_v6),
    ];
    stage.table("doors", &COLUMNS, rows);
    Ok(())
}

/// What localhost stands for here; or why the resolver does not know. That there are too few descriptors to ask it
/// says nothing of the name.
fn localhost() -> Result<String> {
    let name = Endpoint { host: Some("localhost".to_owned()), ..Endpoint::default() };
    match name.resolve_all() {
        Ok(found) => {
            let found: Vec<String> = found.iter().map(|it| it.ip().to_string()).collect();
            Ok(found.join(", "))
        }
        Err(AddressError::NoAddress(_, why)) if why.raw_os_error().is_none() => {
            Ok(escape(why.to_string().as_bytes()))
        }
        Err(error) => Err(error.into()),
    }
}

/// One socket for both families, on purpose; and two sockets for this machine alone.
pub(super) fn fix(stage: &mut Stage) -> Result<()> {
    let dual = knock(stage, &[Bind { at: ANY_V6, only_v6: false }])?;
    let pair = unrecorded(
        [
            "the same clients, and a server at 127.0.0.1 and ::1",
            "同样的客户端，服务器绑定 127.0.0.1 和 ::1",
        ],
        || knock(stage, &[Bind { at: V4, only_v6: false }, Bind { at: V6, only_v6: true }]),
    )?;
    stage.claim("dual", dual.iter().all(Knock::opened));
    let mapped = |knock: &Knock| match knock {
        Knock::Opened { seen: IpAddr::V6(seen) } => seen.to_ipv4_mapped().is_some(),
        _ => false,
    };
    stage.claim("mapped", mapped(&dual[0]) && mapped(&dual[1]) && !mapped(&dual[2]));
    stage.claim("pair", pair.each_ref().map(Knock::opened) == [true, false, true]);
    let rows = vec![row(":: (IPV6_V6ONLY 0)", &dual), row("127.0.0.1 + ::1", &pair)];
    stage.table("doors", &COLUMNS, rows);
    Ok(())
}

/// Where a server binds. `only_v6` counts for IPv6.
struct Bind {
    at: IpAddr,
    only_v6: bool,
}

/// How a client fared.
enum Knock {
    /// It was connected, and the server saw it come from this address.
    Opened {
        seen: IpAddr,
    },
    Failed(Errno),
}

impl Knock {
    fn opened(&self) -> bool {
        matches!(self, Knock::Opened { .. })
    }
}

fn row(bound: &str, knocks: &[Knock; 3]) -> Vec<Value> {
    let text = |knock: &Knock| match knock {
        Knock::Opened { seen } => seen.to_string(),
        Knock::Failed(errno) => format!("{errno:?}"),
    };
    std::iter::once(bound.to_owned()).chain(knocks.iter().map(text)).map(Value::Text).collect()
}

/// A server with these sockets, all on one port, and a client at each door.
fn knock(stage: &Stage, binds: &[Bind]) -> Result<[Knock; 3]> {
    let (listeners, reserved, port) = listen(binds)?;
    let (came, comes) = mpsc::sync_channel(0); // the next comes when the one before was served
    let server = || {
        let mut seen = Vec::new();
        while let Ok(door) = comes.recv() {
            // Of two sockets, the one of this family.
            let of_family = |at: &Bind| at.at.is_ipv4() == IpAddr::is_ipv4(&door);
            let which = binds.iter().position(of_family).unwrap_or(0);
            let (peer, from) = call::accept(&listeners[which])?;
            call::recv(&peer, &mut [0; 16], 0)?; // the client leaves first: no port stays in TIME_WAIT
            call::close(peer)?;
            seen.push((door, from.ip()));
        }
        Ok(seen)
    };
    let client = move || {
        let mut failed = Vec::new();
        for door in DOORS {
            match super::connect(SocketAddr::new(door, port)) {
                Ok(stream) => {
                    came.send(door)?;
                    call::close(stream)?;
                }
                Err(error) => match error.downcast_ref::<CallError>() {
                    Some(error) if NOT_THERE.contains(&error.errno()) => {
                        failed.push((door, error.errno()));
                    }
                    _ => return Err(error),
                },
            }
        }
        Ok(failed)
    };
    let (seen, failed) = stage.both(server, client)?;
    listeners.into_iter().try_for_each(call::close)?;
    unrecorded(["the end of what kept the port free", "不再占住这个端口"], || {
        drop(reserved)
    });
    Ok(DOORS.map(|door| {
        let opened = seen.iter().find(|(at, _)| *at == door);
        let failed = failed.iter().find(|(at, _)| *at == door);
        match (opened, failed) {
            (Some(&(_, seen)), _) => Knock::Opened { seen },
            (None, failed) => {
                Knock::Failed(failed.map_or(Errno::UnknownErrno, |(_, errno)| *errno))
            }
        }
    }))
}

/// Listeners at these addresses, sockets that keep other programs away from the other doors, and their port: the first listener
/// gets any free one, the others the same. If it is taken at one of the addresses, all try again.
fn listen(binds: &[Bind]) -> Result<(Vec<TcpListener>, Vec<Socket>, u16)> {
    for _ in 0..10 {
        let Some((listeners, port)) = or_taken(listen_at_one_port(binds))? else { continue };
        let reserved = unrecorded(
            [
                "sockets that keep the port free at the other addresses, and do not listen",
                "在其余地址上占住这个端口、但不监听的套接字",
            ],
            || reserve(binds, port),
        );
        if let Some(reserved) = or_taken(reserved)? {
            return Ok((listeners, reserved, port));
        }
    }
    bail!(
        Lang::current().pick("no port is free at every address", "没有一个端口在每个地址上都空闲")
    )
}

fn listen_at_one_port(binds: &[Bind]) -> call::Result<(Vec<TcpListener>, u16)> {
    let (mut listeners, mut port) = (Vec::new(), 0);
    for bind in binds {
        let listener = call::listen(bind_at(bind, port)?, 128)?;
        port = call::getsockname(&listener)?.port();
        listeners.push(listener);
    }
    Ok((listeners, port))
}

/// Binds this port at each door where no server listens. Another program could listen there otherwise, and answer.
fn reserve(binds: &[Bind], port: u16) -> call::Result<Vec<Socket>> {
    let served = |door: &IpAddr| {
        binds.iter().any(|it| match it.at {
            at if at == *door => true,
            IpAddr::V4(at) => at.is_unspecified() && door.is_ipv4(),
            IpAddr::V6(at) => at.is_unspecified() && (door.is_ipv6() || !it.only_v6),
        })
    };
    let free = DOORS.into_iter().filter(|door| !served(door));
    free.map(|at| bind_at(&Bind { at, only_v6: true }, port)).collect()
}

/// Nothing, if the port is taken; it ends the lab if there is no such address.
fn or_taken<T>(tried: call::Result<T>) -> Result<Option<T>> {
    match tried {
        Ok(value) => Ok(Some(value)),
        Err(error) => match error.errno() {
            Errno::EADDRINUSE => Ok(None),
            Errno::EAFNOSUPPORT | Errno::EADDRNOTAVAIL => Err(no_ipv6(&error).into()),
            _ => Err(error.into()),
        },
    }
}

fn bind_at(bind: &Bind, port: u16) -> call::Result<Socket> {
    let address = SocketAddr::new(bind.at, port);
    let socket = call::socket(Domain::for_address(address), Type::STREAM, 0)?;
    if bind.at.is_ipv6() {
        call::setsockopt(&socket, IPV6_V6ONLY, i32::from(bind.only_v6))?;
    }
    call::bind(&socket, address)?;
    Ok(socket)
}

fn no_ipv6(error: &CallError) -> CannotRun {
    CannotRun(say!(
        Lang::current(),
        "loopback has no IPv6 here ({error}); root can turn it on: sysctl -w net.ipv6.conf.lo.disable_ipv6=0",
        "这里的环回接口没有 IPv6（{error}）；root 可以打开：sysctl -w net.ipv6.conf.lo.disable_ipv6=0"
    ))
}
