//! The addresses of sockets: each was told by a call, and each socket that has one was given it by a call.

use std::collections::HashMap;
use std::net::SocketAddr;

use netplay_record::{Bytes, Call, Connection, Event, Family, Kind, Moves, Text, Type, Way};

use super::pairs;
use super::rings;
use super::sockets::{Id, Socket, Sockets};
use crate::run::Run;
use crate::{Fault, Rule};
use netplay_text::both;

pub(super) fn check(run: &Run, sockets: &Sockets, faults: &mut Vec<Fault>) {
    for (i, record) in run.records.iter().enumerate() {
        let Some(in_args) = in_args(record) else { continue };
        let named = if tells_local(record) { &record.local } else { &record.peer };
        let Some(named) = named.as_deref().filter(|_| is_about_one(record)) else { continue };
        if address(named).is_some_and(|named| named != in_args) {
            let said = both!(
                "its arguments have the address {in_args}, and its record {named}",
                "它的参数里的地址是 {in_args}，而记录里是 {named}",
            );
            faults.push(run.fault(Rule::Address, said, &[i]));
        }
    }
    let hidden = rings::hidden(run);
    let mut of_listeners: HashMap<Id, Vec<Told<'_>>> = HashMap::new();
    for socket in sockets.all.iter().filter(|socket| !socket.shared) {
        let Some(made) = socket.made else { continue };
        let listener = match socket.listener {
            Some(id) if sockets.all[id].shared || sockets.all[id].made.is_none() => continue,
            Some(id) => &**of_listeners.entry(id).or_insert_with(|| {
                let calls = sockets.all[id].calls.iter();
                calls.filter_map(|&i| told(&run.records[i], true)).collect()
            }),
            None => &[],
        };
        untold(run, socket, made, listener, faults);
        if !hidden.contains(&run.records[made].pid) {
            unbound(run, socket, made, faults);
        }
    }
}

/// A name, and since when a call has told it.
type Told<'a> = (u64, &'a str);

/// Names of a socket that no call has told. An accepted one has that of its listener.
fn untold(run: &Run, socket: &Socket, made: usize, listener: &[Told<'_>], faults: &mut Vec<Fault>) {
    let (mut locals, mut peers) = (listener.to_vec(), Vec::new());
    if socket.listener.is_some() {
        let accept = &run.records[made];
        peers.extend(accept.peer.as_deref().map(|peer| (accept.start_ns, peer)));
    }
    locals.extend(socket.calls.iter().filter_map(|&i| told(&run.records[i], true)));
    peers.extend(socket.calls.iter().filter_map(|&i| told(&run.records[i], false)));
    for &i in &socket.calls {
        let record = &run.records[i];
        let end = run.end(i);
        // An accept names the client, and each datagram its own sender or receiver.
        let own = record.what.is_addressed()
            || !tells_local(record) && in_args(record).is_some()
            || matches!(record.what.moves(), Moves::Accepts { .. })
            || matches!(&*record.what, Call::Bytes(Bytes::Recvmsg(..) | Bytes::Sendmsg(..)));
        let name = |name: &Option<Text>, known: &[Told<'_>]| {
            let name = name.as_deref().filter(|name| pairs::named(name))?;
            let tells = known.iter().any(|(since, of)| *since <= end && *of == name);
            (!tells).then(|| name.to_owned())
        };
        let missing = name(&record.local, &locals)
            .or_else(|| if own { None } else { name(&record.peer, &peers) });
        if let Some(missing) = missing {
            let said = both!(
                "the address {missing} is known here, and no call before has told it",
                "这里已知道地址 {missing}，而之前没有任何调用得到过它",
            );
            faults.push(run.fault(Rule::Address, said, &[i]));
            return;
        }
    }
}

/// The name that a call tells of its socket, of this end or of the other one, and since when.
fn told(record: &Event, local: bool) -> Option<Told<'_>> {
    let tells = match &*record.what {
        Call::Connection(Connection::Bind(_) | Connection::Getsockname(_)) => local,
        Call::Connection(Connection::Connect(_) | Connection::Getpeername(_)) => !local,
        _ => false,
    };
    let name = if local { &record.local } else { &record.peer };
    Some((record.start_ns, name.as_deref().filter(|_| tells)?))
}

/// A socket of the internet that has an address which nothing has given it.
fn unbound(run: &Run, socket: &Socket, made: usize, faults: &mut Vec<Fault>) {
    let made = &run.records[made];
    let Call::Connection(Connection::Socket(kind)) = &*made.what else { return };
    let inet = matches!(kind.family, Family::Inet | Family::Inet6);
    if !inet || !matches!(kind.ty, Type::Stream | Type::Datagram) || made.kind != Kind::Call {
        return;
    }
    // When a port can have been taken, and when an address.
    let (mut port, mut address_of) = (u64::MAX, u64::MAX);
    for &i in &socket.calls {
        let record = &run.records[i];
        let (takes_port, takes_address) = match &*record.what {
            Call::Connection(Connection::Bind(_) | Connection::Connect(_)) => (true, true),
            Call::Connection(Connection::Listen(_)) => (true, false),
            what if what.way() == Some(Way::Out) => {
                (true, record.args.as_deref().is_some_and(|args| args.contains("FASTOPEN")))
            }
            _ => (false, false),
        };
        let start = record.start_ns;
        port = if takes_port { port.min(start) } else { port };
        address_of = if takes_address { address_of.min(start) } else { address_of };
    }
    for &i in &socket.calls {
        let record = &run.records[i];
        if !matches!(&*record.what, Call::Connection(Connection::Getsockname(_))) {
            continue;
        }
        let Some(local) = record.local.as_deref().and_then(address) else { continue };
        let end = run.end(i);
        if local.port() != 0 && port > end || !local.ip().is_unspecified() && address_of > end {
            let said = both!(
                "the socket has the address {local} here, and no call has given it that",
                "套接字在这里的地址是 {local}，而没有任何调用给过它这个地址",
            );
            faults.push(run.fault(Rule::Address, said, &[i]));
            return;
        }
    }
}

/// Whether the address in its arguments is the one that it moves to or from, or that it names.
fn is_about_one(record: &Event) -> bool {
    let named = matches!(
        record.call.as_deref(),
        Some("accept" | "sendto" | "recvfrom" | "sendmsg" | "recvmsg")
    );
    record.kind == Kind::Call && (named || told(record, true).or(told(record, false)).is_some())
}

fn tells_local(record: &Event) -> bool {
    told(record, true).is_some()
}

/// The address of the internet that stands in the arguments of a call, behind its data.
pub(super) fn in_args(record: &Event) -> Option<SocketAddr> {
    let args = record.args.as_deref()?;
    let at = args.rfind("{sa_family=AF_INET")?;
    let rest = &args[at..];
    let (_, behind) = rest.split_once("port=htons(")?;
    let (port, behind) = behind.split_once(')')?;
    let ip = match behind.strip_prefix(", sin_addr=inet_addr(\"") {
        Some(ip) => ip,
        None => behind.split_once("inet_pton(AF_INET6, \"")?.1,
    };
    let (ip, _) = ip.split_once('"')?;
    Some(SocketAddr::new(ip.parse().ok()?, port.parse().ok()?))
}

/// An address of the internet, without its scope.
pub(super) fn address(text: &str) -> Option<SocketAddr> {
    let address: SocketAddr = text.parse().ok()?;
    Some(SocketAddr::new(address.ip(), address.port()))
}
