//! What is known about the descriptors of a process from its calls. To ask the kernel would take more calls, which
//! the program under study did not make.

use std::collections::HashMap;

use super::{Call, Connection, Event, Facts, Family, Fcntl, Known, Moves, Outcome, SocketKind};
use super::{Sockopt, Text, Type};

/// What is known about one descriptor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Descriptor {
    /// Whether it is a socket; `None` if nothing has told.
    pub socket: Option<bool>,
    /// The address of this end.
    pub local: Option<Text>,
    /// The address of the other end.
    pub peer: Option<Text>,
    /// Whether it has O_NONBLOCK: its calls do not wait.
    pub never_waits: bool,
    /// Whether it listens.
    pub listens: bool,
    /// Whether it was bound to an address.
    pub bound: bool,
    /// Whether it is the connection of a client, from accept.
    pub accepted: bool,
    /// Its family of addresses.
    pub family: Option<Family>,
    /// What it carries.
    pub ty: Option<Type>,
    /// Whether it is closed on exec.
    pub cloexec: Option<bool>,
}

impl Descriptor {
    /// Whether it is a socket of datagrams; `None` if nothing has told.
    #[must_use]
    pub fn datagrams(&self) -> Option<bool> {
        self.ty.map(|ty| matches!(ty, Type::Datagram | Type::Raw))
    }

    /// One that is not a socket.
    fn other() -> Descriptor {
        Descriptor { socket: Some(false), ..Descriptor::default() }
    }

    /// A new socket.
    fn of_kind(kind: SocketKind) -> Descriptor {
        Descriptor {
            socket: Some(true),
            never_waits: kind.never_waits(),
            family: Some(kind.family),
            ty: Some(kind.ty),
            cloexec: Some(kind.is_closed_on_exec()),
            ..Descriptor::default()
        }
    }
}

/// The descriptors of one process; a clone is what its forked child has.
///
/// ```
/// use netplay_record::{Call, Connection, Descriptors, Family, Outcome, SocketKind, Type};
///
/// let mut descriptors = Descriptors::default();
/// let kind = SocketKind { family: Family::Inet, ty: Type::Datagram, protocol: 0, flags: 0 };
/// let call = Call::from(Connection::Socket(kind));
/// let outcome = Outcome { fd: None, ret: Some(3), errno: None };
/// descriptors.learn(&call, &outcome, &call.facts(&outcome));
/// assert_eq!(descriptors.get(3).and_then(|socket| socket.datagrams()), Some(true));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Descriptors(HashMap<i32, Descriptor>);

impl Descriptors {
    /// What is known about this one, if anything is.
    #[must_use]
    pub fn get(&self, fd: i32) -> Option<&Descriptor> {
        self.0.get(&fd)
    }

    /// The same, to be told by other means than calls.
    pub fn entry(&mut self, fd: i32) -> &mut Descriptor {
        self.0.entry(fd).or_default()
    }

    /// Forgets one, and returns what was known. It must be told before a `close` gives the number back to the
    /// kernel, which may hand it to another thread at once: [`learn`](Descriptors::learn) does not do it.
    pub fn forget(&mut self, fd: i32) -> Option<Descriptor> {
        self.0.remove(&fd)
    }

    /// All that something is known about.
    pub fn iter(&self) -> impl Iterator<Item = (i32, &Descriptor)> {
        self.0.iter().map(|(&fd, known)| (fd, known))
    }

    /// Forgets those that are not open any more.
    pub fn retain(&mut self, is_open: impl Fn(i32) -> bool) {
        self.0.retain(|&fd, _| is_open(fd));
    }

    /// Remembers what a call has shown.
    pub fn learn(&mut self, call: &Call, outcome: &Outcome, facts: &Facts) {
        if let Some(fd) = outcome.fd {
            match facts.known {
                Known::Nothing => {}
                Known::Local => self.entry(fd).local = facts.local.as_ref().map(Text::from),
                Known::Peer => self.entry(fd).peer = facts.peer.as_ref().map(Text::from),
                Known::Waits(waits) => self.entry(fd).never_waits = !waits,
            }
        }
        let Some(done) = outcome.done() else { return };
        if let (Call::Connection(Connection::Bind(_)), Some(fd)) = (call, outcome.fd) {
            self.entry(fd).bound = true; // to a port that the kernel chose, perhaps
        }
        if let (Call::Option(Sockopt::Fcntl(Fcntl::SetCloexec(on))), Some(fd)) = (call, outcome.fd)
        {
            self.entry(fd).cloexec = Some(*on);
        }
        for fd in call.receives() {
            self.0.remove(&fd); // a new one, of which nothing is known
        }
        if let Call::Connection(Connection::CloseRange { first, last, cloexec: true }) = call {
            let marked = self.0.iter_mut().filter(|(fd, _)| in_range(**fd, *first, *last));
            marked.for_each(|(_, known)| known.cloexec = Some(true));
        }
        let new = i32::try_from(done).ok();
        match (call.moves(), new) {
            (Moves::Makes { .. }, Some(new)) => {
                if let Call::Connection(Connection::Socket(kind)) = call {
                    self.0.insert(new, Descriptor::of_kind(*kind));
                }
            }
            (Moves::MakesTwo { fds: Some(fds), .. }, _) => {
                if let Call::Connection(Connection::Socketpair(kind, _)) = call {
                    let name = Some(Text::from("(unnamed)"));
                    for fd in fds {
                        let (local, peer) = (name.clone(), name.clone());
                        self.0.insert(fd, Descriptor { local, peer, ..Descriptor::of_kind(*kind) });
                    }
                }
            }
            (Moves::Opens, Some(new)) => {
                self.0.insert(new, Descriptor::other());
            }
            (Moves::Accepts { nonblock }, Some(new)) => {
                let cloexec = match call {
                    Call::Connection(Connection::Accept { cloexec, .. }) => Some(*cloexec),
                    _ => None,
                };
                let listener = outcome.fd.map(|fd| {
                    let listener = self.entry(fd);
                    (listener.socket, listener.listens) = (Some(true), true);
                    listener.clone()
                });
                let listener = listener.unwrap_or_default();
                // A listener on a wildcard address accepts on any of the machine's.
                let is_one = |of: &Text| !of.starts_with("0.0.0.0") && !of.starts_with("[::]");
                let accepted = Descriptor {
                    socket: Some(true),
                    local: listener.local.filter(is_one),
                    peer: facts.peer.as_ref().map(Text::from),
                    never_waits: nonblock,
                    bound: false,
                    accepted: true,
                    listens: false,
                    family: listener.family,
                    ty: Some(listener.ty.unwrap_or(Type::Stream)),
                    cloexec,
                };
                self.0.insert(new, accepted);
            }
            (Moves::Duplicates, Some(new)) => {
                let cloexec = match call {
                    Call::Connection(Connection::Dup { cloexec, .. })
                    | Call::Option(Sockopt::Fcntl(Fcntl::Duplicate { cloexec, .. })) => *cloexec,
                    _ => false,
                };
                match outcome.fd.filter(|&fd| fd != new).map(|fd| self.get(fd).cloned()) {
                    Some(Some(known)) => {
                        self.0.insert(new, Descriptor { cloexec: Some(cloexec), ..known });
                    }
                    Some(None) => {
                        self.0.remove(&new);
                    }
                    None => {} // onto itself
                }
            }
            (Moves::Listens, _) => {
                if let Some(fd) = outcome.fd {
                    let known = self.entry(fd);
                    (known.socket, known.listens) = (Some(true), true);
                }
            }
            (Moves::Connects, _) => {
                if let Some(fd) = outcome.fd {
                    self.entry(fd).socket = Some(true);
                }
            }
            (Moves::ClosesMany { first, last }, _) => {
                self.0.retain(|&fd, _| !in_range(fd, first, last));
            }
            (Moves::Executes, _) => self.0.retain(|_, known| known.cloexec != Some(true)),
            (
                Moves::Nothing
                | Moves::Makes { .. }
                | Moves::MakesTwo { .. }
                | Moves::Opens
                | Moves::Accepts { .. }
                | Moves::Duplicates
                | Moves::Shuts(_)
                | Moves::Closes
                | Moves::Copies
                | Moves::Ends { .. },
                _,
            ) => {}
        }
    }

    /// Adds to an event what is known about its descriptor: the addresses, and whether it carries datagrams, where the
    /// call by itself would let a reader think otherwise. To be told after [`learn`](Descriptors::learn); for a
    /// `close`, `of` is what [`forget`](Descriptors::forget) returned.
    pub fn complete(&self, event: &mut Event, of: Option<&Descriptor>) {
        let Some(known) = of.or_else(|| self.get(event.fd?)) else { return };
        let name = |slot: &mut Option<Text>, known: &Option<Text>| {
            if slot.is_none() {
                slot.clone_from(known);
            }
        };
        name(&mut event.local, &known.local);
        name(&mut event.peer, &known.peer);
        if event.datagrams.is_none() {
            event.datagrams = event.says_otherwise(known.datagrams());
        }
    }
}

fn in_range(fd: i32, first: u32, last: u32) -> bool {
    u32::try_from(fd).is_ok_and(|fd| (first..=last).contains(&fd))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DupName;

    fn learn(all: &mut Descriptors, call: impl Into<Call>, fd: Option<i32>, ret: i64) {
        let (call, outcome) = (call.into(), Outcome { fd, ret: Some(ret), errno: None });
        all.learn(&call, &outcome, &call.facts(&outcome));
    }

    fn socket(flags: i32) -> Connection {
        let (family, ty) = (Family::Inet, Type::Stream);
        Connection::Socket(SocketKind { family, ty, protocol: 0, flags })
    }

    fn address() -> Option<Box<socket2::SockAddr>> {
        Some(Box::new(std::net::SocketAddr::from(([127, 0, 0, 1], 5858)).into()))
    }

    #[test]
    fn a_listener_hands_on_what_it_is() {
        let mut all = Descriptors::default();
        learn(&mut all, socket(libc::SOCK_CLOEXEC), None, 3);
        learn(&mut all, Connection::Bind(address()), Some(3), 0);
        learn(&mut all, Connection::Listen(Some(5)), Some(3), 0);
        let listener = all.get(3).unwrap();
        assert!(listener.listens && listener.bound && listener.cloexec == Some(true));
        let accept = Connection::Accept { peer: address(), nonblock: true, cloexec: false };
        learn(&mut all, accept, Some(3), 4);
        let accepted = all.get(4).unwrap();
        assert_eq!(accepted.local.as_deref(), Some("127.0.0.1:5858"));
        assert_eq!((accepted.family, accepted.datagrams()), (Some(Family::Inet), Some(false)));
        assert!(accepted.never_waits && !accepted.listens && !accepted.bound);
    }

    #[test]
    fn a_copy_knows_what_its_origin_does_and_exec_closes_what_is_marked() {
        let mut all = Descriptors::default();
        learn(&mut all, socket(libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK), None, 3);
        let dup = Connection::Dup { how: DupName::Dup, to: None, cloexec: false };
        learn(&mut all, dup.clone(), Some(3), 5);
        assert!(all.get(5).unwrap().never_waits);
        learn(&mut all, crate::Wait::EpollCreate, None, 6);
        assert_eq!(all.get(6).unwrap().socket, Some(false));
        learn(&mut all, dup, Some(9), 6); // of 9 nothing is known, so of its copy neither
        assert_eq!(all.get(6), None);
        let child = all.clone();
        learn(&mut all, crate::Process::Execve("/bin/cat".into()), None, 0);
        assert_eq!((all.get(3), all.get(5).is_some()), (None, true));
        assert!(child.get(3).is_some());
        learn(&mut all, Connection::CloseRange { first: 4, last: 5, cloexec: false }, None, 0);
        assert_eq!(all.get(5), None);
    }

    #[test]
    fn both_of_a_pair_have_a_peer() {
        let mut all = Descriptors::default();
        let kind = SocketKind { family: Family::Unix, ty: Type::Datagram, protocol: 0, flags: 0 };
        learn(&mut all, Connection::Socketpair(kind, Some([3, 4])), None, 0);
        for fd in [3, 4] {
            let one = all.get(fd).unwrap();
            assert_eq!((one.peer.as_deref(), one.datagrams()), (Some("(unnamed)"), Some(true)));
        }
        assert_eq!(all.get(0), None);
    }
}
