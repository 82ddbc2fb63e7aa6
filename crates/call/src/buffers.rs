//! Memory that a ring lends to the kernel: buffers to receive into, and bytes to send.
//!
//! ```text
//! recv            the program's buffer waits with the call, for as long as it takes
//! prep_recv       the same: a buffer for each client that may send something
//! a buffer ring   the program provides buffers, and the kernel takes one when bytes arrive:
//!                 ten thousand silent clients need no buffer
//! ```

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering::Release};

use io_uring::types::BufRingEntry;

/// The kernel's limit for one buffer ring.
pub(super) const MOST: u16 = 1 << 15;

/// Memory to receive into or send from: one of the ring's buffers, or bytes of the program's own.
///
/// Hand a buffer of the ring back with [`Ring::give_back`](super::Ring::give_back): a buffer
/// that is dropped is never filled again.
#[derive(Debug)]
pub struct Buffer {
    pub(super) memory: Memory,
    /// How much of it has been sent.
    pub(super) from: usize,
    /// Where it ends.
    pub(super) to: usize,
}

#[derive(Debug)]
pub(super) enum Memory {
    /// One of the ring's.
    Shared(u16),
    Own(Vec<u8>),
}

impl From<Vec<u8>> for Buffer {
    fn from(bytes: Vec<u8>) -> Buffer {
        let to = bytes.len();
        Buffer { memory: Memory::Own(bytes), from: 0, to }
    }
}

impl Buffer {
    /// Whether all of it was sent.
    #[must_use]
    pub fn is_sent(&self) -> bool {
        self.from == self.to
    }
}

/// The buffers of a ring, all of one size. A buffer is allocated when it is first needed.
pub(super) struct Buffers {
    size: usize,
    /// How many there may be.
    most: u16,
    /// A buffer by its number. It belongs to the kernel or to the program, and that changes from moment to
    /// moment. So these are pointers, and only the holder of its [`Buffer`] may read behind one.
    memory: Vec<NonNull<u8>>,
    /// The buffers that are free.
    spare: Vec<u16>,
    /// The ring that the kernel takes them from, if it does.
    ring: Option<BufferRing>,
}

impl Buffers {
    pub(super) fn new(size: usize, most: u16) -> Buffers {
        let most = most.min(MOST);
        Buffers { size, most, memory: Vec::new(), spare: Vec::new(), ring: None }
    }

    /// Whether there are no buffers to lend.
    pub(super) fn is_empty(&self) -> bool {
        self.memory.is_empty()
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Adds this many new buffers, or as many as the limit allows; to the buffer ring, if there is one.
    pub(super) fn make(&mut self, count: usize) {
        let most = usize::from(self.most) - self.memory.len();
        for _ in 0..count.min(most) {
            let number = self.memory.len() as u16; // fewer than `most`, which is one
            self.memory.push(allocate(self.layout()));
            self.put(number);
        }
    }

    /// A free buffer.
    pub(super) fn take(&mut self) -> Option<Buffer> {
        if self.spare.is_empty() {
            self.make(1);
        }
        let number = self.spare.pop()?;
        Some(self.taken(number, self.size))
    }

    /// The kernel has taken this one off the buffer ring, and filled it so far.
    pub(super) fn taken(&self, number: u16, to: usize) -> Buffer {
        Buffer { memory: Memory::Shared(number), from: 0, to }
    }

    pub(super) fn give_back(&mut self, buffer: Buffer) {
        if let Memory::Shared(number) = buffer.memory {
            self.put(number);
        }
    }

    fn put(&mut self, number: u16) {
        let memory = self.memory[usize::from(number)];
        match &mut self.ring {
            Some(ring) => ring.add(number, memory, self.size as u32), // below 2^32: see `layout`
            None => self.spare.push(number),
        }
    }

    /// The bytes in it that are not sent yet.
    #[expect(unsafe_code, reason = "whose a buffer is, only the program knows")]
    pub(super) fn bytes<'a>(&'a self, buffer: &'a Buffer) -> &'a [u8] {
        match &buffer.memory {
            Memory::Own(bytes) => &bytes[buffer.from..buffer.to],
            Memory::Shared(number) => {
                let memory = self.memory[usize::from(*number)];
                // SAFETY: a buffer has `size` bytes, zeroed when it was made, and no more were filled.
                // The caller has the only Buffer of this number, so the kernel has not: it is neither
                // in the buffer ring nor in an operation, for both take the Buffer away.
                unsafe {
                    std::slice::from_raw_parts(
                        memory.as_ptr().add(buffer.from),
                        buffer.to - buffer.from,
                    )
                }
            }
        }
    }

    /// Where its unsent bytes begin, or where the kernel should write.
    pub(super) fn pointer(&self, buffer: &Buffer) -> *mut u8 {
        match &buffer.memory {
            Memory::Own(bytes) => bytes[buffer.from..].as_ptr().cast_mut(),
            Memory::Shared(number) => {
                self.memory[usize::from(*number)].as_ptr().wrapping_add(buffer.from)
            }
        }
    }

    /// A buffer ring with room for all of them, and its address and size for the kernel.
    pub(super) fn buffer_ring(&mut self) -> (u64, u16) {
        let ring = BufferRing::new(self.most.next_power_of_two());
        let told = (ring.entries.as_ptr() as u64, ring.room);
        self.ring = Some(ring);
        told
    }

    fn layout(&self) -> Layout {
        Layout::array::<u8>(self.size).expect("a buffer has at most 64 MiB")
    }
}

impl Drop for Buffers {
    #[expect(unsafe_code, reason = "what was allocated is given back")]
    fn drop(&mut self) {
        for memory in &self.memory {
            // SAFETY: `make` allocated it with this layout. The ring drops its buffers only when no
            // operation is left that could write to them.
            unsafe { dealloc(memory.as_ptr(), self.layout()) };
        }
    }
}

/// A ring of buffers that the kernel may take: an array with a tail, which the program moves, and a head,
/// which only the kernel knows. See io_uring_register_buf_ring(3).
struct BufferRing {
    entries: NonNull<BufRingEntry>,
    /// A power of two.
    room: u16,
    /// Counts every buffer that was ever added.
    tail: u16,
}

impl BufferRing {
    fn new(room: u16) -> BufferRing {
        let entries = allocate(BufferRing::layout(room)).cast();
        BufferRing { entries, room, tail: 0 }
    }

    /// The kernel wants whole pages.
    fn layout(room: u16) -> Layout {
        let size = usize::from(room) * size_of::<BufRingEntry>();
        Layout::from_size_align(size, 4096).expect("it is half a megabyte at most")
    }

    /// See io_uring_buf_ring_add(3) and io_uring_buf_ring_advance(3).
    #[expect(unsafe_code, reason = "the kernel reads this memory")]
    fn add(&mut self, number: u16, memory: NonNull<u8>, size: u32) {
        let at = usize::from(self.tail & (self.room - 1));
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: `at` is below `room`, so the entry is inside. There are no more buffers than room,
        // so the kernel has taken the one that stood there before. It reads the entry only when it
        // sees the new tail, which stands in a gap of the first entry, and is stored last (Release).
        unsafe {
            let entry = self.entries.add(at).as_mut();
            entry.set_addr(memory.as_ptr() as u64);
            entry.set_len(size);
            entry.set_bid(number);
            let tail = BufRingEntry::tail(self.entries.as_ptr()).cast_mut();
            AtomicU16::from_ptr(tail).store(self.tail, Release);
        }
    }
}

impl Drop for BufferRing {
    #[expect(unsafe_code, reason = "what was allocated is given back")]
    fn drop(&mut self) {
        // SAFETY: `new` allocated it with this layout, and the kernel is done with it: see Buffers.
        unsafe { dealloc(self.entries.as_ptr().cast(), BufferRing::layout(self.room)) };
    }
}

#[expect(unsafe_code, reason = "memory that the kernel writes to belongs to no Rust value")]
fn allocate(layout: Layout) -> NonNull<u8> {
    // SAFETY: no layout of this file has size 0: a buffer has a byte at least, a buffer ring an entry.
    let memory = unsafe { alloc_zeroed(layout) };
    NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout))
}
