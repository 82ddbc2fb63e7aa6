//! Bytes that move.

use netplay_record::{
    Bytes, Control, Data, Header, Many, ManyIn, Receive, Send, Strace, part, strace,
    strace::message_flags,
};
use socket2::SockAddr;

use super::address;
use super::asked::{Answer, Asked, Interests, Said, Scene};
use super::words::bits;
use crate::memory::{Memory, Span};

/// The size of a `struct msghdr`, and of a `struct mmsghdr`, which has a length behind it.
pub(super) const MSGHDR: usize = 56;
const MMSGHDR: usize = 64;

/// The bytes in several parts of the memory: the first of `len`.
fn data(memory: Memory, spans: &[Span], len: usize, keep: usize) -> Data {
    let all: usize = spans.iter().map(|span| span.len).sum();
    let len = len.min(all);
    Data { len, first: memory.gather(spans, len.min(keep)), hidden: 0 }
}

fn one(at: u64, len: usize) -> [Span; 1] {
    [Span { at, len }]
}

/// What a call was given to send.
fn sending(asked: &Asked, scene: Scene<'_>, flags: i32) -> Send {
    let len = asked.size(2);
    Send { flags, data: data(scene.memory, &one(asked.args[1], len), len, scene.keep) }
}

/// The buffer of a call that receives, and what it has received.
fn receiving(asked: &Asked, answer: Answer, scene: Scene<'_>, flags: i32) -> Receive {
    let (at, room) = (asked.args[1], asked.size(2));
    let data = answer.done().map(|n| data(scene.memory, &one(at, room), n as usize, scene.keep));
    Receive { flags, at: at as usize, room, data }
}

/// A buffer's contents, or where it is.
fn shown(data: Option<&Data>, at: u64, keep: usize) -> String {
    match data {
        Some(data) if data.len == 0 || keep == 0 || !data.first.is_empty() => {
            strace::quoted_of(&data.first, data.len)
        }
        _ if at == 0 => "NULL".to_owned(),
        _ => format!("{at:#x}"), // nothing came, or nothing is there
    }
}

pub(super) fn sendto(asked: &Asked, scene: Scene<'_>) -> Said {
    let send = sending(asked, scene, asked.int(3));
    let (to, to_text) = address::given(scene.memory, asked.args[4], asked.args[5] as u32);
    let (text, flags) =
        (shown(Some(&send.data), asked.args[1], scene.keep), message_flags(send.flags));
    let args = format!("{}, {text}, {}, {flags}, {to_text}", asked.int(0), asked.size(2));
    let call = match to {
        Some(to) => Bytes::Sendto(send, Some(to.into())),
        None => Bytes::Send(send),
    };
    said(asked, call, args)
}

pub(super) fn recvfrom(asked: &Asked, answer: Answer, scene: Scene<'_>) -> Said {
    let receive = receiving(asked, answer, scene, asked.int(3));
    let at = (asked.args[4], asked.args[5]);
    let room = asked.before_u32(0);
    let (from, from_text) = address::answered(scene.memory, at, room, answer.done().is_some());
    let (text, flags) =
        (shown(receive.data.as_ref(), asked.args[1], scene.keep), message_flags(receive.flags));
    let args = format!("{}, {text}, {}, {flags}, {from_text}", asked.int(0), asked.size(2));
    let call = match asked.args[4] {
        0 => Bytes::Recv(receive),
        _ => Bytes::Recvfrom(receive, from.map(Box::new)),
    };
    said(asked, call, args)
}

pub(super) fn read(asked: &Asked, answer: Answer, scene: Scene<'_>) -> Said {
    let receive = receiving(asked, answer, scene, 0);
    let text = shown(receive.data.as_ref(), asked.args[1], scene.keep);
    let args = format!("{}, {text}, {}", asked.int(0), asked.size(2));
    said(asked, Bytes::Read(receive), args)
}

pub(super) fn write(asked: &Asked, scene: Scene<'_>) -> Said {
    let send = sending(asked, scene, 0);
    let args = format!(
        "{}, {}, {}",
        asked.int(0),
        shown(Some(&send.data), asked.args[1], scene.keep),
        asked.size(2)
    );
    said(asked, Bytes::Write(send), args)
}

pub(super) fn readv(asked: &Asked, answer: Answer, scene: Scene<'_>) -> Said {
    let spans = scene.memory.spans(asked.args[1], asked.size(2));
    let (receive, text) = scattered(&spans, answer, scene, 0);
    let args = format!("{}, {text}, {}", asked.int(0), asked.size(2));
    said(asked, Bytes::Readv(receive), args)
}

pub(super) fn writev(asked: &Asked, scene: Scene<'_>) -> Said {
    let spans = scene.memory.spans(asked.args[1], asked.size(2));
    let (send, text) = gathered(&spans, scene, 0);
    let args = format!("{}, {text}, {}", asked.int(0), asked.size(2));
    said(asked, Bytes::Writev(send), args)
}

/// What was received into several buffers, and strace's words for them.
fn scattered(spans: &[Span], answer: Answer, scene: Scene<'_>, flags: i32) -> (Receive, String) {
    let room = spans.iter().map(|span| span.len).sum();
    let at = spans.first().map_or(0, |span| span.at) as usize;
    let taken = answer.done().map(|n| n as usize);
    let data = taken.map(|n| data(scene.memory, spans, n, scene.keep));
    (Receive { flags, at, room, data }, parts(spans, taken.unwrap_or(0), scene.memory))
}

/// What was given in several buffers, and strace's words for them.
fn gathered(spans: &[Span], scene: Scene<'_>, flags: i32) -> (Send, String) {
    let all = spans.iter().map(|span| span.len).sum();
    let send = Send { flags, data: data(scene.memory, spans, all, scene.keep) };
    (send, parts(spans, all, scene.memory))
}

/// `[{iov_base="hello", iov_len=5}]`, of which this many bytes are valid.
fn parts(spans: &[Span], mut valid: usize, memory: Memory) -> String {
    let part = |span: &Span| {
        let here = span.len.min(valid);
        valid -= here;
        let bytes = memory.bytes(span.at, here.min(strace::STRING));
        let text = match here == 0 && span.len > 0 {
            true => "\"\"".to_owned(),
            false => strace::quoted_of(&bytes, here),
        };
        format!("{{iov_base={text}, iov_len={}}}", span.len)
    };
    strace::array(spans.iter().map(part))
}

/// A `struct msghdr` in memory.
struct Msghdr {
    name: u64,
    name_len: u32,
    spans: Vec<Span>,
    control: u64,
    control_len: usize,
    flags: i32,
}

impl Msghdr {
    fn read(memory: Memory, bytes: &[u8]) -> Msghdr {
        let word = |at| u64::from_ne_bytes(part(bytes, at));
        Msghdr {
            name: word(0),
            name_len: word(8) as u32,
            spans: memory.spans(word(16), word(24) as usize),
            control: word(32),
            control_len: word(40) as usize,
            flags: word(48) as i32,
        }
    }

    /// The control messages: cmsg(3).
    fn controls(&self, memory: Memory) -> Vec<Control> {
        let bytes = memory.bytes(self.control, self.control_len.min(4096));
        let mut all = Vec::new();
        let mut at = 0;
        while at + 16 <= bytes.len() {
            let len = u64::from_ne_bytes(part(&bytes, at)) as usize;
            if len < 16 || at + len > bytes.len() {
                break;
            }
            let int = |from| i32::from_ne_bytes(part(&bytes, from));
            let data = bytes[at + 16..at + len].to_vec();
            all.push(Control { level: int(at + 8), name: int(at + 12), data });
            at += len.next_multiple_of(8);
        }
        all
    }
}

/// The descriptors that control messages pass: SCM_RIGHTS (unix(7)).
pub(super) fn passed(controls: &[Control]) -> Vec<i32> {
    let rights = controls.iter().filter(|one| one.kind() == (libc::SOL_SOCKET, libc::SCM_RIGHTS));
    let numbers = rights.flat_map(|one| one.data.chunks_exact(4));
    numbers.map(|number| i32::from_ne_bytes(part(number, 0))).collect()
}

/// `, msg_control=[…], msg_controllen=24`
fn control_text(controls: &[Control], len: usize) -> String {
    let all: Vec<String> = controls.iter().map(Control::strace).collect();
    match all.is_empty() {
        true => format!("msg_controllen={len}"),
        false => format!("msg_control=[{}], msg_controllen={len}", all.join(", ")),
    }
}

/// A message to be sent, in strace's words.
fn outgoing(
    header: &Msghdr,
    scene: Scene<'_>,
    flags: i32,
) -> (Send, Option<SockAddr>, Vec<i32>, String) {
    let (send, iov) = gathered(&header.spans, scene, flags);
    let to = address::read(scene.memory, header.name, header.name_len);
    let to_text = address::words(scene.memory, header.name, header.name_len, to.as_ref());
    let controls = header.controls(scene.memory);
    let text = format!(
        "{{msg_name={to_text}, msg_namelen={}, msg_iov={iov}, msg_iovlen={}, {}, msg_flags={}}}",
        header.name_len,
        header.spans.len(),
        control_text(&controls, header.control_len),
        message_flags(header.flags),
    );
    (send, to, passed(&controls), text)
}

pub(super) fn sendmsg(asked: &Asked, scene: Scene<'_>) -> Said {
    let header = Msghdr::read(scene.memory, &scene.memory.bytes(asked.args[1], MSGHDR));
    let (send, to, passed, text) = outgoing(&header, scene, asked.int(2));
    let args = format!("{}, {text}, {}", asked.int(0), message_flags(asked.int(2)));
    said(asked, Bytes::Sendmsg(send, to.map(Box::new), passed), args)
}

pub(super) fn sendmmsg(asked: &Asked, answer: Answer, scene: Scene<'_>) -> Said {
    let count = asked.size(2).min(1024);
    let taken = answer.done().unwrap_or(0) as usize;
    let all = scene.memory.bytes(asked.args[1], count * MMSGHDR);
    let mut many = Many { flags: asked.int(3), datagrams: Vec::new(), to: None };
    let mut texts = Vec::new();
    for (i, bytes) in all.chunks_exact(MMSGHDR).enumerate() {
        let header = Msghdr::read(scene.memory, bytes);
        let (send, to, _, text) = outgoing(&header, scene, many.flags);
        let len = u32::from_ne_bytes(part(bytes, MSGHDR));
        let len = if i < taken { format!(", msg_len={len}") } else { String::new() };
        texts.push(format!("{{msg_hdr={text}{len}}}"));
        many.datagrams.push(send.data);
        many.to = many.to.or_else(|| to.map(Box::new));
    }
    let args = format!(
        "{}, {}, {}, {}",
        asked.int(0),
        strace::array(texts.into_iter()),
        asked.int(2),
        message_flags(many.flags)
    );
    said(asked, Bytes::Sendmmsg(many), args)
}

/// A message that an operation of a ring sends; `moved` once it has.
pub(super) fn message_out(
    memory: Memory,
    at: u64,
    moved: Option<usize>,
    keep: usize,
    flags: u32,
) -> Bytes {
    let header = Msghdr::read(memory, &memory.bytes(at, MSGHDR));
    let scene = Scene { memory, keep, interests: &Interests::default() };
    let (send, to, passed, _) = outgoing(&header, scene, flags.cast_signed());
    let send = if moved.is_some() { send } else { Send { data: Data::default(), ..send } };
    Bytes::Sendmsg(send, to.map(Box::new), passed)
}

/// A message that an operation of a ring receives; `moved` once it has.
pub(super) fn message_in(
    memory: Memory,
    at: u64,
    moved: Option<usize>,
    keep: usize,
    flags: u32,
) -> Bytes {
    let Some(moved) = moved else { return Bytes::Recvmsg(Receive::default(), None) };
    let header = Msghdr::read(memory, &memory.bytes(at, MSGHDR));
    let scene = Scene { memory, keep, interests: &Interests::default() };
    // The length of the name's buffer before is not known any more.
    let room = header.name_len;
    let (receive, header, _) = incoming(&header, room, moved, scene, flags.cast_signed());
    Bytes::Recvmsg(receive, Some(header.into()))
}

/// A message that was received: where its sender is, its bytes, and strace's words; `room` is the length of the
/// name's buffer before.
fn incoming(
    header: &Msghdr,
    room: u32,
    taken: usize,
    scene: Scene<'_>,
    flags: i32,
) -> (Receive, Header, String) {
    let (receive, iov) = scattered(&header.spans, Answer::Done(taken as i64), scene, flags);
    let from = address::read(scene.memory, header.name, header.name_len.min(room));
    let from = from.filter(|_| header.name_len > 0);
    let name = match header.name_len {
        0 if header.name == 0 => "NULL".to_owned(),
        0 => format!("{:#x}", header.name),
        len => address::words(scene.memory, header.name, len.min(room), from.as_ref()),
    };
    let name_len = match header.name_len == room {
        true => room.to_string(),
        false => format!("{room} => {}", header.name_len),
    };
    let controls = header.controls(scene.memory);
    let text = format!(
        "{{msg_name={name}, msg_namelen={name_len}, msg_iov={iov}, msg_iovlen={}, {}, msg_flags={}}}",
        header.spans.len(),
        control_text(&controls, header.control_len),
        message_flags(header.flags),
    );
    let said = Header {
        name: from,
        control: controls,
        control_len: header.control_len,
        flags: header.flags,
    };
    (receive, said, text)
}

pub(super) fn recvmsg(asked: &Asked, answer: Answer, scene: Scene<'_>) -> Said {
    let (fd, asked_flags) = (asked.int(0), asked.int(2));
    let room = asked.before_u32(8);
    let bytes = scene.memory.bytes(asked.args[1], MSGHDR);
    let header = Msghdr::read(scene.memory, &bytes);
    let Some(taken) = answer.done() else {
        let room_of = header.spans.iter().map(|span| span.len).sum();
        let at = header.spans.first().map_or(0, |span| span.at) as usize;
        let receive = Receive { flags: asked_flags, at, room: room_of, data: None };
        let args = format!("{fd}, {{msg_namelen={room}}}, {}", message_flags(asked_flags));
        return said(asked, Bytes::Recvmsg(receive, None), args);
    };
    let (receive, header, text) = incoming(&header, room, taken as usize, scene, asked_flags);
    let args = format!("{fd}, {text}, {}", message_flags(asked_flags));
    said(asked, Bytes::Recvmsg(receive, Some(header.into())), args)
}

pub(super) fn recvmmsg(asked: &Asked, answer: Answer, scene: Scene<'_>) -> Said {
    let (fd, room, asked_flags) = (asked.int(0), asked.size(2), asked.int(3));
    let came = answer.done().unwrap_or(0) as usize;
    let all = scene.memory.bytes(asked.args[1], came.min(1024) * MMSGHDR);
    let mut many = ManyIn { flags: asked_flags, room, datagrams: Vec::new(), from: None };
    let mut texts = Vec::new();
    for (i, bytes) in all.chunks_exact(MMSGHDR).enumerate() {
        let header = Msghdr::read(scene.memory, bytes);
        let name_room = asked.before_u32(i * MMSGHDR + 8);
        let len = u32::from_ne_bytes(part(bytes, MSGHDR)) as usize;
        let (receive, header, text) = incoming(&header, name_room, len, scene, asked_flags);
        texts.push(format!("{{msg_hdr={text}, msg_len={len}}}"));
        many.datagrams.extend(receive.data);
        many.from = many.from.or_else(|| header.name.map(Box::new));
    }
    let texts =
        if came == 0 { format!("{:#x}", asked.args[1]) } else { strace::array(texts.into_iter()) };
    // The kernel writes into the time how much of it is left.
    let time = asked.before.len().checked_sub(16).filter(|_| asked.args[4] != 0);
    let time = time.map(|at| strace::timespec(super::wait::timespec(&asked.before[at..])));
    let limit = time.as_deref().unwrap_or("NULL");
    let args = format!("{fd}, {texts}, {room}, {}, {limit}", message_flags(asked_flags));
    let mut said = said(asked, Bytes::Recvmmsg(many), args);
    if time.is_some() && came > 0 {
        let left = super::wait::timespec(&scene.memory.array::<16>(asked.args[4]));
        said.strace = said.strace.out(format!("(left {})", strace::timespec(left)));
    }
    said
}

pub(super) fn sendfile(asked: &Asked, answer: Answer, memory: Memory) -> Said {
    let offset = i64::from_ne_bytes(part(&asked.before, 0));
    let moved = answer.done().unwrap_or(0);
    let (file, count) = (asked.int(1), asked.size(3));
    let (end, text) = match asked.args[2] {
        0 => (offset, "NULL".to_owned()),
        at => {
            let end = memory.u64(at).cast_signed();
            let after = if end == offset { String::new() } else { format!(" => [{end}]") };
            (end, format!("[{offset}]{after}"))
        }
    };
    let end = end.max(offset + moved);
    let args = format!("{}, {file}, {text}, {count}", asked.int(0));
    said(asked, Bytes::Sendfile { file, offset, end, count }, args)
}

pub(super) fn splice(asked: &Asked) -> Said {
    const FLAGS: &[(i32, &str)] = &[
        (1, "SPLICE_F_MOVE"),
        (2, "SPLICE_F_NONBLOCK"),
        (4, "SPLICE_F_MORE"),
        (8, "SPLICE_F_GIFT"),
    ];
    let offset = |at: u64| if at == 0 { "NULL".to_owned() } else { format!("{at:#x}") };
    let (to, count) = (asked.int(2), asked.size(4));
    let args = format!(
        "{}, {}, {to}, {}, {count}, {}",
        asked.int(0),
        offset(asked.args[1]),
        offset(asked.args[3]),
        bits(asked.args[5], FLAGS),
    );
    said(asked, Bytes::Splice { to, count }, args)
}

pub(super) fn sync_file_range(asked: &Asked) -> Said {
    const FLAGS: &[(i32, &str)] = &[
        (1, "SYNC_FILE_RANGE_WAIT_BEFORE"),
        (2, "SYNC_FILE_RANGE_WRITE"),
        (4, "SYNC_FILE_RANGE_WAIT_AFTER"),
    ];
    let (offset, count) = (asked.args[1].cast_signed(), asked.args[2].cast_signed());
    let flags = asked.args[3] as u32;
    let args = format!("{}, {offset}, {count}, {}", asked.int(0), bits(flags.into(), FLAGS));
    said(asked, Bytes::SyncFileRange { offset, count, flags }, args)
}

fn said(asked: &Asked, call: Bytes, args: String) -> Said {
    let strace: Strace = asked.strace(args);
    Said { call: call.into(), strace, fd: Some(asked.int(0)) }
}
