//! Wrong passwords: how long a guesser waits for the answer.
//!
//! ```text
//! the first wrong one    answered after 1 second
//! the next               2 seconds after that, then 3, 4, 5, and 5 from then on
//! ten seconds without    one of them is forgiven
//! ```
//!
//! They are counted by host, over all of its sessions, and answered one after the other: sixty sessions at
//! once guess no faster than one. But a host may be a router with a classroom behind it. So the password
//! is compared first, and only a wrong one waits: a connection that has a place and knows the password is
//! let in at once, whatever its neighbours do. (To refuse a host for a while, as many servers do, would let
//! one guesser lock out everybody there.)
//!
//! What remains is a guesser who does not wait for the answer: he takes the silence for one. So a wrong
//! password keeps its place among the clients for its first second, even if the client leaves, and there
//! are so many places and no more. Beyond that second the wait ends when the client goes; it has an end
//! anyway; and those who wait beyond it take no more than half of the places. (RFC 2577, 5, asks for all of this
//! except the last.)
//!
//! What this does not keep off is a host that connects again and again: a connection has a place before its
//! login, and a guess for its first second. A hundred clients that do nothing else can take all of the places,
//! and then a newcomer is told 421, whatever he knows. `--max-per-host` keeps places for other hosts, and
//! leaves fewer to that one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What each wrong one of a host adds to the wait for its answer.
pub const STEP: Duration = Duration::from_secs(1);

/// How many of these steps there are at most between two answers.
const STEPS: u32 = 5;

/// No answer takes longer.
const LONGEST: Duration = Duration::from_secs(30);

/// After so long without a wrong one, one is forgiven.
const FORGIVEN: Duration = Duration::from_secs(10);

/// How many hosts are remembered: for one more, the one that was heard longest ago is forgotten.
const HOSTS: usize = 1024;

/// The wrong passwords of each host.
#[derive(Debug)]
pub struct Guesses {
    state: Mutex<State>,
    /// How many may wait at once.
    room: usize,
}

#[derive(Debug, Default)]
struct State {
    hosts: HashMap<IpAddr, Wrong>,
    waiting: usize,
}

#[derive(Debug)]
struct Wrong {
    count: u32,
    last: Instant,
    /// When the last of its answers is due.
    answered: Instant,
}

/// The wait of one wrong password, until this is dropped.
#[derive(Debug)]
pub struct Turn<'a> {
    guesses: &'a Guesses,
    /// How long until its answer: a [`STEP`] at least.
    pub wait: Duration,
    /// Whether there was no room for it among those who wait: its session is over then.
    pub crowded: bool,
}

impl Guesses {
    /// For a server with places for so many clients.
    #[must_use]
    pub fn new(places: usize) -> Guesses {
        Guesses { state: Mutex::default(), room: (places / 2).max(1) }
    }

    /// A wrong password came from there now.
    pub fn wrong(&self, from: IpAddr, now: Instant) -> Turn<'_> {
        let mut state = self.lock();
        state.hosts.retain(|_, wrong| wrong.now(now) > 0 || wrong.answered > now);
        let host = host(from);
        if !state.hosts.contains_key(&host) && state.hosts.len() == HOSTS {
            let oldest = state.hosts.iter().min_by_key(|(_, wrong)| wrong.last);
            let oldest = oldest.map(|(&host, _)| host);
            oldest.and_then(|host| state.hosts.remove(&host));
        }
        let new = Wrong { count: 0, last: now, answered: now };
        let wrong = state.hosts.entry(host).or_insert(new);
        wrong.count = (wrong.now(now) + 1).min(STEPS);
        wrong.last = now;
        let turn = wrong.answered.max(now) + STEP * wrong.count;
        wrong.answered = turn.min(now + LONGEST);
        let wait = wrong.answered.saturating_duration_since(now);
        let crowded = state.waiting >= self.room;
        state.waiting += 1;
        Turn { guesses: self, wait: if crowded { STEP } else { wait }, crowded }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wrong {
    /// How many there are now that have not been forgiven.
    fn now(&self, now: Instant) -> u32 {
        let quiet = now.saturating_duration_since(self.last).as_secs() / FORGIVEN.as_secs();
        self.count.saturating_sub(u32::try_from(quiet).unwrap_or(u32::MAX))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.guesses.lock().waiting -= 1;
    }
}

/// Over IPv6 a host has 2⁶⁴ addresses: what they have in common is their first half.
fn host(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => IpAddr::V6((ip.to_bits() >> 64 << 64).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn seconds(turn: &Turn<'_>) -> u64 {
        turn.wait.as_secs()
    }

    #[test]
    fn each_wrong_one_waits_longer_and_they_are_answered_one_after_the_other() {
        let (guesses, start) = (Guesses::new(64), Instant::now());
        let mut now = start;
        for wait in [1, 2, 3, 4, 5, 5, 5] {
            let turn = guesses.wrong(HERE, now);
            assert_eq!(seconds(&turn), wait);
            now += turn.wait;
        }
        // At once, and each of them after those before it; but nobody waits for ever.
        let (guesses, mut turns) = (Guesses::new(64), Vec::new());
        for wait in [1, 3, 6, 10, 15, 20, 25, 30, 30, 30] {
            turns.push(guesses.wrong(HERE, start));
            assert_eq!(turns.last().map(seconds), Some(wait));
        }
    }

    #[test]
    fn a_wrong_one_is_forgiven_after_a_while() {
        let (guesses, start) = (Guesses::new(64), Instant::now());
        let wait = |after: u64| seconds(&guesses.wrong(HERE, start + Duration::from_secs(after)));
        assert_eq!([wait(0), wait(1), wait(3)], [1, 2, 3]);
        assert_eq!(wait(3 + 9), 4, "too early");
        assert_eq!(wait(12 + 20), 3, "two of the four are forgiven");
        assert_eq!(wait(32 + 600), 1);
    }

    #[test]
    fn those_who_wait_have_half_of_the_places() {
        let (guesses, now) = (Guesses::new(8), Instant::now());
        let elsewhere = |n: u8| IpAddr::from([10, 0, 0, n]);
        let mut turns: Vec<_> = (0..4).map(|n| guesses.wrong(elsewhere(n), now)).collect();
        assert!(turns.iter().all(|turn| !turn.crowded));
        let more = guesses.wrong(HERE, now);
        assert_eq!((more.crowded, seconds(&more)), (true, 1));
        drop(more);
        turns.pop();
        assert!(!guesses.wrong(HERE, now).crowded, "one has left");
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_are_one_host() {
        let (guesses, now) = (Guesses::new(64), Instant::now());
        let wait = |text: &str| seconds(&guesses.wrong(text.parse().unwrap(), now));
        assert_eq!(
            [wait("2001:db8::1"), wait("2001:db8::2"), wait("2001:db8::1:2:3:4")],
            [1, 3, 6]
        );
        assert_eq!(wait("2001:db8:0:1::1"), 1);
    }

    #[test]
    fn more_hosts_than_the_table_has_take_the_place_of_the_oldest() {
        let (guesses, start) = (Guesses::new(64), Instant::now());
        guesses.wrong(HERE, start);
        let second = start + Duration::from_secs(1);
        for n in 0..HOSTS as u32 {
            let ip = IpAddr::V4((u32::from_be_bytes([10, 0, 0, 0]) + n).into());
            guesses.wrong(ip, second);
        }
        assert_eq!(guesses.lock().hosts.len(), HOSTS);
        assert_eq!(seconds(&guesses.wrong(HERE, second)), 1, "it was forgotten");
    }
}
