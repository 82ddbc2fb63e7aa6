//! Addresses of sockets in the memory of a program.

use netplay_record::strace;
use socket2::{SockAddr, SockAddrStorage};

use super::words::{FAMILY, named};
use crate::memory::Memory;

/// The longest address that there is: `struct sockaddr_storage`.
const LONGEST: usize = size_of::<SockAddrStorage>();

/// The address there, if it can be read.
pub(super) fn read(memory: Memory, at: u64, len: u32) -> Option<SockAddr> {
    let bytes = memory.bytes(at, (len as usize).min(LONGEST));
    (at != 0 && bytes.len() >= 2).then(|| from_bytes(&bytes))
}

#[expect(unsafe_code, reason = "socket2 takes an address of any family only this way")]
pub(super) fn from_bytes(bytes: &[u8]) -> SockAddr {
    let mut storage = SockAddrStorage::zeroed();
    let len = bytes.len().min(LONGEST);
    // SAFETY: the storage has room for `LONGEST` bytes, all of them valid, and of these `len` are set.
    unsafe {
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), (&raw mut storage).cast(), len);
        SockAddr::new(storage, len as libc::socklen_t)
    }
}

/// `{sa_family=AF_INET, sin_port=htons(5858), sin_addr=inet_addr("127.0.0.1")}`
pub(super) fn text(address: &SockAddr) -> String {
    match i32::from(address.family()) {
        libc::AF_INET if address.as_socket().is_some() => strace::sockaddr(address),
        libc::AF_INET6 if address.as_socket().is_some() => strace::sockaddr(address),
        libc::AF_UNIX => strace::sockaddr(address),
        family => format!("{{sa_family={}}}", named(family, FAMILY)),
    }
}

/// An address that the program gave, and its length: `{…}, 16`.
pub(super) fn given(memory: Memory, at: u64, len: u32) -> (Option<SockAddr>, String) {
    let address = read(memory, at, len);
    let text = match &address {
        Some(address) => text(address),
        None if at == 0 => "NULL".to_owned(),
        None => format!("{at:#x}"),
    };
    (address, format!("{text}, {len}"))
}

/// A buffer for an address, which the kernel fills: `{…}, [128 => 16]`. `room` is what the program gave as its length.
pub(super) fn answered(
    memory: Memory,
    (at, len_at): (u64, u64),
    room: u32,
    done: bool,
) -> (Option<SockAddr>, String) {
    let name = |at: u64| if at == 0 { "NULL".to_owned() } else { format!("{at:#x}") };
    if len_at == 0 {
        return (None, format!("{}, NULL", name(at)));
    }
    if !done {
        return (None, format!("{}, [{}]", name(at), room.cast_signed()));
    }
    let len = memory.u32(len_at);
    let address = read(memory, at, len.min(room)).filter(|_| len > 0);
    let text = address.as_ref().map_or_else(|| name(at), text);
    let len = match len == room {
        true => format!("[{room}]"),
        false => format!("[{room} => {len}]"),
    };
    // An address of length 0 is one as well: the peer of a UNIX socket that has no name.
    let address = address.or_else(|| (at != 0).then(|| from_bytes(&[])));
    (address, format!("{text}, {len}"))
}
