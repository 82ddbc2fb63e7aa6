//! The table of examples, which is also the table of contents: a page may use what earlier pages
//! taught, never a later one.
//!
//! The command line, the demos and the tests all read [`TABLE`]; nothing else knows the examples by
//! name.

pub mod row;
pub mod tcp_echo;
pub mod udp_echo;
pub mod unix_echo;
pub mod iterative;
pub mod fork;
pub mod thread;
pub mod handler;
pub mod prefork;
pub mod pool;
pub mod nonblocking;
pub mod select;
pub mod poll;
pub mod epoll;
pub mod io_uring;
pub mod multicast;
pub mod ping;
pub mod sockopt;
pub mod mini_ftp;
pub mod ftp;

use std::borrow::Cow;

use crate::server::{Reply, Stamp};
use row::{Client, Server, Task};

pub use row::{Example, Tool};

/// Where a server can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// HOST and PORT.
    Internet,
    /// HOST alone: what is asked there has no ports.
    Host,
    /// A group and a PORT, which several servers can share.
    Group {
        /// The group that is meant when none is named.
        v4: &'static str,
        /// The same over IPv6.
        v6: &'static str,
    },
    /// A path.
    Path,
}

/// What a server is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// It answers what a client sends: the bytes themselves, a stamp, a text.
    Echo,
    /// It keeps files, in the folder that its option `--root` names.
    Files,
    /// Something else, whatever `--reply` says; its tests are its own.
    Other,
}

/// What a demo does, beside starting the server first and stopping it last.
#[derive(Debug)]
pub struct Demo {
    /// Options of its server: `--workers=2`.
    pub server: &'static [&'static str],
    /// Options of its clients.
    pub client: &'static [&'static str],
    /// One step after the other.
    pub steps: &'static [Step],
}

/// A step of a demo. Clients are called A, B, C.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// Before all that: there is a file in the demo's own folder, with these contents. A server of
    /// files serves its `server`, and clients run in its `client`.
    File(&'static str, &'static str),
    /// The client starts, and connects or sends.
    Start(char),
    /// It sends this; it starts first, if it has not.
    Say(char, &'static str),
    /// Wait until it has received something.
    Hear(char),
    /// It has nothing more to say, and starts first, if it has not; wait until it has ended.
    Leave(char),
    /// A further server starts at the address of the first.
    Join,
    /// Wait until the servers have received so many datagrams, all of them together.
    Received(u32),
    /// The server that came last is told to end; wait until it has.
    Part,
    /// Nothing happens for so many milliseconds, to be seen as waiting.
    Pause(u64),
}

use Step::{File, Hear, Join, Leave, Part, Pause, Received, Say, Start};

/// One client, two messages.
const ONE: &[Step] = &[Say('A', "hello"), Hear('A'), Say('A', "world"), Hear('A'), Leave('A')];

/// The second client is served while the first is still there.
const TWO: &[Step] = &[
    Start('A'),
    Say('A', "hello from A"),
    Hear('A'),
    Start('B'),
    Say('B', "hello from B"),
    Hear('B'),
    Say('A', "still here"),
    Hear('A'),
    Leave('B'),
    Leave('A'),
];

/// Three clients, in no order.
const THREE: &[Step] = &[
    Start('A'),
    Start('B'),
    Start('C'),
    Say('B', "B is first"),
    Hear('B'),
    Say('C', "then C"),
    Hear('C'),
    Say('A', "A at last"),
    Hear('A'),
    Leave('B'),
    Leave('A'),
    Leave('C'),
];

/// Three clients of a server with a buffer of 16 bytes: what fills it, more than that, and less.
const TO_THE_LAST_BYTE: &[Step] = &[
    Start('A'),
    Start('B'),
    Start('C'),
    Say('B', "exactly 16 bytes"),
    Hear('B'),
    Say('C', "much more than 16 bytes at once"),
    Hear('C'),
    Say('A', "a few"),
    Hear('A'),
    Leave('B'),
    Leave('A'),
    Leave('C'),
];

/// The second client is connected at once, and has to wait.
const WAITS: &[Step] = &[
    Start('A'),
    Say('A', "hello from A"),
    Hear('A'),
    Start('B'),
    Say('B', "is anybody there?"),
    Pause(400),
    Leave('A'),
    Hear('B'),
    Leave('B'),
];

/// Three clients for two workers: the third is connected at once, and served when another leaves.
const A_POOL_OF_TWO: &[Step] = &[
    Start('A'),
    Say('A', "hello from A"),
    Hear('A'),
    Start('B'),
    Say('B', "hello from B"),
    Hear('B'),
    Start('C'),
    Say('C', "is anybody there?"),
    Pause(400),
    Say('A', "still here"),
    Hear('A'),
    Leave('B'),
    Hear('C'),
    Leave('A'),
    Leave('C'),
];

/// A client for each message, with time between them.
const ONE_SHOT: &[Step] =
    &[Pause(100), Say('A', "hello"), Pause(100), Say('A', "world"), Pause(100), Leave('A')];

/// Two receivers, of whom one leaves the group before the end.
const TO_EVERYBODY: &[Step] = &[
    Join,
    Say('A', "to whom it may concern"),
    Received(2),
    Part,
    Say('A', "to whoever is left"),
    Received(3),
    Leave('A'),
];

/// A file goes there, and comes back with another; and one that is not there.
const FILES: &[Step] = &[
    File("server/hello.txt", "hello from the server\n"),
    File("server/世界.txt", "a name is bytes\n"),
    File("client/poem.txt", "the sea is wide\nthe packet small\n"),
    Say('A', "list"),
    Hear('A'),
    Say('A', "upload poem.txt"),
    Say('A', "download hello.txt"),
    Say('A', "download nothing.txt"),
    Say('A', "list"),
    Leave('A'),
];

/// A file goes there and comes back: each time over a data connection of its own.
const THERE_AND_BACK: &[Step] = &[
    File("server/welcome.txt", "Welcome.\n"),
    File("client/poem.txt", POEM),
    // Each side finds its own, in the folder that it runs in.
    File("password", "in-the-clear\n"),
    File("client/password", "in-the-clear\n"),
    Start('A'),
    Say('A', "upload poem.txt"),
    Say('A', "list"),
    Say('A', "download welcome.txt"),
    Say('A', "verify poem.txt"),
    Leave('A'),
];

const POEM: &str = "\
Two roads there are from here to there:
the one for words, the other to bear
the load; and when the load is through
the road is closed, and made anew.
";

const STAMP: Stamp = Stamp { open: "[", middle: "] :", close: "" };

const PLAIN: &[&str] = &[];

/// All examples, in reading order.
pub static TABLE: &[Example] = &[
    Example {
        name: "tcp-echo",
        short: Some("tcp"),
        summary: "a TCP server and client, one connection after the other",
        watch: "the listener never carries a byte: accept makes a second socket for the client, and \
                the server speaks on that one",
        place: Place::Internet,
        service: Service::Echo,
        reply: Some(Reply::Stamp(tcp_echo::STAMP)),
        server: Some(&tcp_echo::serve),
        client: &tcp_echo::client,
        tools: &[],
        demo: Demo { server: PLAIN, client: PLAIN, steps: ONE },
        next: "netplay udp-echo demo",
        source: include_str!("tcp_echo.rs"),
        lesson: "tcp",
    },
    Example {
        name: "udp-echo",
        short: Some("udp"),
        summary: "datagrams: nobody is connected, each message says who sent it",
        watch: "no listen, no accept: one socket serves everybody, and recvfrom tells whom to answer",
        place: Place::Internet,
        service: Service::Echo,
        reply: Some(Reply::Stamp(udp_echo::STAMP)),
        server: Some(&udp_echo::serve),
        client: &udp_echo::client,
        tools: &[],
        demo: Demo { server: PLAIN, client: PLAIN, steps: ONE },
        next: "netplay unix-echo demo",
        source: include_str!("udp_echo.rs"),
        lesson: "udp",
    },
    Example {
        name: "unix-echo",
        short: Some("unix"),
        summary: "the same calls without a network: a socket with a path",
        watch: "only the address differs: a file; the client has no name at all",
        place: Place::Path,
        service: Service::Echo,
        reply: Some(Reply::Stamp(STAMP)),
        server: Some(&unix_echo::serve),
        client: &unix_echo::client,
        tools: &[],
        demo: Demo { server: PLAIN, client: PLAIN, steps: ONE },
        next: "netplay iterative demo",
        source: include_str!("unix_echo.rs"),
        lesson: "unix",
    },
    Example {
        name: "iterative",
        short: None,
        summary: "one request at a time: over UDP a datagram, over TCP a whole connection",
        watch: "client B is connected at once, by the kernel; but its answer comes only when A is gone",
        place: Place::Internet,
        service: Service::Echo,
        reply: Some(Reply::Stamp(udp_echo::STAMP)),
        server: Some(&Server(iterative::serve)),
        client: &Client(iterative::client),
        tools: &[],
        demo: Demo { server: &["--tcp"], client: &["--tcp"], steps: WAITS },
        next: "netplay fork demo",
        source: include_str!("iterative.rs"),
        lesson: "iterative",
    },
    Example {
        name: "fork",
        short: None,
        summary: "a process for each client",
        watch: "fork returns twice; the parent closes the client's socket, the child the listener",
        place: Place::Internet,
        service: Service::Echo,
        reply: Some(Reply::Text(Cow::Borrowed(b"recv your message"))),
        server: Some(&fork::serve),
        client: &tcp_echo::client,
        tools: &[],
        demo: Demo { server: PLAIN, client: PLAIN, steps: TWO },
        next: "netplay thread demo",
        source: include_str!("fork.rs"),
        lesson: "fork",
    },
    Example {
        name: "thread",
        short: None,
        summary: "a thread for each client",
        watch: "B is served while A is still connected: each recv waits in a thread of its own",
        place: Place::Internet,
        service: Service::Echo,
        reply: Some(Reply::Text(Cow::Borrowed(b"receive your message"))),
        server: Some(&thread::serve),
        client: &tcp_echo::client,
        tools: &[],
        demo: Demo { server: PLAIN, client: PLAIN, steps: TWO },
        next: "netplay prefork demo",
        source: include_str!("thread.rs"),
        lesson: "thread",
    },
    Example {
        name: "handler",
        short: None,
        summary: "a server for any conversation: iterative, forking or threading, over TCP or UDP",
        watch: "the calls are those of the fork page; only who makes them is decided elsewhere",
        place: Place::Internet,
        service: Service::Echo,
        reply: Some(Reply::Stamp(STAMP)),
        server: Some(&Server(handler::serve)),
        client: &Client(handler::client),
        tools: &[],
        demo: Demo { server: PLAIN, client: PLAIN, steps: TWO },
        next: "netplay handler server --style threading",
        source: include_str!("handler/mod.rs"),
        lesson: "handler",
    },
    Example {
        name: "prefork",
        short: None,
        summary: "a few processes, made before the first client comes",
        watch: "no fork for a client, and no client without a worker: C is connected at once, and \
                served when B leaves",
        place: Place::Internet,
        service: Service::Echo,
        reply: Some(Reply::Stamp(STAMP)),
        server: Some(&Server(prefork::serve)),
        client: &tcp_echo::client,
        tools: &[],
        demo: Demo { server: &["--workers=2"], client: PLAIN, steps: A_POOL_OF_TWO },
        next: "netplay prefork server --accept lock",
        source: include_str!("prefork/mod.rs"),
        lesson: "prefork",
    },
    Example {
        name: "pool",
        short: None,
        summary: "the same with threads: a few, that take turns at the clients",
        watch: "two threads sleep in accept on one listener; C is connected at once, and served when \
                B leaves",
        place: Place::Internet,
        service: Service::Echo,
        reply: Some(Reply::Stamp(STAMP)),
        server: Some(&Server(pool::serve)),
        client: &tcp_echo::client,
        tools: &[],
        demo: Demo { server: &["--workers=2"], client: PLAIN, steps: A_POOL_OF_TWO },
        next: "netplay nonblocking demo",
        source: include_str!("pool.rs"),
        lesson: "pool",
    },
    Example {
        name: "nonblocking",
        short: None,
        summary: "calls that never wait: a busy loop, and what it costs",
        watch: "the server is never asleep: count the EAGAINs between one client and the next",
        place: Place::Internet,
        service: Service::Echo,
        reply: None,
        server: Some(&Server(nonblocking::serve)),
        client: &nonblocking::client,
        tools: &[],
        demo: Demo { server: PLAIN, client: PLAIN, steps: ONE_SHOT },
        next: "netplay nonblocking server --blocking",
        source: include_str!("nonblocking/mod.rs"),
        lesson: "nonblocking",
    },
    Example {
        name: "select",
        short: None,
        summary: "one thread, many clients: the kernel says which socket is ready",
        watch: "one call waits for everybody; A, B and C are served in the order in which they speak",
        place: Place::Internet,
        service: Service::Echo,
        reply: Some(Reply::Stamp(STAMP)),
        server: Some(&select::serve),
        client: &tcp_echo::client,
        tools: &[],
        demo: Demo { server: PLAIN, client: PLAIN, steps: THREE },
        next: "netplay poll demo",
        source: include_str!("select.rs"),
        lesson: "select",
    },
    Example {
        name: "poll",
        short: None,
        summary: "the same with a list of descriptors, and an event for each thing that can happen",
        watch: "the list stays; what happened is written into it: POLLIN, POLLHUP, POLLERR",
        place: Place::Internet,
        service: Service::Echo,
        reply: Some(Reply::Text(Cow::Borrowed(b"receive message"))),
        server: Some(&poll::serve),
        client: &tcp_echo::client,
        tools: &[],
        demo: Demo { server: PLAIN, client: PLAIN, steps: THREE },
        next: "netplay epoll demo",
        source: include_str!("poll.rs"),
        lesson: "poll",
    },
    Example {
        name: "epoll",
        short: None,
        summary: "the list stays in the kernel, and a wait brings only what has happened",
        watch: "an edge is told once: so the server receives until nothing is left, and B's last recv \
                would wait for ever on a blocking socket",
        place: Place::Internet,
        service: Service::Echo,
        reply: Some(Reply::Stamp(STAMP)),
        server: Some(&Server(epoll::serve)),
        client: &tcp_echo::client,
        tools: &[],
        demo: Demo {
            server: &["--edge", "--bufsize=16", "--reply=echo"],
            client: PLAIN,
            steps: TO_THE_LAST_BYTE,
        },
        next: "netplay io-uring demo",
        source: include_str!("epoll.rs"),
        lesson: "epoll",
    },
    Example {
        name: "io-uring",
        short: None,
        summary: "operations instead of calls: the kernel says what is done, not who is ready",
        watch: "each recv is submitted before its bytes have come, and one io_uring_enter moves as many \
                submissions and answers as there are",
        place: Place::Internet,
        service: Service::Echo,
        reply: Some(Reply::Stamp(STAMP)),
        server: Some(&Server(io_uring::serve)),
        client: &tcp_echo::client,
        tools: &[],
        demo: Demo { server: &["--reply=echo"], client: PLAIN, steps: THREE },
        next: "netplay io-uring server --single-shot",
        source: include_str!("io_uring/mod.rs"),
        lesson: "io-uring",
    },
    Example {
        name: "multicast",
        short: None,
        summary: "one datagram for many: a group that anybody can join, and leave",
        watch: "one sendto, and each member has a copy; the sender learns neither who is in the group nor \
                whether anybody is",
        place: Place::Group { v4: multicast::GROUP, v6: multicast::GROUP_V6 },
        service: Service::Other,
        reply: None,
        server: Some(&Server(multicast::serve)),
        client: &Client(multicast::client),
        tools: &[],
        demo: Demo { server: PLAIN, client: PLAIN, steps: TO_EVERYBODY },
        next: "netplay multicast client 127.255.255.255, without and with --broadcast",
        source: include_str!("multicast.rs"),
        lesson: "multicast",
    },
    Example {
        name: "ping",
        short: None,
        summary: "is anybody there? ICMP echo: no ports, no program, and the kernel answers",
        watch: "the reply is the request with another type, so the checksum changes by just that; \
                the identifier is where UDP has a port",
        place: Place::Host,
        service: Service::Other,
        reply: None,
        server: None,
        client: &Client(ping::client),
        tools: &[],
        demo: Demo {
            server: PLAIN,
            client: &["--headers", "--count=2", "--interval=0.2"],
            steps: &[Leave('A')],
        },
        next: "netplay ping --raw --headers, as root: the IP header, too",
        source: include_str!("ping/mod.rs"),
        lesson: "ping",
    },
    Example {
        name: "mini-ftp",
        short: None,
        summary: "files, a connection for each command, and nothing that frames them",
        watch: "nothing says where a name ends, or a file, or whether there is one: \
                the pauses and the closes are the protocol",
        place: Place::Internet,
        service: Service::Files,
        reply: None,
        server: Some(&Server(mini_ftp::serve)),
        client: &mini_ftp::client,
        tools: &[],
        demo: Demo { server: PLAIN, client: PLAIN, steps: FILES },
        next: "netplay mini-ftp server --root DIR",
        source: include_str!("mini_ftp/mod.rs"),
        lesson: "mini-ftp",
    },
    Example {
        name: "ftp",
        short: None,
        summary: "a file server that every FTP client can use: two connections, lines and bytes",
        watch: "each file and each listing has a connection of its own, whose port PASV tells as two \
                decimal numbers; its end is the end of the file",
        place: Place::Internet,
        service: Service::Files,
        reply: None,
        server: Some(&Server(ftp::serve)),
        client: &Client(ftp::client),
        tools: &[
            Tool {
                name: "get",
                about: "Fetch files: each has its name when it is whole, and FILE.part until then",
                run: &Task(ftp::get),
            },
            Tool {
                name: "put",
                about: "Send files: to the name in the URL, or into its folder if it ends with /",
                run: &Task(ftp::put),
            },
        ],
        demo: Demo {
            server: &["--user=student", "--password-file=password"],
            client: &["--user=student", "--password-file=password"],
            steps: THERE_AND_BACK,
        },
        next: "netplay ftp server --anonymous, and curl ftp://127.0.0.1:5858/ beside it",
        source: include_str!("ftp/mod.rs"),
        lesson: "ftp",
    },
];
