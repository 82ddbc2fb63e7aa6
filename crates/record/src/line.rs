//! What only the text of a line says: sizes and lists that no value keeps, because sentences and pictures do not need them.

use super::text::Args;
use super::wait::read_bits;
use super::{Bytes, Call, Connection, Event, Process, Ready, Wait};

impl Event {
    /// How many bytes a receive had room for; `None` if the line does not say so.
    ///
    /// ```
    /// use netplay_record::{Event, Kind};
    ///
    /// let args = Some(r#"4, "say \", 9\"", 256, 0, NULL, NULL"#.into());
    /// let event = Event { call: Some("recv".into()), args, ..Event::default() }.read();
    /// assert_eq!(event.room(), Some(256));
    /// ```
    #[must_use]
    pub fn room(&self) -> Option<u64> {
        let args = self.args.as_deref().unwrap_or_default();
        match &*self.what {
            Call::Bytes(Bytes::Recvmsg(..) | Bytes::Readv(_)) => {
                let sizes = Args::of(self).outside_of_quotes();
                let number = |rest: &str| {
                    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                    rest[..digits].parse::<u64>().ok()
                };
                let sizes: Vec<u64> = sizes.split("iov_len=").skip(1).filter_map(number).collect();
                (!sizes.is_empty()).then(|| sizes.iter().sum())
            }
            Call::Bytes(Bytes::Recv(_) | Bytes::Recvfrom(..) | Bytes::Read(_)) => {
                let (_, buffer) = args.split_once(", ")?;
                let rest = match buffer.strip_prefix('"') {
                    Some(quoted) => after_quote(quoted),
                    None => buffer,
                };
                let size = rest.split(", ").nth(1)?;
                size.parse().ok()
            }
            _ => None,
        }
    }

    /// The length of an address that a call was given; for a call that answers with an address, the size of the buffer.
    #[must_use]
    pub fn address_length(&self) -> Option<i64> {
        let args = Args::of(self).outside_of_quotes();
        match &*self.what {
            Call::Connection(Connection::Bind(_) | Connection::Connect(_)) => {
                args.rsplit(", ").next()?.parse().ok()
            }
            Call::Connection(Connection::Accept { .. }) | Call::Bytes(Bytes::Recvfrom(..)) => {
                let (_, last) = args.rsplit_once('[')?;
                last.split([']', ' ']).next()?.parse().ok()
            }
            Call::Bytes(Bytes::Sendto(..)) => args.rsplit(", ").next()?.parse().ok(),
            _ => None,
        }
    }

    /// What a select or a poll waits for. An epoll_wait waits for what was registered, which its line does not say.
    #[must_use]
    pub fn waits_on(&self) -> Vec<Ready> {
        let args = self.args.as_deref().unwrap_or_default();
        match &*self.what {
            Call::Wait(Wait::Poll(..) | Wait::Ppoll { .. }) => {
                let entry = |entry: &str| {
                    let (fd, rest) = entry.split_once(", events=")?;
                    let events = rest.split(['}', ',']).next()?;
                    Some(Ready { fd: fd.parse().ok()?, events: read_bits(events) })
                };
                args.split("{fd=").skip(1).filter_map(entry).collect()
            }
            Call::Wait(Wait::Select(_)) => {
                let set = |n: usize, events: i32| {
                    let set = args.split(", ").nth(n).unwrap_or_default();
                    let numbers = set.trim_matches(['[', ']']).split(' ');
                    let numbers: Vec<i32> = numbers.filter_map(|fd| fd.parse().ok()).collect();
                    numbers.into_iter().map(move |fd| Ready { fd, events: events.cast_unsigned() })
                };
                let (reads, writes) = (libc::POLLIN.into(), libc::POLLOUT.into());
                set(1, reads).chain(set(2, writes)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether a wait for many ends only by an event: it has no timeout.
    #[must_use]
    pub fn waits_for_ever(&self) -> bool {
        let args = self.args.as_deref().unwrap_or_default();
        match &*self.what {
            Call::Wait(Wait::Poll(..)) if self.syscall.as_deref() == Some("ppoll") => args
                .split(']')
                .next_back()
                .is_some_and(|rest| rest.split(", ").nth(2).is_some_and(|time| time == "NULL")),
            Call::Wait(Wait::Poll(..)) => args.ends_with(", -1"),
            Call::Wait(Wait::Ppoll { .. }) => args
                .rsplit_once(']')
                .is_some_and(|(_, rest)| rest.split(", ").nth(2) == Some("NULL")),
            Call::Wait(Wait::Select(_)) => args.split(", ").nth(4) == Some("NULL"),
            Call::Wait(Wait::EpollWait { .. }) => {
                args.contains(", -1, NULL, ") || args.ends_with(", -1")
            }
            _ => false,
        }
    }

    /// The words of the command line that a program was started with, as far as the line has them.
    #[must_use]
    pub fn command(&self) -> Vec<String> {
        if !matches!(*self.what, Call::Process(Process::Execve(_))) {
            return Vec::new();
        }
        let args = self.args.as_deref().unwrap_or_default();
        let list = args.split_once(", [").map_or("", |(_, list)| list);
        let list = list.rsplit_once(']').map_or(list, |(list, _)| list);
        list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
    }
}

/// The text after the closing quote of a string, whose opening one is gone.
fn after_quote(text: &str) -> &str {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => return &text[at + 1..],
            _ => escaped = false,
        }
    }
    ""
}
