//! The system calls that are watched: those of sockets, of waits for them, of descriptors, and of processes.

/// A system call, with the kernel's name and its number on this machine.
macro_rules! syscalls {
    ($($(#[$only:meta])* $call:ident = $name:literal, $number:ident;)+) => {
        /// A system call that is watched.
        #[expect(clippy::enum_variant_names, reason = "one of the kernel's names ends so")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum Syscall {
            $($(#[$only])* #[doc = concat!($name, "(2)")] $call,)+
        }

        impl Syscall {
            /// All of them.
            pub(crate) const ALL: &[Syscall] = &[$($(#[$only])* Syscall::$call),+];

            /// The kernel's name.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $($(#[$only])* Syscall::$call => $name,)+
                }
            }

            /// Its number on this machine.
            pub(crate) const fn number(self) -> u32 {
                match self {
                    $($(#[$only])* Syscall::$call => libc::$number as u32,)+
                }
            }
        }
    };
}

// The older calls of x86: machines that came later have only those that replaced them.
syscalls! {
    Socket = "socket", SYS_socket;
    Socketpair = "socketpair", SYS_socketpair;
    Bind = "bind", SYS_bind;
    Listen = "listen", SYS_listen;
    Accept = "accept", SYS_accept;
    Accept4 = "accept4", SYS_accept4;
    Connect = "connect", SYS_connect;
    Getsockname = "getsockname", SYS_getsockname;
    Getpeername = "getpeername", SYS_getpeername;
    Shutdown = "shutdown", SYS_shutdown;
    Sendto = "sendto", SYS_sendto;
    Recvfrom = "recvfrom", SYS_recvfrom;
    Sendmsg = "sendmsg", SYS_sendmsg;
    Recvmsg = "recvmsg", SYS_recvmsg;
    Sendmmsg = "sendmmsg", SYS_sendmmsg;
    Recvmmsg = "recvmmsg", SYS_recvmmsg;
    Setsockopt = "setsockopt", SYS_setsockopt;
    Getsockopt = "getsockopt", SYS_getsockopt;
    Read = "read", SYS_read;
    Write = "write", SYS_write;
    Readv = "readv", SYS_readv;
    Writev = "writev", SYS_writev;
    Sendfile = "sendfile", SYS_sendfile;
    Splice = "splice", SYS_splice;
    Close = "close", SYS_close;
    CloseRange = "close_range", SYS_close_range;
    Dup = "dup", SYS_dup;
    #[cfg(target_arch = "x86_64")]
    Dup2 = "dup2", SYS_dup2;
    Dup3 = "dup3", SYS_dup3;
    Fcntl = "fcntl", SYS_fcntl;
    Ioctl = "ioctl", SYS_ioctl;
    #[cfg(target_arch = "x86_64")]
    Select = "select", SYS_select;
    Pselect6 = "pselect6", SYS_pselect6;
    #[cfg(target_arch = "x86_64")]
    Poll = "poll", SYS_poll;
    Ppoll = "ppoll", SYS_ppoll;
    #[cfg(target_arch = "x86_64")]
    EpollCreate = "epoll_create", SYS_epoll_create;
    EpollCreate1 = "epoll_create1", SYS_epoll_create1;
    EpollCtl = "epoll_ctl", SYS_epoll_ctl;
    #[cfg(target_arch = "x86_64")]
    EpollWait = "epoll_wait", SYS_epoll_wait;
    EpollPwait = "epoll_pwait", SYS_epoll_pwait;
    EpollPwait2 = "epoll_pwait2", SYS_epoll_pwait2;
    #[cfg(target_arch = "x86_64")]
    Fork = "fork", SYS_fork;
    #[cfg(target_arch = "x86_64")]
    Vfork = "vfork", SYS_vfork;
    Clone = "clone", SYS_clone;
    Clone3 = "clone3", SYS_clone3;
    Execve = "execve", SYS_execve;
    Execveat = "execveat", SYS_execveat;
    Wait4 = "wait4", SYS_wait4;
    Waitid = "waitid", SYS_waitid;
    Kill = "kill", SYS_kill;
    RtSigaction = "rt_sigaction", SYS_rt_sigaction;
    RtSigtimedwait = "rt_sigtimedwait", SYS_rt_sigtimedwait;
    IoUringSetup = "io_uring_setup", SYS_io_uring_setup;
    IoUringEnter = "io_uring_enter", SYS_io_uring_enter;
    IoUringRegister = "io_uring_register", SYS_io_uring_register;
    SyncFileRange = "sync_file_range", SYS_sync_file_range;
    Seccomp = "seccomp", SYS_seccomp;
    RestartSyscall = "restart_syscall", SYS_restart_syscall;
    RtSigreturn = "rt_sigreturn", SYS_rt_sigreturn;
}

impl Syscall {
    /// The call of this number.
    pub(crate) fn of(number: u64) -> Option<Syscall> {
        Syscall::ALL.iter().copied().find(|call| u64::from(call.number()) == number)
    }

    /// Whether programs use it for files and standard streams as well: then the filter looks at the descriptor.
    pub(crate) fn is_for_files_too(self) -> bool {
        use Syscall::{Close, Fcntl, Ioctl, Read, Readv, Write, Writev};
        matches!(self, Read | Write | Readv | Writev | Close | Fcntl | Ioctl)
    }

    /// Whether it makes a process or a thread.
    pub(crate) fn forks(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        if matches!(self, Syscall::Fork | Syscall::Vfork) {
            return true;
        }
        matches!(self, Syscall::Clone | Syscall::Clone3)
    }

    /// Whether it takes bytes from its descriptor.
    pub(crate) fn receives(self) -> bool {
        matches!(self, Syscall::Read | Syscall::Recvfrom)
    }

    /// Whether it waits for any of many descriptors.
    pub(crate) fn waits_for_many(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        if matches!(self, Syscall::Select | Syscall::Poll | Syscall::EpollWait) {
            return true;
        }
        use Syscall::{EpollPwait, EpollPwait2, Ppoll, Pselect6};
        matches!(self, Pselect6 | Ppoll | EpollPwait | EpollPwait2)
    }

    /// Whether it puts a copy of its descriptor in the place of another.
    pub(crate) fn replaces(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        if self == Syscall::Dup2 {
            return true;
        }
        self == Syscall::Dup3
    }

    /// Whether it is about a socket only if its descriptor is one.
    pub(crate) fn depends_on_descriptor(self) -> bool {
        use Syscall::{Close, Dup, Dup3, Fcntl, Ioctl, Read, Readv, Write, Writev};
        #[cfg(target_arch = "x86_64")]
        if self == Syscall::Dup2 {
            return true;
        }
        matches!(self, Read | Write | Readv | Writev | Close | Fcntl | Ioctl | Dup | Dup3)
    }
}
