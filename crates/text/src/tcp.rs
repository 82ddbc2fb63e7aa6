//! The states of a TCP connection (RFC 9293, 3.3.2), by the numbers and names that the kernel has for them.

/// The standard's word for a connection that does not exist, or no longer.
pub const CLOSED: &str = "CLOSED";

/// The state of a socket, by its number in the kernel (`tcp_states.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State(pub u8);

impl State {
    /// Connected.
    pub const ESTABLISHED: State = State(1);
    /// The handshake is half done: a SYN has arrived and was answered.
    pub const SYN_RECV: State = State(3);
    /// Closed by this end first; waits until no late segment can arrive any more.
    pub const TIME_WAIT: State = State(6);
    /// Not connected: the CLOSED of the standard.
    pub const CLOSE: State = State(7);
    /// The peer has ended its side, and this end has not.
    pub const CLOSE_WAIT: State = State(8);
    /// A listener.
    pub const LISTEN: State = State(10);

    /// The name as the kernel has it, and with it netstat(8): `TIME_WAIT`.
    ///
    /// ```
    /// use netplay_text::tcp::State;
    /// assert_eq!(State::LISTEN.name(), "LISTEN");
    /// assert_eq!(State(99).name(), "UNKNOWN");
    /// ```
    #[must_use]
    pub fn name(self) -> &'static str {
        const NAMES: [&str; 12] = [
            "ESTABLISHED",
            "SYN_SENT",
            "SYN_RECV",
            "FIN_WAIT1",
            "FIN_WAIT2",
            "TIME_WAIT",
            "CLOSE",
            "CLOSE_WAIT",
            "LAST_ACK",
            "LISTEN",
            "CLOSING",
            "SYN_RECV", // as a small record: the kernel's NEW_SYN_RECV
        ];
        let at = usize::from(self.0).checked_sub(1);
        at.and_then(|at| NAMES.get(at)).copied().unwrap_or("UNKNOWN")
    }

    /// The name in a record of calls: as above, but what the kernel calls CLOSE is [`CLOSED`] there.
    #[must_use]
    pub fn in_record(self) -> &'static str {
        if self == State::CLOSE { CLOSED } else { self.name() }
    }
}
