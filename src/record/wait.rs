//! Waits for many descriptors at once.

use super::text::{Args, list};
use super::{Event, Failure, Told};

/// A call that waits for many descriptors, or says which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// select(2), with the descriptors that it was to read from.
    Select(Vec<i32>),
    /// poll(2), with its descriptors.
    Poll(Vec<i32>),
    /// ppoll(2), with its descriptors.
    Ppoll(Vec<i32>),
    /// epoll_create(2)
    EpollCreate,
    /// epoll_ctl(2)
    EpollCtl(Interest),
    /// epoll_wait(2)
    EpollWait,
}

/// What `epoll_ctl` did to the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interest {
    /// EPOLL_CTL_ADD: this descriptor, for these events.
    Add(i32, String),
    /// EPOLL_CTL_MOD
    Modify(i32, String),
    /// EPOLL_CTL_DEL
    Delete(i32),
}

impl Interest {
    /// `4, EPOLL_CTL_ADD, 3, {events=EPOLLIN, …}`
    fn read(args: Args<'_>) -> Interest {
        let fd = args.nth(2).parse().unwrap_or(-1);
        let events = args.field("events=", &[',']).unwrap_or_default().to_owned();
        match args.nth(1) {
            "EPOLL_CTL_ADD" => Interest::Add(fd, events),
            "EPOLL_CTL_MOD" => Interest::Modify(fd, events),
            _ => Interest::Delete(fd),
        }
    }
}

impl Told for Wait {
    fn read(name: &str, event: &Event) -> Option<Wait> {
        let args = Args::of(event);
        Some(match name {
            "select" => Wait::Select(args.list()),
            "poll" => Wait::Poll(args.numbers("fd=")),
            "ppoll" => Wait::Ppoll(args.numbers("fd=")),
            "epoll_create" => Wait::EpollCreate,
            "epoll_ctl" => Wait::EpollCtl(Interest::read(args)),
            "epoll_wait" => Wait::EpollWait,
            _ => return None,
        })
    }

    fn name(&self) -> &'static str {
        match self {
            Wait::Select(_) => "select",
            Wait::Poll(_) => "poll",
            Wait::Ppoll(_) => "ppoll",
            Wait::EpollCreate => "epoll_create",
            Wait::EpollCtl(_) => "epoll_ctl",
            Wait::EpollWait => "epoll_wait",
        }
    }

    fn english(&self, event: &Event) -> String {
        match self {
            Wait::Select(_) | Wait::Poll(_) | Wait::Ppoll(_) | Wait::EpollWait => ready(event),
            Wait::EpollCreate => "a list of interest in the kernel, empty so far".to_owned(),
            Wait::EpollCtl(Interest::Add(fd, events)) => {
                format!("fd {fd} is on the list now, for {events}")
            }
            Wait::EpollCtl(Interest::Modify(fd, events)) => {
                format!("of fd {fd} it wants {events} now")
            }
            Wait::EpollCtl(Interest::Delete(fd)) => format!("fd {fd} is off the list"),
        }
    }

    fn failure(&self, errno: &str, _: &Event) -> Option<Failure> {
        match errno {
            "EINTR" if self.waits() => {
                Some(Failure::Ordinary("a signal ended the wait (EINTR)".to_owned()))
            }
            _ => None,
        }
    }

    fn asked(&self, on: String, _: &Event) -> String {
        match self {
            Wait::Select(fds) | Wait::Poll(fds) | Wait::Ppoll(fds) => {
                format!("{} {}", self.name(), list(fds))
            }
            Wait::EpollCreate | Wait::EpollCtl(_) | Wait::EpollWait => on,
        }
    }

    fn answered(&self, event: &Event) -> String {
        match self {
            Wait::EpollCreate | Wait::EpollCtl(_) => super::text::number(event.ret),
            _ if event.ret.unwrap_or_default() == 0 => "nothing in time".to_owned(),
            _ => format!("ready {}", event.ready.as_deref().unwrap_or_default()),
        }
    }

    fn waits(&self) -> bool {
        match self {
            Wait::Select(_) | Wait::Poll(_) | Wait::Ppoll(_) | Wait::EpollWait => true,
            Wait::EpollCreate | Wait::EpollCtl(_) => false,
        }
    }
}

/// `3 POLLIN, 4 POLLIN|POLLHUP` or `3 read, 4 write` in words.
fn ready(event: &Event) -> String {
    let list = event.ready.as_deref().unwrap_or_default();
    if list.is_empty() {
        return "nothing became ready in time".to_owned();
    }
    let each = |entry: &str| {
        let (fd, what) = entry.split_once(' ').unwrap_or((entry, ""));
        let meanings: Vec<&str> = what.split('|').map(meaning).collect();
        format!("fd {fd} {what} ({})", meanings.join(", "))
    };
    let entries: Vec<String> = list.split(", ").map(each).collect();
    format!("ready: {}", entries.join("; "))
}

/// What an event of a wait means (poll(2)).
fn meaning(event: &str) -> &'static str {
    match event {
        "read" | "POLLIN" | "EPOLLIN" => "something has arrived",
        "write" | "POLLOUT" | "EPOLLOUT" => "the kernel takes bytes again",
        "POLLPRI" | "EPOLLPRI" => "urgent data",
        "POLLERR" | "EPOLLERR" => "an error is pending",
        "POLLHUP" | "EPOLLHUP" => "both directions have ended",
        "POLLNVAL" => "no open descriptor",
        "EPOLLRDHUP" => "the peer will send no more",
        _ => "an event",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Call;

    #[test]
    fn a_wait_says_who_is_ready_or_that_nobody_was() {
        for call in ["select", "poll", "ppoll", "epoll_wait"] {
            let wait = |ret, ready: &str| {
                let mut event = Event {
                    call: Some(call.to_owned()),
                    ret: Some(ret),
                    ready: Some(ready.to_owned()),
                    ..Event::default()
                };
                event.what = Call::read(&event);
                event
            };
            assert_eq!(wait(0, "").answered(), "nothing in time", "{call}");
            assert_eq!(wait(1, "5 EPOLLIN").answered(), "ready 5 EPOLLIN", "{call}");
        }
    }
}
