//! Addresses of sockets in the memory of a program.

use netplay_record::{part, strace};
use socket2::{SockAddr, SockAddrStorage};

use super::words::{FAMILY, named};
use crate::memory::Memory;

/// The longest address that there is: `struct sockaddr_storage`.
const LONGEST: usize = size_of::<SockAddrStorage>();

/// The address there, if it can be read and is whole.
pub(super) fn read(memory: Memory, at: u64, len: u32) -> Option<SockAddr> {
    let mut bytes = memory.bytes(at, (len as usize).min(LONGEST));
    if at == 0 || bytes.len() < FAMILY_LEN {
        return None;
    }
    let least = match family(&bytes) {
        libc::AF_INET => size_of::<libc::sockaddr_in>(),
        libc::AF_INET6 => size_of::<libc::sockaddr_in6>() - 4, // older programs give it no scope
        _ => FAMILY_LEN,
    };
    // A path ends at its zero byte, however long the program says that it is.
    let path = bytes.get(FAMILY_LEN..).filter(|path| path.first().is_some_and(|&byte| byte != 0));
    if family(&bytes) == libc::AF_UNIX
        && let Some(end) = path.and_then(|path| path.iter().position(|&byte| byte == 0))
    {
        bytes.truncate(FAMILY_LEN + end + 1);
    }
    (bytes.len() >= least).then(|| from_bytes(&bytes))
}

/// How many bytes the family has, with which each address begins.
const FAMILY_LEN: usize = size_of::<libc::sa_family_t>();

fn family(bytes: &[u8]) -> i32 {
    u16::from_ne_bytes(part(bytes, 0)).into()
}

/// An address in strace's words: `{sa_family=AF_INET, sin_port=htons(5858), sin_addr=inet_addr("127.0.0.1")}`; one that is not whole as its bytes.
pub(super) fn words(memory: Memory, at: u64, len: u32, address: Option<&SockAddr>) -> String {
    let bytes = memory.bytes(at, (len as usize).min(LONGEST));
    let known = [libc::AF_INET, libc::AF_INET6, libc::AF_UNIX];
    match address.filter(|address| known.contains(&address.family().into())) {
        Some(address) => strace::sockaddr(address),
        None if at == 0 => "NULL".to_owned(),
        None if bytes.len() < FAMILY_LEN => format!("{at:#x}"),
        None if family(&bytes) == libc::AF_NETLINK && bytes.len() >= 12 => {
            let number = |at| u32::from_ne_bytes(part(&bytes, at));
            let (port, groups) = (number(4), number(8));
            format!("{{sa_family=AF_NETLINK, nl_pid={port}, nl_groups={groups:08x}}}")
        }
        None => {
            let (family, data) = (named(family(&bytes), FAMILY), &bytes[FAMILY_LEN..]);
            match data.is_empty() {
                true => format!("{{sa_family={family}}}"),
                false => format!("{{sa_family={family}, sa_data={}}}", strace::quoted(data)),
            }
        }
    }
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

/// An address that the program gave, and its length: `{…}, 16`.
pub(super) fn given(memory: Memory, at: u64, len: u32) -> (Option<SockAddr>, String) {
    let address = read(memory, at, len);
    let text = words(memory, at, len, address.as_ref());
    (address, format!("{text}, {}", len.cast_signed()))
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
    let text = match len {
        0 => name(at),
        _ => words(memory, at, len.min(room), address.as_ref()),
    };
    let is_unnamed = at != 0 && len == 0;
    let len = match len == room {
        true => format!("[{room}]"),
        false => format!("[{room} => {len}]"),
    };
    // An address of length 0 is one as well: the peer of a UNIX socket that has no name.
    let address = address.or_else(|| is_unnamed.then(|| from_bytes(&[])));
    (address, format!("{text}, {len}"))
}
