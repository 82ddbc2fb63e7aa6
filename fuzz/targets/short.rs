//! Records in short, because few inputs would be good JSON otherwise.

use serde_json::{Map, Value};

/// The keys of a record in short. The first of them are [`NUMBERS`].
const KEYS: [&str; 22] = [
    "start_ns",
    "dur_ns",
    "pid",
    "tid",
    "fd",
    "ret",
    "bytes",
    "asked",
    "user_data",
    "hidden",
    "kind",
    "role",
    "call",
    "args",
    "errno",
    "data",
    "local",
    "peer",
    "out",
    "ready",
    "state",
    "text",
];
/// How many are numbers.
const NUMBERS: usize = 10;

/// The lines of a trace: one that begins with `{` as it is, any other spelled out, its values in the order of
/// [`KEYS`] with a bar between them.
pub fn trace(bytes: &[u8]) -> Vec<u8> {
    let mut trace = Vec::new();
    for line in bytes.split(|&byte| byte == b'\n') {
        match line {
            [b'{', ..] => trace.extend_from_slice(line),
            _ => trace.extend(spelled_out(line).into_bytes()),
        }
        trace.push(b'\n');
    }
    trace
}

fn spelled_out(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let mut record = Map::from_iter([
        ("v".to_owned(), Value::from(1)),
        ("kind".to_owned(), Value::from("call")),
        ("role".to_owned(), Value::from("server")),
        ("example".to_owned(), Value::from("select")),
        ("wall".to_owned(), Value::from("2026-11-22T10:29:00.000000+00:00")),
    ]);
    for key in &KEYS[..4] {
        record.insert((*key).to_owned(), Value::from(1));
    }
    for (at, (key, value)) in KEYS.iter().zip(text.split('|')).enumerate() {
        if value.is_empty() {
            continue;
        }
        let value = match at {
            0..NUMBERS => value.parse::<i64>().map(Value::from).unwrap_or_default(),
            _ => Value::from(value),
        };
        record.insert((*key).to_owned(), value);
    }
    Value::from(record).to_string()
}
