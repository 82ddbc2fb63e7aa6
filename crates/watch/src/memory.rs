//! The memory of a program that is being watched, read from outside: process_vm_readv(2).

use std::io::{IoSlice, IoSliceMut};

use nix::sys::uio::{RemoteIoVec, process_vm_readv, process_vm_writev};
use nix::unistd::Pid;

/// Where a page of memory ends: the next one may be missing.
const PAGE: usize = 4096;

/// A program's memory. What cannot be read there is empty, or zero; the kernel answers a call with such an
/// address with EFAULT.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory(pub(crate) Pid);

/// Some memory of the program: its address and its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) at: u64,
    pub(crate) len: usize,
}

impl Memory {
    /// As many bytes as can be read, up to `len`.
    pub(crate) fn bytes(self, at: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        let n = self.fill(at, &mut bytes);
        bytes.truncate(n);
        bytes
    }

    /// The first `len` bytes of several spans, one after the other: one request for all of them.
    pub(crate) fn gather(self, spans: &[Span], len: usize) -> Vec<u8> {
        let mut left = len;
        let mut remote = Vec::with_capacity(spans.len());
        for span in spans {
            let len = span.len.min(left);
            left -= len;
            if len > 0 {
                remote.push(RemoteIoVec { base: span.at as usize, len });
            }
        }
        let mut bytes = vec![0; len - left];
        let n = process_vm_readv(self.0, &mut [IoSliceMut::new(&mut bytes)], &remote);
        bytes.truncate(n.unwrap_or(0));
        bytes
    }

    /// Fills as much of the buffer as can be read, and says how much.
    pub(crate) fn fill(self, at: u64, into: &mut [u8]) -> usize {
        if at == 0 || into.is_empty() {
            return 0;
        }
        let (base, len) = (at as usize, into.len());
        let mut read = |len: usize| {
            let mut local = [IoSliceMut::new(&mut into[..len])];
            process_vm_readv(self.0, &mut local, &[RemoteIoVec { base, len }]).unwrap_or(0)
        };
        // A span is read whole or not at all: one that runs into a missing page is read up to there.
        let page = PAGE - base % PAGE;
        match read(len) {
            0 if page < len => read(page),
            n => n,
        }
    }

    /// Writes there, all or nothing; whether it could.
    pub(crate) fn write(self, at: u64, bytes: &[u8]) -> bool {
        let remote = [RemoteIoVec { base: at as usize, len: bytes.len() }];
        process_vm_writev(self.0, &[IoSlice::new(bytes)], &remote) == Ok(bytes.len())
    }

    /// A number.
    pub(crate) fn u64(self, at: u64) -> u64 {
        u64::from_ne_bytes(self.array(at))
    }

    /// A number.
    pub(crate) fn u32(self, at: u64) -> u32 {
        u32::from_ne_bytes(self.array(at))
    }

    /// `N` bytes; zero where they cannot be read.
    pub(crate) fn array<const N: usize>(self, at: u64) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(at, &mut bytes);
        bytes
    }

    /// A string that ends with a zero byte, up to 4,096 bytes.
    pub(crate) fn string(self, at: u64) -> Vec<u8> {
        let mut bytes = self.bytes(at, PAGE);
        if let Some(end) = bytes.iter().position(|&byte| byte == 0) {
            bytes.truncate(end);
        }
        bytes
    }

    /// The spans of an array of `struct iovec`.
    pub(crate) fn spans(self, at: u64, count: usize) -> Vec<Span> {
        let bytes = self.bytes(at, count.min(1024) * 16);
        let number = |at: usize| u64::from_ne_bytes(netplay_record::part(&bytes, at));
        let span = |i: usize| Span { at: number(16 * i), len: number(16 * i + 8) as usize };
        (0..bytes.len() / 16).map(span).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_one_after_the_other_and_only_so_far() {
        let (one, two) = (*b"hello", *b" world");
        let span = |bytes: &[u8]| Span { at: bytes.as_ptr().addr() as u64, len: bytes.len() };
        let memory = Memory(Pid::this());
        assert_eq!(memory.gather(&[span(&one), span(&two)], 64), b"hello world");
        assert_eq!(memory.gather(&[span(&one), span(&two)], 7), b"hello w");
        assert_eq!(memory.gather(&[], 64), b"");
        assert_eq!(memory.bytes(8, 4), b"", "nothing is there");
        assert_eq!(memory.string(c"name".as_ptr().addr() as u64), b"name");
    }
}
