//! Wrong passwords, counted by host.
//!
//! That a session ends after the third does not stop a guesser: the next comes over another session,
//! and sixty at once. So all sessions of a host have ten together (RFC 2577, 5). Then no password of
//! it is looked at, right or wrong, until five minutes have gone by since the tenth.
//!
//! Other hosts are not concerned: a guesser who could lock everybody out would not need to guess. Who
//! is logged in already stays so.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many wrong ones a host may have.
const WRONG: u32 = 10;

/// When they are forgotten, counted from the last.
const FORGOTTEN: Duration = Duration::from_secs(5 * 60);

/// How many hosts are remembered: for one more, the one that was heard longest ago is forgotten.
const HOSTS: usize = 1024;

/// The wrong passwords of each host.
#[derive(Debug, Default)]
pub struct Guesses(Mutex<HashMap<IpAddr, Wrong>>);

#[derive(Debug)]
struct Wrong {
    count: u32,
    last: Instant,
}

/// What becomes of a guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guess {
    /// It is right.
    Right,
    /// It is wrong, and counted.
    Wrong,
    /// It was not looked at: its host has been wrong too often.
    Unheard,
}

impl Guesses {
    /// A guess that came from there now, and whether it is right.
    pub fn guess(&self, from: IpAddr, right: bool, now: Instant) -> Guess {
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.retain(|_, wrong| now.saturating_duration_since(wrong.last) < FORGOTTEN);
        let host = host(from);
        let count = hosts.get(&host).map_or(0, |wrong| wrong.count);
        if count == WRONG {
            return Guess::Unheard;
        }
        if right {
            return Guess::Right;
        }
        if count == 0 && hosts.len() == HOSTS {
            let oldest = hosts.iter().min_by_key(|(_, wrong)| wrong.last).map(|(&host, _)| host);
            oldest.and_then(|host| hosts.remove(&host));
        }
        hosts.insert(host, Wrong { count: count + 1, last: now });
        Guess::Wrong
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

    /// A host that has been wrong too often just now.
    fn guessed_too_often() -> (Guesses, Instant) {
        let (guesses, now) = (Guesses::default(), Instant::now());
        (0..WRONG).for_each(|_| assert_eq!(guesses.guess(HERE, false, now), Guess::Wrong));
        (guesses, now)
    }

    #[test]
    fn after_so_many_wrong_ones_even_the_right_one_is_not_heard_for_a_while() {
        let (guesses, start) = guessed_too_often();
        let almost = start + FORGOTTEN - Duration::from_millis(1);
        assert_eq!(guesses.guess(HERE, true, almost), Guess::Unheard);
        assert_eq!(guesses.guess(HERE, false, almost), Guess::Unheard);
        // What was not heard does not count: asking in vain does not make the wait longer.
        assert_eq!(guesses.guess(HERE, true, start + FORGOTTEN), Guess::Right);
    }

    #[test]
    fn a_right_one_does_not_buy_new_guesses() {
        let (guesses, now) = (Guesses::default(), Instant::now());
        for _ in 0..WRONG {
            assert_eq!(guesses.guess(HERE, true, now), Guess::Right);
            assert_eq!(guesses.guess(HERE, false, now), Guess::Wrong);
        }
        assert_eq!(guesses.guess(HERE, true, now), Guess::Unheard);
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_are_one_host() {
        let (guesses, now) = (Guesses::default(), Instant::now());
        let guess = |text: &str, right| guesses.guess(text.parse().unwrap(), right, now);
        (0..WRONG).for_each(|n| assert_eq!(guess(&format!("2001:db8::{n}"), false), Guess::Wrong));
        assert_eq!(guess("2001:db8::1:2:3:4", true), Guess::Unheard);
        assert_eq!(guess("2001:db8:0:1::1", true), Guess::Right);
    }

    #[test]
    fn more_hosts_than_the_table_has_take_the_place_of_the_oldest() {
        let (guesses, start) = guessed_too_often();
        let second = Duration::from_secs(1);
        for n in 0..HOSTS as u32 {
            let ip = IpAddr::V4((u32::from_be_bytes([10, 0, 0, 0]) + n).into());
            assert_eq!(guesses.guess(ip, false, start + second), Guess::Wrong);
        }
        assert_eq!(guesses.0.lock().unwrap().len(), HOSTS);
        assert_eq!(guesses.guess(HERE, true, start + second), Guess::Right);
    }
}
