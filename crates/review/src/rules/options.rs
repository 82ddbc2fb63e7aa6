//! Options that are none.

use netplay_record::{Call, Sockopt};

use super::found::Found;
use crate::finding::{Rule, both};
use crate::model::Model;

/// The names of a level.
type Levels = &'static [&'static str];

/// Numbers and names of options.
type Options = &'static [(u32, &'static str)];

/// The options that programs set, by level, with the names under which a record may have the level.
const SETTABLE: [(Levels, Options); 3] = [
    (
        &["SOL_SOCKET"],
        &[
            (1, "SO_DEBUG"),
            (2, "SO_REUSEADDR"),
            (5, "SO_DONTROUTE"),
            (6, "SO_BROADCAST"),
            (7, "SO_SNDBUF"),
            (8, "SO_RCVBUF"),
            (9, "SO_KEEPALIVE"),
            (10, "SO_OOBINLINE"),
            (13, "SO_LINGER"),
            (15, "SO_REUSEPORT"),
            (20, "SO_RCVTIMEO"),
            (21, "SO_SNDTIMEO"),
            (60, "SO_ZEROCOPY"),
        ],
    ),
    (
        &["SOL_TCP", "IPPROTO_TCP"],
        &[
            (1, "TCP_NODELAY"),
            (2, "TCP_MAXSEG"),
            (3, "TCP_CORK"),
            (4, "TCP_KEEPIDLE"),
            (5, "TCP_KEEPINTVL"),
            (6, "TCP_KEEPCNT"),
            (7, "TCP_SYNCNT"),
            (8, "TCP_LINGER2"),
            (9, "TCP_DEFER_ACCEPT"),
            (12, "TCP_QUICKACK"),
            (18, "TCP_USER_TIMEOUT"),
            (23, "TCP_FASTOPEN"),
        ],
    ),
    (
        &["SOL_IP", "IPPROTO_IP"],
        &[
            (1, "IP_TOS"),
            (2, "IP_TTL"),
            (8, "IP_PKTINFO"),
            (10, "IP_MTU_DISCOVER"),
            (11, "IP_RECVERR"),
            (12, "IP_RECVTTL"),
            (13, "IP_RECVTOS"),
            (15, "IP_FREEBIND"),
            (19, "IP_TRANSPARENT"),
            (21, "IP_MINTTL"),
        ],
    ),
];

/// Whether the number is no option that Linux lets a program set at this level: it has a name in no header, only one that was never
/// implemented or was taken out, or can only be asked for.
fn cannot_be_set(level: &str, number: u32) -> bool {
    match level {
        "SOL_SOCKET" => matches!(number, 22..=24 | 28 | 30 | 31 | 91..=127),
        "SOL_TCP" | "IPPROTO_TCP" => matches!(number, 15 | 64..=127),
        _ => matches!(number, 26..=31 | 54..=127),
    }
}

/// Names of options that cannot be set, and that a record may have instead of their numbers.
const NAMES: [(&str, u32); 7] = [
    ("SO_SECURITY_AUTHENTICATION", 22),
    ("SO_SECURITY_ENCRYPTION_TRANSPORT", 23),
    ("SO_SECURITY_ENCRYPTION_NETWORK", 24),
    ("SO_PEERNAME", 28),
    ("SO_ACCEPTCONN", 30),
    ("SO_PEERSEC", 31),
    ("TCP_COOKIE_TRANSACTIONS", 15),
];

/// Proven by ENOPROTOOPT for a number that is no option which can be set at that level, and that is the OR of two which can. Innocent:
/// an option that this kernel does not have, and every OR that is an option by itself: SO_REUSEADDR|SO_REUSEPORT is SO_REUSEPORT, and
/// SO_REUSEADDR|SO_KEEPALIVE is SO_NO_CHECK, so that nothing is proven.
pub(super) fn ored_options(model: &Model<'_>, found: &mut Found) {
    for i in 0..model.records.len() {
        let Call::Option(Sockopt::Setsockopt(set)) = &*model.records[i].what else { continue };
        if model.errno(i) != "ENOPROTOOPT" {
            continue;
        }
        let option = set.option.as_ref();
        let number = NAMES.iter().find(|(name, _)| *name == option).map(|&(_, number)| number);
        let digits = option.trim_start_matches("0x");
        let parsed = match option.starts_with("0x") {
            true => u32::from_str_radix(digits, 16),
            false => digits.parse(),
        };
        let Some(number) = number.or(parsed.ok()) else { continue };
        if !cannot_be_set(&set.level, number) {
            continue;
        }
        let level = set.level.as_ref();
        let Some((_, options)) = SETTABLE.iter().find(|(names, _)| names.contains(&level)) else {
            continue;
        };
        let part = |&&(of, _): &&(u32, &str)| of != number && of | number == number;
        let parts: Vec<_> = options.iter().filter(part).collect();
        let two = parts.iter().enumerate().find_map(|(at, (one, first))| {
            let other = parts[at + 1..].iter().find(|(other, _)| one | other == number);
            other.map(|(other, second)| ((*one, *first), (*other, *second)))
        });
        let Some(((one, first), (other, second))) = two else { continue };
        let role = model.role(i);
        found.add(
            Rule::OredOptions,
            i,
            [i],
            both!(
                "{role}: there is no option {number} to set (ENOPROTOOPT), and {number} is what an OR makes of options such as {first} ({one}) and {second} ({other}): the names of options are numbers, not bits. One setsockopt sets one option",
                "{role}：没有可以设置的选项 {number} (ENOPROTOOPT)，而 {number} 正是 {first} ({one}) 和 {second} ({other}) 这样的选项按位或的结果：选项名是编号，不是位。一次 setsockopt 只设置一个选项",
            ),
        );
    }
}
