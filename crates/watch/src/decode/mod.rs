//! Registers become a [`Call`]: the one place where a foreign program's call is read.
//!
//! A program that is watched has stopped on its way into the kernel and again on its way back. What it asked is in
//! its registers (the number of the call and six arguments) and in its memory; what the kernel answered is in one
//! register and in its memory. Most of it can be read at the end. What the call overwrites, such as the length of an
//! address buffer, is kept from the beginning ([`before`]).
//!
//! Each call gives two things: the typed [`Call`], from which sentences, pictures and rules are made, and its line in
//! the words of strace. A foreign program uses forms that our own pages never use (a buffer in several parts, an address
//! that it does not ask for), so that line is composed here.

mod address;
mod asked;
mod bytes;
mod connection;
mod option;
mod process;
mod ring;
mod wait;
pub(crate) mod words;

pub(crate) use asked::{Answer, Asked, Interests, Said, Scene};
pub(crate) use process::clone_flags;
pub(crate) use ring::Rings;
pub(crate) use wait::interest;

use netplay_record::Call;

use crate::memory::Memory;
use crate::syscall::Syscall;

/// The memory that the call may overwrite, as it is before.
pub(crate) fn before(call: Syscall, args: &[u64; 6], memory: Memory) -> Vec<u8> {
    use Syscall as S;
    match call {
        S::Accept | S::Accept4 | S::Getsockname | S::Getpeername => memory.bytes(args[2], 4),
        S::Recvfrom => memory.bytes(args[5], 4),
        S::Getsockopt => memory.bytes(args[4], 4),
        S::Recvmsg => memory.bytes(args[1], bytes::MSGHDR),
        S::Recvmmsg => {
            let mut before = memory.bytes(args[1], 64 * args[2].min(1024) as usize);
            before.extend(memory.array::<16>(args[4])); // the time
            before
        }
        S::Sendfile => memory.bytes(args[2], 8),
        S::Clone3 => memory.bytes(args[0], 88),
        S::Pselect6 => wait::before_select(args, memory),
        #[cfg(target_arch = "x86_64")]
        S::Select => wait::before_select(args, memory),
        S::Ppoll => memory.bytes(args[2], 16),
        S::Ioctl => memory.bytes(args[2], 4),
        S::IoUringSetup => memory.bytes(args[1], ring::PARAMS),
        S::Execve => process::command_line(args[0], args[1], memory),
        S::Execveat => process::command_line(args[1], args[2], memory),
        _ => Vec::new(),
    }
}

/// A call and its answer in the words of a record; `None` for one that is only watched for what follows from it.
pub(crate) fn decode(asked: &Asked, answer: Answer, scene: Scene<'_>) -> Option<Said> {
    use Syscall as S;
    Some(match asked.call {
        S::Socket => connection::socket(asked),
        S::Socketpair => connection::socketpair(asked, answer, scene.memory),
        S::Bind => connection::bind(asked, scene.memory),
        S::Listen => connection::listen(asked),
        S::Accept | S::Accept4 => connection::accept(asked, answer, scene.memory),
        S::Connect => connection::connect(asked, scene.memory),
        S::Getsockname => connection::getsockname(asked, answer, scene.memory),
        S::Getpeername => connection::getpeername(asked, answer, scene.memory),
        S::Shutdown => connection::shutdown(asked),
        S::Close => connection::close(asked),
        S::CloseRange => connection::close_range(asked),
        S::Dup => connection::dup(asked),
        #[cfg(target_arch = "x86_64")]
        S::Dup2 => connection::dup(asked),
        S::Dup3 => connection::dup(asked),
        S::Sendto => bytes::sendto(asked, scene),
        S::Recvfrom => bytes::recvfrom(asked, answer, scene),
        S::Sendmsg => bytes::sendmsg(asked, scene),
        S::Recvmsg => bytes::recvmsg(asked, answer, scene),
        S::Sendmmsg => bytes::sendmmsg(asked, answer, scene),
        S::Recvmmsg => bytes::recvmmsg(asked, answer, scene),
        S::Read => bytes::read(asked, answer, scene),
        S::Write => bytes::write(asked, scene),
        S::Readv => bytes::readv(asked, answer, scene),
        S::Writev => bytes::writev(asked, scene),
        S::Sendfile => bytes::sendfile(asked, answer, scene.memory),
        S::Splice => bytes::splice(asked),
        S::SyncFileRange => bytes::sync_file_range(asked),
        S::Setsockopt => option::setsockopt(asked, scene.memory),
        S::Getsockopt => option::getsockopt(asked, answer, scene.memory),
        S::Fcntl => option::fcntl(asked, answer, scene.memory),
        S::Ioctl => option::ioctl(asked, answer, scene.memory),
        S::Pselect6 => wait::select(asked, answer, scene.memory),
        #[cfg(target_arch = "x86_64")]
        S::Select => wait::select(asked, answer, scene.memory),
        #[cfg(target_arch = "x86_64")]
        S::Poll => wait::poll(asked, answer, scene.memory),
        S::Ppoll => wait::ppoll(asked, answer, scene.memory),
        #[cfg(target_arch = "x86_64")]
        S::EpollCreate => wait::epoll_create(asked),
        S::EpollCreate1 => wait::epoll_create(asked),
        S::EpollCtl => wait::epoll_ctl(asked, scene.memory),
        #[cfg(target_arch = "x86_64")]
        S::EpollWait => wait::epoll_wait(asked, answer, scene),
        S::EpollPwait | S::EpollPwait2 => wait::epoll_wait(asked, answer, scene),
        #[cfg(target_arch = "x86_64")]
        S::Fork | S::Vfork => process::fork(asked),
        S::Clone | S::Clone3 => process::clone(asked)?,
        S::Execve | S::Execveat => process::execve(asked),
        S::Wait4 => process::wait4(asked, answer, scene.memory),
        S::Waitid => process::waitid(asked, answer, scene.memory),
        S::Kill => process::kill(asked),
        S::RtSigtimedwait => process::sigtimedwait(asked, answer, scene.memory),
        S::IoUringSetup => ring::setup(asked, answer, scene.memory),
        S::IoUringEnter => ring::enter(asked),
        S::IoUringRegister => ring::register(asked, scene.memory)?,
        S::RtSigaction | S::RtSigreturn | S::Seccomp | S::RestartSyscall => return None,
    })
}

/// The descriptors for which a wait is about to wait; none if it is no such call.
pub(crate) fn polled(asked: &Asked, memory: Memory) -> Vec<i32> {
    use netplay_record::Wait;
    let scene = Scene { memory, keep: 0, interests: &Interests::default() };
    let is_wait = match asked.call {
        Syscall::Ppoll | Syscall::Pselect6 => true,
        #[cfg(target_arch = "x86_64")]
        Syscall::Poll | Syscall::Select => true,
        _ => false,
    };
    let said = is_wait.then(|| decode(asked, Answer::Waiting, scene)).flatten();
    match said.map(|said| said.call) {
        Some(Call::Wait(Wait::Poll(fds, _) | Wait::Ppoll { fds, .. })) => {
            fds.iter().map(|one| one.fd).collect()
        }
        Some(Call::Wait(Wait::Select(select))) => select.reads,
        _ => Vec::new(),
    }
}
