//! The rings of io_uring. An operation that stands for a call is told as that call; this file has the calls of the
//! rings themselves.

use super::entry::{MORE, MULTISHOT};
use super::text::{Args, interrupted, number};
use super::{Event, Facts, Failure, Moves, Outcome, Shows, Strace, Told, strace};
use netplay_text::lang::Lang;
use netplay_text::say;
use netplay_text::words::counted;

/// A call about rings, or an operation that no call stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ring {
    /// io_uring_setup(2)
    Setup {
        /// The number of submissions that was asked for.
        entries: u32,
        /// IORING_SETUP_SINGLE_ISSUER and others.
        flags: u32,
        /// The number of submissions that there is room for, and of completions.
        room: Option<(u32, u32)>,
    },
    /// io_uring_register(2), of a ring of provided buffers.
    RegisterBuffers {
        /// Where it is in memory.
        at: u64,
        /// How many buffers it has room for.
        room: u32,
        /// Its number.
        group: u16,
    },
    /// io_uring_enter(2)
    Enter {
        /// The number of submissions for the kernel.
        to_submit: u32,
        /// The number of completions that it waits for.
        min_complete: u32,
        /// IORING_ENTER_GETEVENTS and others.
        flags: u32,
        /// The address and size of the last argument, if there is one.
        extra: Option<(usize, usize)>,
    },
    /// The end of another operation.
    Cancel,
}

/// Whether the line of a submission or a completion says that more completions come.
pub(super) fn read_again(event: &Event) -> bool {
    let args = Args::of(event);
    args.has(MULTISHOT) || args.has(MORE)
}

/// The names of the flags of io_uring_setup that are used here.
const SETUP: [(u32, &str); 2] =
    [(1 << 12, "IORING_SETUP_SINGLE_ISSUER"), (1 << 13, "IORING_SETUP_DEFER_TASKRUN")];
const ENTER: [(u32, &str); 2] = [(1, "IORING_ENTER_GETEVENTS"), (1 << 3, "IORING_ENTER_EXT_ARG")];

fn flags(flags: u32, names: &[(u32, &'static str)]) -> String {
    strace::flags(names.iter().filter(|(flag, _)| flags & flag != 0).map(|(_, name)| *name))
}

names! {
    RingName:
    Setup = "io_uring_setup",
    RegisterBuffers = "io_uring_register",
    Enter = "io_uring_enter",
    Cancel = "cancel",
}

impl Told for Ring {
    type Name = RingName;

    fn read(name: RingName, event: &Event) -> Ring {
        let args = Args::of(event);
        let field = |key| args.field(key, &[',', '}']).and_then(|number| number.parse().ok());
        let nth = |n| args.nth(n).parse().unwrap_or_default();
        match name {
            RingName::Setup => Ring::Setup {
                entries: nth(0),
                flags: 0,
                room: field("sq_entries=").zip(field("cq_entries=")),
            },
            RingName::RegisterBuffers => Ring::RegisterBuffers {
                at: 0,
                room: field("ring_entries=").unwrap_or_default(),
                group: 0,
            },
            RingName::Enter => {
                Ring::Enter { to_submit: nth(1), min_complete: nth(2), flags: 0, extra: None }
            }
            RingName::Cancel => Ring::Cancel,
        }
    }

    fn name(&self) -> RingName {
        match self {
            Ring::Setup { .. } => RingName::Setup,
            Ring::RegisterBuffers { .. } => RingName::RegisterBuffers,
            Ring::Enter { .. } => RingName::Enter,
            Ring::Cancel => RingName::Cancel,
        }
    }

    fn strace(&self, outcome: &Outcome) -> Strace {
        let fd = outcome.fd();
        match self {
            Ring::Setup { entries, flags: set, room } => {
                let set = flags(*set, &SETUP);
                let rings = room.map_or(format!("{{flags={set}}}"), |(sq, cq)| {
                    format!("{{flags={set}, sq_entries={sq}, cq_entries={cq}, ...}}")
                });
                Strace::new("io_uring_setup", format!("{entries}, {rings}"))
            }
            Ring::RegisterBuffers { at, room, group } => {
                let buffers = format!("{{ring_addr={at:#x}, ring_entries={room}, bgid={group}}}");
                let args = format!("{fd}, IORING_REGISTER_PBUF_RING, {buffers}, 1");
                Strace::new("io_uring_register", args)
            }
            Ring::Enter { to_submit, min_complete, flags: set, extra } => {
                let extra = match extra {
                    None => format!("NULL, {}", size_of::<libc::sigset_t>()),
                    Some((at, size)) => format!("{at:#x}, {size}"),
                };
                let set = flags(*set, &ENTER);
                let args = format!("{fd}, {to_submit}, {min_complete}, {set}, {extra}");
                Strace::new("io_uring_enter", args)
            }
            // No call of its own.
            Ring::Cancel => Strace::new("", ""),
        }
    }

    fn facts(&self, _: &Outcome) -> Facts {
        Facts::default()
    }

    fn sentence(&self, event: &Event, lang: Lang) -> String {
        let ret = event.ret.unwrap_or_default();
        let taken = || match lang {
            Lang::En => counted(ret.unsigned_abs(), "operation"),
            Lang::Zh => format!("{ret} 个操作"),
        };
        match (self, ret) {
            (Ring::Setup { room, .. }, _) => {
                let (sq, cq) = room.unwrap_or_default();
                say!(
                    lang,
                    "two rings shared with the kernel: submissions (room for {sq}), completions ({cq})",
                    "与内核共享的两个环：提交环（{sq} 个位置）和完成环（{cq} 个）",
                )
            }
            (Ring::RegisterBuffers { room, .. }, _) => say!(
                lang,
                "a ring of {room} provided buffers: the kernel takes one when bytes arrive",
                "{room} 个预先提供的缓冲区组成的环：数据到达时，内核取用一个",
            ),
            (Ring::Cancel, _) => say!(lang, "the operation it names ends", "它指明的操作就此结束"),
            (Ring::Enter { min_complete: 0, .. }, 0) => {
                say!(lang, "the kernel took no operation", "内核没有取走操作")
            }
            (Ring::Enter { min_complete: n, .. }, 0) => {
                say!(lang, "waited for {n}: completions are there", "等待 {n} 个完成：已有完成项")
            }
            (Ring::Enter { min_complete: 0, .. }, _) => {
                let taken = taken();
                say!(
                    lang,
                    "the kernel took {taken}, and the call did not wait",
                    "内核取走 {taken}，调用没有等待",
                )
            }
            (Ring::Enter { min_complete: n, .. }, _) => {
                let taken = taken();
                say!(
                    lang,
                    "the kernel took {taken}, and the call waited for {n}",
                    "内核取走 {taken}，调用等待 {n} 个完成",
                )
            }
        }
    }

    fn failure(&self, errno: &str, _: &Event, lang: Lang) -> Option<Failure> {
        let ordinary = match (self, errno) {
            (Ring::Enter { .. }, "EINTR") => interrupted(lang),
            (Ring::Enter { .. }, "ETIME") => {
                say!(lang, "nothing completed in time (ETIME)", "限定的时间内没有完成项 (ETIME)")
            }
            (Ring::Cancel, "ENOENT" | "EALREADY") => say!(
                lang,
                "the operation it names has already ended ({errno})",
                "它指明的操作已经结束 ({errno})",
            ),
            (Ring::Setup { .. }, "ENOSYS") => {
                return Some(Failure::Because(
                    lang.pick("; this kernel has no io_uring", "；这个内核没有 io_uring"),
                ));
            }
            (Ring::Setup { .. }, "EPERM") => {
                return Some(Failure::Because(lang.pick(
                    "; io_uring is disabled or forbidden here",
                    "；这里停用或禁止了 io_uring",
                )));
            }
            (
                Ring::Setup { .. }
                | Ring::RegisterBuffers { .. }
                | Ring::Enter { .. }
                | Ring::Cancel,
                _,
            ) => return None,
        };
        Some(Failure::Ordinary(ordinary))
    }

    fn asked(&self, on: String, _: &Event, _: Lang) -> String {
        on
    }

    fn answered(&self, event: &Event, _: Lang) -> String {
        number(event.ret)
    }

    fn waits(&self) -> bool {
        match self {
            Ring::Enter { .. } => true,
            Ring::Setup { .. } | Ring::RegisterBuffers { .. } | Ring::Cancel => false,
        }
    }

    fn waiting(&self, _: &Event, lang: Lang) -> Option<String> {
        match self {
            Ring::Enter { .. } => {
                Some(say!(lang, "waiting for an operation to complete", "等待操作完成"))
            }
            Ring::Setup { .. } | Ring::RegisterBuffers { .. } | Ring::Cancel => None,
        }
    }

    fn moves(&self) -> Moves {
        match self {
            Ring::Setup { .. } => Moves::Opens,
            Ring::RegisterBuffers { .. } | Ring::Enter { .. } | Ring::Cancel => Moves::Nothing,
        }
    }

    fn shows(&self) -> Shows {
        Shows::Itself
    }

    fn acts_at_once(&self) -> bool {
        false
    }
}
