//! Values of socket options: what they mean, and how they look in memory.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use netplay_text::escape::escape;
use netplay_text::lang::Lang;

/// The value of a socket option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OptValue {
    /// A number, or 0 and 1 for off and on.
    Int(i32),
    /// A length of time; zero means for ever.
    Time(Duration),
    /// How long `close` waits for unsent bytes; `None`: it does not wait.
    Linger(Option<Duration>),
    /// An IPv4 address.
    Address(Ipv4Addr),
    /// Text, and zero bytes that the kernel may have added; it prints without them.
    Text(Vec<u8>),
    /// Anything else: the bytes of a structure.
    Bytes(Vec<u8>),
}

impl From<i32> for OptValue {
    fn from(number: i32) -> OptValue {
        OptValue::Int(number)
    }
}

impl From<Duration> for OptValue {
    fn from(time: Duration) -> OptValue {
        OptValue::Time(time)
    }
}

impl From<Option<Duration>> for OptValue {
    fn from(linger: Option<Duration>) -> OptValue {
        OptValue::Linger(linger)
    }
}

impl From<Ipv4Addr> for OptValue {
    fn from(address: Ipv4Addr) -> OptValue {
        OptValue::Address(address)
    }
}

/// A group and an address of the device: `struct ip_mreq`.
impl From<(Ipv4Addr, Ipv4Addr)> for OptValue {
    fn from((group, device): (Ipv4Addr, Ipv4Addr)) -> OptValue {
        OptValue::Bytes([group.octets(), device.octets()].concat())
    }
}

/// A group and the number of the device: `struct ipv6_mreq`.
impl From<(Ipv6Addr, u32)> for OptValue {
    fn from((group, device): (Ipv6Addr, u32)) -> OptValue {
        OptValue::Bytes([&group.octets()[..], &device.to_ne_bytes()].concat())
    }
}

impl From<&str> for OptValue {
    fn from(text: &str) -> OptValue {
        OptValue::Text(text.into())
    }
}

impl From<Vec<u8>> for OptValue {
    fn from(bytes: Vec<u8>) -> OptValue {
        OptValue::Bytes(bytes)
    }
}

impl OptValue {
    /// Hands over the value as C has it in memory.
    pub fn in_memory<T>(&self, use_it: impl FnOnce(&[u8]) -> T) -> T {
        match self {
            OptValue::Int(number) => use_it(&number.to_ne_bytes()),
            OptValue::Time(time) => {
                // Rounded up: a short time must not become zero, which means for ever.
                let microseconds = time.as_nanos().div_ceil(1000);
                let parts = [microseconds / 1_000_000, microseconds % 1_000_000];
                use_it(parts.map(|part| (part as libc::c_long).to_ne_bytes()).as_flattened())
            }
            OptValue::Linger(linger) => {
                // Rounded up: zero would send a reset.
                let seconds = linger.unwrap_or_default().as_nanos().div_ceil(1_000_000_000);
                let seconds = i32::try_from(seconds).unwrap_or(i32::MAX);
                use_it([linger.is_some().into(), seconds].map(i32::to_ne_bytes).as_flattened())
            }
            OptValue::Address(address) => use_it(&address.octets()),
            OptValue::Text(bytes) | OptValue::Bytes(bytes) => use_it(bytes),
        }
    }

    /// The same, as owned bytes.
    pub fn to_memory(&self) -> Vec<u8> {
        self.in_memory(<[u8]>::to_vec)
    }

    /// The value in this language: `no limit`, `不限`.
    #[must_use]
    pub fn told_in(&self, lang: Lang) -> String {
        match self {
            OptValue::Text(_) => self.to_string(),
            _ => value_in(&self.to_string(), lang),
        }
    }

    /// How many bytes it has in memory.
    #[must_use]
    pub fn size(&self) -> usize {
        self.in_memory(<[u8]>::len)
    }
}

impl fmt::Display for OptValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OptValue::Int(number) => write!(f, "{number}"),
            OptValue::Time(Duration::ZERO) => f.write_str("no limit"),
            OptValue::Time(time) => write!(f, "{} s", time.as_secs_f64()),
            OptValue::Linger(None) => f.write_str("off"),
            OptValue::Linger(Some(time)) => write!(f, "{} s", time.as_secs()),
            OptValue::Address(address) => write!(f, "{address}"),
            OptValue::Text(text) => match text.split(|&byte| byte == 0).next() {
                Some([]) | None => f.write_str("\"\""),
                Some(text) => f.write_str(&escape(text)),
            },
            OptValue::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
        }
    }
}

/// A value that a record holds, in this language.
pub(super) fn value_in(value: &str, lang: Lang) -> String {
    match (lang, value, value.strip_suffix(" bytes")) {
        (Lang::Zh, "no limit", _) => "不限".to_owned(),
        (Lang::Zh, "off", _) => "关闭".to_owned(),
        (Lang::Zh, _, Some(n)) if n.parse::<u64>().is_ok() => format!("{n} 字节"),
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_in_the_language_asked_for() {
        let told = |value: &OptValue| Lang::ALL.map(|lang| value.told_in(lang));
        for (value, words) in [
            (Duration::ZERO.into(), ["no limit", "不限"]),
            (None::<Duration>.into(), ["off", "关闭"]),
            (vec![0; 12].into(), ["12 bytes", "12 字节"]),
            (5000.into(), ["5000", "5000"]),
            (Duration::from_millis(1500).into(), ["1.5 s", "1.5 s"]),
            ("off".into(), ["off", "off"]), // a name, and no state
        ] {
            assert_eq!(told(&value), words);
        }
    }
}
