//! What a client of the file server says: bytes become lines, a line a command, its argument a path.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netplay_ftp::root::{Path, TEMPORARY};
use netplay_ftp::session::command;
use netplay_ftp::telnet::{LONGEST, Line, Lines};

fuzz_target!(|bytes: &[u8]| {
    // An input is shorter than the longest line: what has no line end says the same again and again.
    let endless = bytes.len() > 128 && !bytes.contains(&b'\n');
    let bytes = if endless { bytes.repeat(LONGEST / bytes.len() + 2) } else { bytes.to_vec() };

    let (mut whole, mut pieces) = (Lines::default(), Lines::default());
    whole.take(&bytes);
    bytes.chunks(3).for_each(|piece| pieces.take(piece));
    assert_eq!(whole.too_long(), pieces.too_long());
    assert_eq!(whole.has("ABOR"), pieces.has("ABOR"));

    let mut here = Path::default();
    let mut lines = 0;
    while let Some(line) = whole.oldest() {
        lines += 1;
        assert_eq!(Some(&line), pieces.oldest().as_ref(), "it depends on how TCP cut the stream");
        if let Line::Whole(line) = line {
            assert!(line.len() <= LONGEST && !line.contains(&b'\n'));
            obey(&line, &mut here);
        }
    }
    assert_eq!(pieces.oldest(), None);
    assert!(lines <= bytes.iter().filter(|&&byte| byte == b'\n').count());
});

fn obey(line: &[u8], here: &mut Path) {
    let Some((verb, argument)) = command(line) else {
        assert!(line.contains(&b'\r') || line.contains(&0));
        return;
    };
    assert!(!verb.contains(&b' '));
    if verb.len() < line.len() {
        assert_eq!([verb, b" ", argument].concat(), line);
    }
    let Ok(path) = here.join(argument) else { return };
    // No name in it leads out, or ends a line.
    let text = path.bytes();
    assert!(text.starts_with(b"/") && !text.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
    if text != b"/" {
        for name in text[1..].split(|&byte| byte == b'/') {
            assert!(!matches!(name, b"" | b"." | b"..") && !name.starts_with(TEMPORARY.as_bytes()));
        }
    }
    assert_eq!(Path::default().join(&text), Ok(path.clone()));
    assert_eq!(path.split().is_none(), text == b"/");
    *here = path;
}
