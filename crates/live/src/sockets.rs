//! The sockets of the programs, looked at from outside: what `ss` shows, of these processes only.
//!
//! sock_diag(7) tells the state, the queues and the memory of every socket of the host, and /proc/PID/fd which of them a
//! process has. No program is stopped for it, and it makes no call that any program could notice.

use std::collections::{HashMap, HashSet};
use std::fs;

use netplay_inspect::{self as inspect, Ask, Inet, Protocol, State, Unix, UnixName};
use netplay_text::escape::escape;
use serde::Serialize;

/// A socket as the page shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Socket {
    /// Whose it is, `server · fd 4`; `None` if no process has it any more.
    pub(crate) whose: Option<String>,
    /// `tcp`, `udp`, `unix`.
    pub(crate) kind: &'static str,
    /// The state of TCP, as the page's chart names it; `None` for all others.
    pub(crate) state: Option<&'static str>,
    pub(crate) local: String,
    pub(crate) peer: Option<String>,
    pub(crate) queues: Vec<Queue>,
}

/// A queue of a socket.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Queue {
    /// `unread`, `unsent`, `accept`.
    pub(crate) what: &'static str,
    /// How many bytes, or connections.
    pub(crate) n: u32,
    /// How much of the room is used, in the units of the room: bytes with the kernel's overhead, or connections.
    pub(crate) used: u32,
    /// How much there may be; `None` if the kernel does not say.
    pub(crate) room: Option<u32>,
}

/// What is remembered from one look to the next.
#[derive(Default)]
pub(crate) struct Looks {
    /// The processes that may have sockets.
    pub(crate) processes: HashSet<i32>,
    /// Both ends of connections that the programs had: the kernel may keep one when no process has it.
    pub(crate) connections: HashSet<(String, String)>,
}

/// The processes that have a socket, each with its descriptor.
type Owners = Vec<(i32, i32)>;

/// How many connections are remembered.
const MANY: usize = 10_000;

impl Looks {
    /// A connection that a record names.
    pub(crate) fn learn(&mut self, local: Option<&str>, peer: Option<&str>) {
        if let (Some(local), Some(peer)) = (local, peer)
            && self.connections.len() < MANY
        {
            self.connections.insert((local.to_owned(), peer.to_owned()));
        }
    }

    /// The sockets now, in the order of their processes and descriptors. `name` says what a process is called.
    pub(crate) fn look(&mut self, name: &dyn Fn(i32) -> String) -> Vec<Socket> {
        let mut owners: HashMap<u64, Owners> = HashMap::new();
        self.processes.retain(|&pid| match descriptors(pid) {
            Some(all) => {
                all.into_iter().for_each(|(fd, inode)| {
                    owners.entry(inode).or_default().push((pid, fd));
                });
                true
            }
            None => false,
        });
        owners.values_mut().for_each(|of| of.sort_unstable());
        let whose = |inode: u64| -> Option<(Owners, String)> {
            let of = owners.get(&inode)?;
            let words: Vec<String> =
                of.iter().take(3).map(|&(pid, fd)| format!("{} · fd {fd}", name(pid))).collect();
            let more = if of.len() > 3 { " …" } else { "" };
            Some((of.clone(), words.join(", ") + more))
        };
        let mut found: Vec<(Option<Owners>, Socket)> = Vec::new();
        let tcp = inspect::tcp(Ask::all().memory()).unwrap_or_default();
        let udp = inspect::udp(Ask::all().memory()).unwrap_or_default();
        for socket in tcp.iter().chain(&udp) {
            match whose(socket.inode) {
                Some((of, whose)) => {
                    if let Some(peer) = socket.peer {
                        self.learn(Some(&socket.local.to_string()), Some(&peer.to_string()));
                    }
                    found.push((Some(of), inet(socket, Some(whose))));
                }
                None if socket.inode == 0 && self.knows(socket) => {
                    found.push((None, inet(socket, None)))
                }
                None => {}
            }
        }
        if owners.values().map(Vec::len).sum::<usize>() > found.len() {
            for socket in inspect::unix().unwrap_or_default() {
                if let Some((of, whose)) = whose(socket.inode) {
                    found.push((Some(of), unix(&socket, whose)));
                }
            }
        }
        // Those that no process has stand last.
        found.sort_by(|(a, _), (b, _)| (a.is_none(), a).cmp(&(b.is_none(), b)));
        found.into_iter().map(|(_, socket)| socket).collect()
    }

    fn knows(&self, socket: &Inet) -> bool {
        let Some(peer) = socket.peer else { return false };
        self.connections.contains(&(socket.local.to_string(), peer.to_string()))
    }
}

/// The sockets among the descriptors of a process, each with its inode; `None`: it has ended, or is another user's.
fn descriptors(pid: i32) -> Option<Vec<(i32, u64)>> {
    let all = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    let socket = |entry: fs::DirEntry| {
        let fd = entry.file_name().to_str()?.parse().ok()?;
        let link = fs::read_link(entry.path()).ok()?;
        let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()?;
        Some((fd, inode))
    };
    Some(all.flatten().filter_map(socket).collect())
}

fn inet(socket: &Inet, whose: Option<String>) -> Socket {
    let memory = socket.memory;
    let listens = socket.state == State::LISTEN;
    let room = |of: Option<u32>| of.filter(|&room| room > 0);
    let mut queues = Vec::new();
    if listens {
        let (n, backlog) = (socket.receive_queue, socket.send_queue);
        queues.push(Queue { what: "accept", n, used: n, room: room(Some(backlog)) });
    } else if whose.is_some() {
        queues.push(Queue {
            what: "unread",
            n: socket.receive_queue,
            used: memory.map_or(0, |memory| memory.received),
            room: room(memory.map(|memory| memory.receive_buffer)),
        });
        if socket.protocol == Protocol::Tcp {
            queues.push(Queue {
                what: "unsent",
                n: socket.send_queue,
                used: memory.map_or(0, |memory| memory.unsent),
                room: room(memory.map(|memory| memory.send_buffer)),
            });
        }
    }
    let is_tcp = socket.protocol == Protocol::Tcp;
    Socket {
        whose,
        kind: socket.protocol.name(),
        state: is_tcp.then(|| socket.state.in_record()),
        local: socket.local.to_string(),
        peer: socket.peer.map(|peer| peer.to_string()),
        queues,
    }
}

fn unix(socket: &Unix, whose: String) -> Socket {
    let local = match &socket.name {
        None => "(-)".to_owned(),
        Some(UnixName::Path(path)) => escape(path.as_os_str().as_encoded_bytes()),
        Some(UnixName::Abstract(name)) => format!("@{}", escape(name)),
    };
    let what = if socket.listening { "accept" } else { "unread" };
    let room = if socket.listening { socket.send_queue } else { None };
    let queue = socket.receive_queue.map(|n| Queue { what, n, used: n, room });
    Socket {
        whose: Some(whose),
        kind: "unix",
        state: None,
        local,
        peer: None,
        queues: queue.into_iter().collect(),
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test is a program that is looked at")]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn sockets_have_their_state_and_what_lies_in_their_queues() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut client = TcpStream::connect(&address).unwrap();
        let pid = std::process::id() as i32;
        let mut looks = Looks { processes: [pid].into(), ..Looks::default() };
        let name = |_: i32| "test".to_owned();
        let find = |all: Vec<Socket>, fd: i32| {
            let of = Some(format!("test · fd {fd}"));
            all.into_iter().find(|socket| socket.whose == of).unwrap()
        };
        let waits = find(looks.look(&name), listener.as_raw_fd());
        assert_eq!((waits.state, waits.local.as_str()), (Some("LISTEN"), &*address));
        assert_eq!((waits.queues[0].what, waits.queues[0].n), ("accept", 1));
        assert!(waits.queues[0].room.unwrap() > 1);
        let (server, _) = listener.accept().unwrap();
        client.write_all(b"hello").unwrap();
        let reads = find(looks.look(&name), server.as_raw_fd());
        assert_eq!((reads.state, reads.queues[0].n), (Some("ESTABLISHED"), 5));
        assert!(reads.queues[0].used >= 5 && reads.queues[0].room.unwrap() > reads.queues[0].used);
        // What the kernel keeps of a connection is still shown, without a process.
        let mine = client.local_addr().unwrap().to_string();
        drop(client);
        drop(server);
        let all = looks.look(&name);
        let kept: Vec<_> =
            all.iter().filter(|of| of.local == mine || of.peer.as_ref() == Some(&mine)).collect();
        assert!(kept.iter().all(|of| of.whose.is_none()), "{kept:?}");
    }
}
