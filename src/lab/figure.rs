//! What a lab measures: figures, tables and claims, with keys that the texts translate.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::words::{duration, grouped};

/// A measured value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// How many.
    Count(u64),
    /// How many bytes.
    Bytes(u64),
    /// How long.
    Time(Duration),
    /// How many in a second.
    Rate(f64),
    /// A part of a whole, from 0 to 1.
    Share(f64),
    /// How full something is, from 0 to 1, drawn as a tank.
    Level(f64),
    /// A word that the texts translate, by its key.
    Word(&'static str),
    /// A name that is the same in each language: a call, an errno, an address, the bytes of a buffer.
    Text(String),
}

impl Value {
    /// As people read it; `word` knows the words by their keys.
    #[must_use]
    pub fn text(&self, word: impl Fn(&str) -> String) -> String {
        match self {
            Value::Count(n) => grouped(*n),
            Value::Bytes(n) => format!("{} B", grouped(*n)),
            Value::Time(time) => duration(time.as_nanos() as u64),
            Value::Rate(rate) => format!("{} /s", grouped(rate.round() as u64)),
            Value::Share(share) => format!("{:.0} %", share * 100.0),
            Value::Level(level) => tank(*level),
            Value::Word(key) => word(key),
            Value::Text(text) => text.clone(),
        }
    }
}

/// `██████░░░░`: full from the left. What the kernel counts may be more than there is room for.
fn tank(level: f64) -> String {
    const ROOM: usize = 20;
    let full = ((level * ROOM as f64).round() as usize).min(ROOM);
    "█".repeat(full) + &"░".repeat(ROOM - full)
}

/// A number where it is one (times in nanoseconds), otherwise a text.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Count(n) | Value::Bytes(n) => to.serialize_u64(*n),
            Value::Time(time) => to.serialize_u64(time.as_nanos() as u64),
            Value::Rate(value) | Value::Share(value) | Value::Level(value) => {
                to.serialize_f64(*value)
            }
            Value::Word(text) => to.serialize_str(text),
            Value::Text(text) => to.serialize_str(text),
        }
    }
}

impl From<u64> for Value {
    fn from(n: u64) -> Value {
        Value::Count(n)
    }
}

impl From<usize> for Value {
    fn from(n: usize) -> Value {
        Value::Count(n as u64)
    }
}

impl From<Duration> for Value {
    fn from(time: Duration) -> Value {
        Value::Time(time)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text)
    }
}

/// A value under the key of its name.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// What was measured.
    pub key: &'static str,
    /// How much it was.
    pub value: Value,
}

/// Rows of values under the keys of their columns.
#[derive(Debug, Clone, Serialize)]
pub struct Table {
    /// What the table shows.
    pub key: &'static str,
    /// The keys of its columns.
    pub columns: Vec<&'static str>,
    /// A value a column.
    pub rows: Vec<Vec<Value>>,
}

/// Something that must be so on every kernel that this lab runs on.
#[derive(Debug, Clone, Serialize)]
pub struct Claim {
    /// What.
    pub key: &'static str,
    /// Whether it was.
    pub held: bool,
}
