//! The scripts of the demos: what happens, one step after the other. Rows share them, so that pages of one
//! kind can be compared.

/// What a demo does, between the start of the server and its stop.
#[derive(Debug)]
pub struct Demo {
    /// Options of its server: `--workers=2`.
    pub server: &'static [&'static str],
    /// Options of its clients.
    pub client: &'static [&'static str],
    /// One step after the other.
    pub steps: &'static [Step],
}

impl Demo {
    /// One without options.
    #[must_use]
    pub const fn of(steps: &'static [Step]) -> Demo {
        Demo { server: &[], client: &[], steps }
    }
}

/// A step of a demo. Clients are called A, B, C.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// Before all other steps: put a file with these contents into the demo's own folder. A file
    /// server serves the folder `server` in it, and clients run in the folder `client`.
    File(&'static str, &'static str),
    /// The client starts, and connects or sends.
    Start(char),
    /// It sends this; it starts first, if it has not.
    Say(char, &'static str),
    /// Wait until it has received something.
    Hear(char),
    /// It ends its input (and starts first, if it has not); wait until it has ended.
    Leave(char),
    /// A further server starts at the address of the first.
    Join,
    /// Wait until the servers have received this many datagrams in total.
    Received(u32),
    /// Tell the server that was started last to end; wait until it has.
    Part,
    /// Do nothing for this many milliseconds, so that a wait can be seen.
    Pause(u64),
}

use Step::{File, Hear, Join, Leave, Part, Pause, Received, Say, Start};

/// One client that sends nothing.
pub const LEAVE: &[Step] = &[Leave('A')];

/// One client, two messages.
pub const ONE: &[Step] = &[Say('A', "hello"), Hear('A'), Say('A', "world"), Hear('A'), Leave('A')];

/// The second client is served while the first is still there.
pub const TWO: &[Step] = &[
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
pub const THREE: &[Step] = &[
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

/// Three clients of a server with a buffer of 16 bytes: a message that fills it, a longer one, a shorter one.
pub const TO_THE_LAST_BYTE: &[Step] = &[
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
pub const WAITS: &[Step] = &[
    Start('A'),
    Say('A', "hello from A"),
    Hear('A'),
    Start('B'),
    Say('B', "are you there?"),
    Pause(400),
    Leave('A'),
    Hear('B'),
    Leave('B'),
];

/// Three clients for two workers: the third is connected at once, and served when another leaves.
pub const A_POOL_OF_TWO: &[Step] = &[
    Start('A'),
    Say('A', "hello from A"),
    Hear('A'),
    Start('B'),
    Say('B', "hello from B"),
    Hear('B'),
    Start('C'),
    Say('C', "are you there?"),
    Pause(400),
    Say('A', "still here"),
    Hear('A'),
    Leave('B'),
    Hear('C'),
    Leave('A'),
    Leave('C'),
];

/// A client for each message, with time between them.
pub const ONE_SHOT: &[Step] =
    &[Pause(100), Say('A', "hello"), Pause(100), Say('A', "world"), Pause(100), Leave('A')];

/// Two receivers, one of which leaves the group before the end.
pub const TO_EVERYBODY: &[Step] = &[
    Join,
    Say('A', "to whom it may concern"),
    Received(2),
    Part,
    Say('A', "to all who are left"),
    Received(3),
    Leave('A'),
];

/// One file is sent, then two are fetched, and one that does not exist.
pub const FILES: &[Step] = &[
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

/// A file is sent and fetched again, each time over its own data connection.
pub const THERE_AND_BACK: &[Step] = &[
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
