//! A call at which a thread has stopped, and what it becomes.

use std::collections::HashMap;

use netplay_record::{Call, Outcome, Strace, part};

use crate::memory::Memory;
use crate::syscall::Syscall;

/// A call at which a thread has stopped.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Which call.
    pub(crate) call: Syscall,
    /// Its arguments.
    pub(crate) args: [u64; 6],
    /// The memory that it may overwrite.
    pub(crate) before: Vec<u8>,
}

/// Where a call can be looked up while it is decoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene<'a> {
    /// The program's memory.
    pub(crate) memory: Memory,
    /// How many bytes of each transfer a record keeps.
    pub(crate) keep: usize,
    /// What the interest lists of epoll have beside each descriptor.
    pub(crate) interests: &'a Interests,
}

/// For each epoll descriptor: which descriptor an event's data stands for.
pub(crate) type Interests = HashMap<i32, HashMap<u64, i32>>;

/// What a call returned: nothing yet, a number, or an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It has not returned.
    Waiting,
    /// It did not fail.
    Done(i64),
    /// It failed.
    Failed(i32),
}

impl Answer {
    /// From the register: the kernel returns errors as small negative numbers.
    pub(crate) fn of(register: i64) -> Answer {
        match register {
            -4095..0 => Answer::Failed(-register as i32),
            number => Answer::Done(number),
        }
    }

    /// The result, if it did not fail.
    pub(crate) fn done(self) -> Option<i64> {
        match self {
            Answer::Done(result) => Some(result),
            Answer::Waiting | Answer::Failed(_) => None,
        }
    }

    /// The same in a record's words.
    pub(crate) fn outcome(self, fd: Option<i32>) -> Outcome {
        match self {
            Answer::Waiting => Outcome { fd, ret: None, errno: None },
            Answer::Done(result) => Outcome { fd, ret: Some(result), errno: None },
            Answer::Failed(errno) => Outcome { fd, ret: Some(-1), errno: Some(errno) },
        }
    }
}

/// A call in the words of a record.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) call: Call,
    pub(crate) strace: Strace,
    /// The descriptor that it was about.
    pub(crate) fd: Option<i32>,
}

impl Asked {
    /// An argument that is a number of 32 bits.
    pub(crate) fn int(&self, n: usize) -> i32 {
        self.args[n] as i32
    }

    /// An argument that is a size.
    pub(crate) fn size(&self, n: usize) -> usize {
        self.args[n] as usize
    }

    /// A number of 32 bits from the memory before the call.
    pub(super) fn before_u32(&self, at: usize) -> u32 {
        u32::from_ne_bytes(part(&self.before, at))
    }

    /// A line of strace for it.
    pub(super) fn strace(&self, args: impl Into<String>) -> Strace {
        Strace::new(self.call.name(), args)
    }
}
