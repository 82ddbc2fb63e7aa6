//! What stands in listings, and what is typed with them: names, patterns, facts.
#![no_main]

use std::time::{Duration, SystemTime};

use libfuzzer_sys::fuzz_target;
use netplay_ftp::facts::Facts;
use netplay_ftp::listing::{is_like, read_stamp};
use netplay_ftp::names::{last, listed, quoted, words};
use netplay_text::escape::is_unsafe;

fuzz_target!(|bytes: &[u8]| {
    let mut lines = bytes.split(|&byte| byte == b'\n');
    let (name, pattern) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());

    for line in [bytes, name, pattern] {
        let shown = listed(line);
        assert!(!shown.contains(is_unsafe), "{shown:?} steers a terminal");
        // What is shown of a name can be typed; and what was typed is words that can be typed.
        assert_eq!(words(quoted(line).as_bytes()).unwrap(), [line]);
        if let Ok(typed) = words(line) {
            let again: Vec<String> = typed.iter().map(|word| quoted(word)).collect();
            assert_eq!(words(again.join(" ").as_bytes()).unwrap(), typed);
        }
        if let Ok(name) = last(line) {
            assert!(!matches!(name, b"" | b"." | b"..") && !name.contains(&b'/'));
        }
    }

    if name.len() * pattern.len() <= 4096 {
        assert_eq!(is_like(name, pattern), slowly(name, pattern));
    }

    Facts::read(bytes).may_have(SystemTime::UNIX_EPOCH);
    stamp(&String::from_utf8_lossy(name));
});

/// A time that the server's side reads is the one that the client's side reads.
fn stamp(text: &str) {
    if text.contains([' ', ';', '.']) {
        return;
    }
    let reply = format!("250- a\n modify={text}; a\n250 end");
    let told = Facts::read(reply.as_bytes()).modified.and_then(|modified| modified.time);
    let seconds = read_stamp(text);
    let read = seconds.map(|seconds| match Duration::from_secs(seconds.unsigned_abs()) {
        away if seconds < 0 => SystemTime::UNIX_EPOCH - away,
        away => SystemTime::UNIX_EPOCH + away,
    });
    assert_eq!(told, read);
}

/// What a pattern means, as a table: which of its beginnings fit which beginnings of the name.
fn slowly(name: &[u8], pattern: &[u8]) -> bool {
    if name.starts_with(b".") && !pattern.starts_with(b".") {
        return false;
    }
    match (str::from_utf8(name), str::from_utf8(pattern)) {
        (Ok(name), Ok(pattern)) => {
            let chars = |text: &str| text.chars().map(u32::from).collect::<Vec<_>>();
            fits(&chars(name), &chars(pattern))
        }
        _ => {
            let bytes = |text: &[u8]| text.iter().copied().map(u32::from).collect::<Vec<_>>();
            fits(&bytes(name), &bytes(pattern))
        }
    }
}

fn fits(name: &[u32], pattern: &[u32]) -> bool {
    let mut row = vec![false; name.len() + 1];
    row[0] = true;
    for &c in pattern {
        let mut next = vec![false; name.len() + 1];
        next[0] = row[0] && c == u32::from('*');
        for n in 1..=name.len() {
            next[n] = match c {
                c if c == u32::from('*') => row[n] || next[n - 1],
                c if c == u32::from('?') => row[n - 1],
                c => row[n - 1] && c == name[n - 1],
            };
        }
        row = next;
    }
    row[name.len()]
}
