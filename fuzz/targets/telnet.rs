//! Telnet's escapes, and the passwords that no record may show.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netplay_call::{HIDDEN, Hide};
use netplay_ftp::telnet::{Echo, LONGEST, Line, Lines, Passwords};

const IAC: u8 = 255;

fuzz_target!(|bytes: &[u8]| {
    text_comes_through(bytes);
    hidden_the_same_in_pieces(bytes);
    what_is_behind_pass_is_hidden(bytes);
    if let Some((&length, rest)) = bytes.split_first() {
        let (secret, reply) = rest.split_at(usize::from(length).min(rest.len()));
        no_echo(secret, reply);
    }
});

/// What is escaped as RFC 854 has it comes out as it went in.
fn text_comes_through(bytes: &[u8]) {
    let text: Vec<u8> = bytes.iter().copied().filter(|&byte| byte != b'\n').collect();
    let mut wire = Vec::new();
    for &byte in &text {
        wire.push(byte);
        match byte {
            IAC => wire.push(IAC),
            b'\r' => wire.push(0),
            _ => {}
        }
    }
    wire.extend_from_slice(b"\r\n");
    let mut lines = Lines::default();
    lines.take(&wire);
    let line = if text.len() > LONGEST { Line::TooLong } else { Line::Whole(text) };
    assert_eq!((lines.oldest(), lines.oldest()), (Some(line), None));
}

fn hidden_the_same_in_pieces(bytes: &[u8]) {
    let (mut whole, mut pieces) = (bytes.to_vec(), bytes.to_vec());
    let hidden = Passwords::heard().received(&mut whole);
    let mut passwords = Passwords::heard();
    let in_pieces: usize = pieces.chunks_mut(3).map(|piece| passwords.received(piece)).sum();
    assert_eq!((hidden, &whole), (in_pieces, &pieces));
    let mut sent = bytes.to_vec();
    assert_eq!(
        (Passwords::told().sent(&mut sent), &sent),
        (hidden, &whole),
        "both sides hide the same"
    );
    let changed = bytes.iter().zip(&whole).filter(|(before, after)| before != after);
    assert!(changed.clone().all(|(_, after)| *after == HIDDEN) && changed.count() <= hidden);
}

fn what_is_behind_pass_is_hidden(bytes: &[u8]) {
    let secret = bytes.iter().copied().filter(|byte| !matches!(*byte, b'\r' | b'\n' | 0 | IAC));
    let secret: Vec<u8> = secret.collect();
    let mut line = [b"PASS ", &secret[..], b"\r\n"].concat();
    assert_eq!(Passwords::heard().received(&mut line), secret.len());
    assert!(line[5..5 + secret.len()].iter().all(|&byte| byte == HIDDEN));
}

/// A server that sends a password back shows it in no record, however its answer is cut.
fn no_echo(secret: &[u8], reply: &[u8]) {
    // What is looked for at each place of each piece is better short.
    let (secret, reply) = (&secret[..secret.len().min(32)], &reply[..reply.len().min(64)]);
    if secret.is_empty() || secret.contains(&HIDDEN) {
        return;
    }
    let short = secret.len() < 4;
    let look_for = if short { [b"PASS ", secret].concat() } else { secret.to_vec() };
    for cut in [1, 3, usize::MAX] {
        let mut shown = [reply, &look_for, reply].concat();
        let mut echo = Echo::of(secret);
        for piece in shown.chunks_mut(cut) {
            echo.hide(piece);
        }
        let mut windows = shown.windows(look_for.len());
        assert!(!windows.any(|text| text.eq_ignore_ascii_case(&look_for)));
    }
}
