//! io_uring: the calls of the rings.

use netplay_record::{Ring, part};

use super::asked::{Answer, Asked, Said};
use super::words::bits;
use crate::memory::Memory;

const SETUP: &[(i32, &str)] = &[
    (1, "IORING_SETUP_IOPOLL"),
    (2, "IORING_SETUP_SQPOLL"),
    (4, "IORING_SETUP_SQ_AFF"),
    (8, "IORING_SETUP_CQSIZE"),
    (1 << 4, "IORING_SETUP_CLAMP"),
    (1 << 5, "IORING_SETUP_ATTACH_WQ"),
    (1 << 6, "IORING_SETUP_R_DISABLED"),
    (1 << 7, "IORING_SETUP_SUBMIT_ALL"),
    (1 << 8, "IORING_SETUP_COOP_TASKRUN"),
    (1 << 9, "IORING_SETUP_TASKRUN_FLAG"),
    (1 << 10, "IORING_SETUP_SQE128"),
    (1 << 11, "IORING_SETUP_CQE32"),
    (1 << 12, "IORING_SETUP_SINGLE_ISSUER"),
    (1 << 13, "IORING_SETUP_DEFER_TASKRUN"),
];

const ENTER: &[(i32, &str)] = &[
    (1, "IORING_ENTER_GETEVENTS"),
    (2, "IORING_ENTER_SQ_WAKEUP"),
    (4, "IORING_ENTER_SQ_WAIT"),
    (8, "IORING_ENTER_EXT_ARG"),
    (16, "IORING_ENTER_REGISTERED_RING"),
];

pub(super) fn setup(asked: &Asked, answer: Answer, memory: Memory) -> Said {
    let entries = asked.args[0] as u32;
    let word = |bytes: &[u8], at| u32::from_ne_bytes(part(bytes, at));
    let flags = word(&asked.before, 8);
    let set = bits(flags.into(), SETUP);
    // struct io_uring_params: the numbers of entries, then the flags.
    let room = answer.done().map(|_| memory.array::<8>(asked.args[1]));
    let room = room.map(|room| (word(&room, 0), word(&room, 4)));
    let rings = room.map_or(format!("{{flags={set}}}"), |(sq, cq)| {
        format!("{{flags={set}, sq_entries={sq}, cq_entries={cq}, ...}}")
    });
    let call = Ring::Setup { entries, flags, room };
    Said { call: call.into(), strace: asked.strace(format!("{entries}, {rings}")), fd: None }
}

pub(super) fn enter(asked: &Asked) -> Said {
    let fd = asked.int(0);
    let (to_submit, min_complete) = (asked.args[1] as u32, asked.args[2] as u32);
    let (flags, at, size) = (asked.args[3] as u32, asked.size(4), asked.size(5));
    let extra = (at != 0).then_some((at, size));
    let text = match extra {
        None => format!("NULL, {size}"),
        Some((at, size)) => format!("{at:#x}, {size}"),
    };
    let set = bits(flags.into(), ENTER);
    let args = format!("{fd}, {to_submit}, {min_complete}, {set}, {text}");
    let call = Ring::Enter { to_submit, min_complete, flags, extra };
    Said { call: call.into(), strace: asked.strace(args), fd: Some(fd) }
}

/// IORING_REGISTER_PBUF_RING
const PROVIDED_BUFFERS: i32 = 22;

/// A ring of provided buffers; the other things that can be registered are not told.
pub(super) fn register(asked: &Asked, memory: Memory) -> Option<Said> {
    let (fd, what) = (asked.int(0), asked.int(1));
    if what != PROVIDED_BUFFERS {
        return None;
    }
    let about = memory.array::<16>(asked.args[2]);
    let at = u64::from_ne_bytes(part(&about, 0));
    let room = u32::from_ne_bytes(part(&about, 8));
    let group = u16::from_ne_bytes(part(&about, 12));
    let buffers = format!("{{ring_addr={at:#x}, ring_entries={room}, bgid={group}}}");
    let args = format!("{fd}, IORING_REGISTER_PBUF_RING, {buffers}, {}", asked.int(3));
    let call = Ring::RegisterBuffers { at, room, group };
    Some(Said { call: call.into(), strace: asked.strace(args), fd: Some(fd) })
}
