//! The rings of io_uring. An operation that stands for a call is told as that call; what is here is the
//! rings' own.

use super::text::{Args, number};
use super::{Event, Failure, Told};

/// A call about rings, or an operation that no call stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ring {
    /// io_uring_setup(2): room for so many submissions, and completions.
    Setup(Option<(u32, u32)>),
    /// io_uring_register(2), of room for so many buffers.
    RegisterBuffers(u32),
    /// io_uring_enter(2), and for how many completions it waits.
    Enter(u32),
    /// The end of another operation.
    Cancel,
}

impl Told for Ring {
    fn read(name: &str, event: &Event) -> Option<Ring> {
        let args = Args::of(event);
        let field = |key| args.field(key, &[',', '}']).and_then(|number| number.parse().ok());
        Some(match name {
            "io_uring_setup" => Ring::Setup(field("sq_entries=").zip(field("cq_entries="))),
            "io_uring_register" => {
                Ring::RegisterBuffers(field("ring_entries=").unwrap_or_default())
            }
            "io_uring_enter" => Ring::Enter(args.nth(2).parse().unwrap_or_default()),
            "cancel" => Ring::Cancel,
            _ => return None,
        })
    }

    fn name(&self) -> &'static str {
        match self {
            Ring::Setup(_) => "io_uring_setup",
            Ring::RegisterBuffers(_) => "io_uring_register",
            Ring::Enter(_) => "io_uring_enter",
            Ring::Cancel => "cancel",
        }
    }

    fn english(&self, event: &Event) -> String {
        match (self, event.ret.unwrap_or_default()) {
            (Ring::Setup(room), _) => {
                let (sq, cq) = room.unwrap_or_default();
                format!(
                    "two rings shared with the kernel: submissions (room for {sq}), completions ({cq})"
                )
            }
            (Ring::RegisterBuffers(room), _) => format!(
                "a heap with room for {room} buffers: the kernel takes one when bytes have come"
            ),
            (Ring::Cancel, _) => "the operation that it names ends".to_owned(),
            (Ring::Enter(0), 0) => "the kernel took no operation".to_owned(),
            (Ring::Enter(n), 0) => format!("completions are there: it waited for {n}"),
            (Ring::Enter(0), n) => format!("the kernel took {} to do; nobody waits", operations(n)),
            (Ring::Enter(m), n) => {
                format!("the kernel took {}, and it waited for {m}", operations(n))
            }
        }
    }

    fn failure(&self, errno: &str, _: &Event) -> Option<Failure> {
        let ordinary = match (self, errno) {
            (Ring::Enter(_), "EINTR") => "a signal ended the wait (EINTR)".to_owned(),
            (Ring::Enter(_), "ETIME") => "nothing was done in time (ETIME)".to_owned(),
            (Ring::Cancel, "ENOENT" | "EALREADY") => {
                format!("the operation that it names has ended already ({errno})")
            }
            (Ring::Setup(_), "ENOSYS") => {
                return Some(Failure::Because("; this kernel has no io_uring"));
            }
            (Ring::Setup(_), "EPERM") => {
                return Some(Failure::Because("; io_uring is switched off or forbidden here"));
            }
            _ => return None,
        };
        Some(Failure::Ordinary(ordinary))
    }

    fn asked(&self, on: String, _: &Event) -> String {
        on
    }

    fn answered(&self, event: &Event) -> String {
        number(event.ret)
    }

    fn waits(&self) -> bool {
        matches!(self, Ring::Enter(_))
    }
}

fn operations(n: i64) -> String {
    if n == 1 { "1 operation".to_owned() } else { format!("{n} operations") }
}
