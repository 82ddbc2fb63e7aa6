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
//! is compared first, and only a wrong one waits: a client that knows it is let in, whatever its neighbours
//! do. (To refuse a host for a while, as many servers do, would let one guesser lock out the whole classroom.)
//!
//! What remains is a guesser who does not wait for the answer, because the silence tells him enough. So the
//! passwords of a host that has guessed wrong are compared one after the other, fifty in a second: with a hundred
//! such guessers beside it, a right one waits for two seconds at most. One whose client leaves before its turn is
//! not compared. (RFC 2577, 5, asks for a limit on guesses, and for the delay.)

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What each wrong one of a host adds to the wait for its answer.
const STEP: Duration = Duration::from_secs(1);

/// How many of these steps there are at most between two answers.
const STEPS: u32 = 5;

/// No answer takes longer.
const LONGEST: Duration = Duration::from_secs(30);

/// After so long without a wrong one, one is forgiven.
const FORGIVEN: Duration = Duration::from_secs(10);

/// From one comparison to the next, once a host has guessed wrong.
const SPACING: Duration = Duration::from_millis(20);

/// How many hosts are remembered: for one more, the one that was heard longest ago is forgotten.
const HOSTS: usize = 1024;

/// The wrong passwords of each host.
#[derive(Debug, Default)]
pub struct Guesses(Mutex<HashMap<IpAddr, Wrong>>);

#[derive(Debug)]
struct Wrong {
    count: u32,
    last: Instant,
    /// When the last of its answers is due.
    answered: Instant,
    /// When passwords will be compared that have come.
    turns: BTreeSet<Instant>,
    /// No other is compared before.
    next: Instant,
}

/// A password that waits until it is compared; until this is dropped.
#[derive(Debug)]
pub struct Turn<'a> {
    guesses: &'a Guesses,
    host: IpAddr,
    at: Instant,
}

impl Guesses {
    /// A password came from there now: when it may be compared. `None`: at once, because that host does not guess.
    pub fn turn(&self, from: IpAddr, now: Instant) -> Option<Turn<'_>> {
        let host = host(from);
        let mut hosts = self.hosts();
        let wrong = hosts.get_mut(&host).filter(|wrong| !wrong.is_over(now))?;
        let mut at = wrong.next.max(now);
        // The first gap: those who left have left one.
        for &taken in &wrong.turns {
            if at + SPACING <= taken {
                break;
            }
            at = at.max(taken + SPACING);
        }
        wrong.turns.insert(at);
        Some(Turn { guesses: self, host, at })
    }

    /// Whether wrong passwords came from there that have not been forgiven.
    pub fn come_from(&self, address: IpAddr, now: Instant) -> bool {
        self.hosts().get(&host(address)).is_some_and(|wrong| !wrong.is_over(now))
    }

    /// A wrong password came from there now: how long its client waits for the answer, a second at least.
    pub fn wrong(&self, from: IpAddr, now: Instant) -> Duration {
        let mut hosts = self.hosts();
        hosts.retain(|_, wrong| !wrong.is_over(now));
        let host = host(from);
        if !hosts.contains_key(&host) && hosts.len() == HOSTS {
            let oldest = hosts.iter().min_by_key(|(_, wrong)| wrong.last);
            let oldest = oldest.map(|(&host, _)| host);
            oldest.and_then(|host| hosts.remove(&host));
        }
        let new = Wrong { count: 0, last: now, answered: now, turns: BTreeSet::new(), next: now };
        let wrong = hosts.entry(host).or_insert(new);
        wrong.count = (wrong.now(now) + 1).min(STEPS);
        wrong.last = now;
        let answer = wrong.answered.max(now) + STEP * wrong.count;
        wrong.answered = answer.min(now + LONGEST);
        wrong.answered.saturating_duration_since(now)
    }

    fn hosts(&self) -> MutexGuard<'_, HashMap<IpAddr, Wrong>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wrong {
    /// How many there are now that have not been forgiven.
    fn now(&self, now: Instant) -> u32 {
        let quiet = now.saturating_duration_since(self.last).as_secs() / FORGIVEN.as_secs();
        self.count.saturating_sub(u32::try_from(quiet).unwrap_or(u32::MAX))
    }

    /// Whether nothing of it is of use any more.
    fn is_over(&self, now: Instant) -> bool {
        self.now(now) == 0 && self.answered <= now && self.turns.is_empty()
    }
}

impl Turn<'_> {
    /// How long until it may be compared.
    #[must_use]
    pub fn wait(&self, now: Instant) -> Duration {
        self.at.saturating_duration_since(now)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut hosts = self.guesses.hosts();
        let Some(wrong) = hosts.get_mut(&self.host) else { return };
        wrong.turns.remove(&self.at);
        if self.at <= Instant::now() {
            wrong.next = wrong.next.max(self.at + SPACING);
        }
    }
}

/// Over IPv6 a host has 2⁶⁴ addresses: what they have in common is their first half.
pub(super) fn host(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.into(),
        IpAddr::V6(ip) => IpAddr::V6((ip.to_bits() >> 64 << 64).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn each_wrong_one_waits_longer_and_they_are_answered_one_after_the_other() {
        let (guesses, start) = (Guesses::default(), Instant::now());
        let mut now = start;
        for seconds in [1, 2, 3, 4, 5, 5, 5] {
            let wait = guesses.wrong(HERE, now);
            assert_eq!(wait.as_secs(), seconds);
            now += wait;
        }
        // At once, and each of them after those before it, but never for ever.
        let guesses = Guesses::default();
        for seconds in [1, 3, 6, 10, 15, 20, 25, 30, 30, 30] {
            assert_eq!(guesses.wrong(HERE, start).as_secs(), seconds);
        }
    }

    #[test]
    fn a_wrong_one_is_forgiven_after_a_while() {
        let (guesses, start) = (Guesses::default(), Instant::now());
        let wait = |after: u64| guesses.wrong(HERE, start + Duration::from_secs(after)).as_secs();
        assert_eq!([wait(0), wait(1), wait(3)], [1, 2, 3]);
        assert_eq!(wait(3 + 9), 4, "too early");
        assert_eq!(wait(12 + 20), 3, "two of the four are forgiven");
        assert_eq!(wait(32 + 600), 1);
    }

    #[test]
    fn passwords_of_a_host_that_guesses_are_compared_one_after_the_other() {
        let (guesses, now) = (Guesses::default(), Instant::now());
        assert!(guesses.turn(HERE, now).is_none(), "no guess was made");
        guesses.wrong(HERE, now);
        let mut turns: Vec<_> = (0..100).filter_map(|_| guesses.turn(HERE, now)).collect();
        let waits: Vec<_> = turns.iter().map(|turn| turn.wait(now)).collect();
        assert_eq!(waits, Vec::from_iter((0..100).map(|n| SPACING * n)));
        assert!(guesses.turn([10, 0, 0, 1].into(), now).is_none(), "elsewhere");
        // A turn that is given up is free for the next.
        turns.remove(40);
        let next = guesses.turn(HERE, now).unwrap();
        assert_eq!(next.wait(now), SPACING * 40);
        assert_eq!(guesses.turn(HERE, now).unwrap().wait(now), SPACING * 100);
    }

    #[test]
    fn a_comparison_keeps_its_distance_from_the_one_before() {
        let (guesses, start) = (Guesses::default(), Instant::now());
        guesses.wrong(HERE, start);
        drop(guesses.turn(HERE, start));
        assert_eq!(guesses.turn(HERE, start).unwrap().wait(start), SPACING);
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_are_one_host() {
        let (guesses, now) = (Guesses::default(), Instant::now());
        let wait = |text: &str| guesses.wrong(text.parse().unwrap(), now).as_secs();
        assert_eq!(
            [wait("2001:db8::1"), wait("2001:db8::2"), wait("2001:db8::1:2:3:4")],
            [1, 3, 6]
        );
        assert_eq!(wait("2001:db8:0:1::1"), 1);
        assert_eq!(
            [wait("192.0.2.1"), wait("::ffff:192.0.2.1"), wait("::ffff:192.0.2.2")],
            [1, 3, 1]
        );
    }

    #[test]
    fn more_hosts_than_the_table_has_take_the_place_of_the_oldest() {
        let (guesses, start) = (Guesses::default(), Instant::now());
        guesses.wrong(HERE, start);
        let second = start + Duration::from_secs(1);
        for n in 0..HOSTS as u32 {
            let ip = IpAddr::V4((u32::from_be_bytes([10, 0, 0, 0]) + n).into());
            guesses.wrong(ip, second);
        }
        assert_eq!(guesses.hosts().len(), HOSTS);
        assert_eq!(guesses.wrong(HERE, second).as_secs(), 1, "it was forgotten");
    }
}
