//! Numbers as people type them, and their bytes in memory.

use std::fmt;

use super::inet_ntoa;

/// A number and its bytes, as they lie in the memory of the machine that runs this: lowest address
/// first, and as many as its type has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number {
    pub(super) value: u64,
    pub(super) memory: Vec<u8>,
}

impl From<u16> for Number {
    fn from(n: u16) -> Number {
        Number { value: n.into(), memory: n.to_ne_bytes().into() }
    }
}

impl From<u32> for Number {
    fn from(n: u32) -> Number {
        Number { value: n.into(), memory: n.to_ne_bytes().into() }
    }
}

impl From<u64> for Number {
    fn from(n: u64) -> Number {
        Number { value: n, memory: n.to_ne_bytes().into() }
    }
}

impl Number {
    /// The number in a text, in the fewest bits that hold it and the zeros written in front of it.
    ///
    /// # Errors
    /// It is not a number of at most 64 bits.
    pub fn parse(text: &str) -> Result<Number, String> {
        let (value, written) = number(text)?;
        Ok(match (u16::try_from(value), u32::try_from(value)) {
            (Ok(short), _) if written <= 16 => short.into(),
            (_, Ok(long)) if written <= 32 => long.into(),
            _ => value.into(),
        })
    }

    pub(super) fn bits(&self) -> usize {
        8 * self.memory.len()
    }

    pub(super) fn big_endian(&self) -> Vec<u8> {
        self.value.to_be_bytes()[8 - self.memory.len()..].into()
    }

    /// The number with these bytes in reverse order.
    pub(super) fn turned(&self) -> Number {
        let memory: Vec<u8> = self.memory.iter().rev().copied().collect();
        Number { value: self.value.swap_bytes() >> (64 - self.bits()), memory }
    }

    /// What a number of this width is in a socket address.
    pub(super) fn what(&self) -> &'static str {
        if self.bits() == 32 { "address" } else { "port" }
    }

    /// Its value there: `5858`, `127.0.0.1`.
    pub(super) fn meaning(&self) -> String {
        match <[u8; 4]>::try_from(self.big_endian()) {
            Ok(octets) => inet_ntoa(octets.into()),
            Err(_) => self.value.to_string(),
        }
    }
}

/// Decimal.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

/// Hexadecimal, always with 0x and two digits per byte, so that the bytes can be read.
impl fmt::LowerHex for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:0width$x}", self.value, width = 2 * self.memory.len())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    /// The order of the machine that runs this, found by looking: where in memory is the 1 of
    /// 0x0001?
    pub(super) fn here() -> Order {
        if 0x0001_u16.to_ne_bytes() == [0x00, 0x01] { Order::Big } else { Order::Little }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Order::Little => "little-endian",
            Order::Big => "big-endian",
        }
    }
}

/// The number in a text, if it fits `T`.
///
/// # Errors
/// It does not fit, or is not a number.
pub fn unsigned<T: TryFrom<u64>>(text: &str) -> Result<T, String> {
    let (value, _) = number(text)?;
    let bits = 8 * size_of::<T>();
    T::try_from(value).map_err(|_| format!("{bits} bits hold at most {}", u64::MAX >> (64 - bits)))
}

/// The number in a text, and how many bits its digits take, including leading zeros;
/// 0 if they are decimal or octal, because those digits do not end where bytes end.
fn number(text: &str) -> Result<(u64, usize), String> {
    let (digits, base, bits_each) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16, 4),
        [b'0', b'o' | b'O', ..] => (&text[2..], 8, 0),
        [b'0', b'b' | b'B', ..] => (&text[2..], 2, 1),
        [b'0', b'0'..=b'9', ..] => {
            return Err("a leading 0 means octal in C; write 0o for that, or leave it out".into());
        }
        [b'-', ..] => return Err("ports and addresses have no sign; write 0 or more".into()),
        _ => (text, 10, 0),
    };
    let digits = digits.replace('_', "");
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(base)) {
        return Err("write decimal digits, or 0x, 0o or 0b and digits".into());
    }
    match u64::from_str_radix(&digits, base) {
        Ok(value) => Ok((value, bits_each * digits.len())),
        Err(_) => Err(format!("64 bits hold at most {}", u64::MAX)),
    }
}
