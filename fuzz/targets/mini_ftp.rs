//! What a client of mini-ftp asks for: the first bytes before a silence.
#![no_main]

use std::os::unix::ffi::OsStrExt;

use libfuzzer_sys::fuzz_target;
use netplay::examples::mini_ftp::{Command, understand};
use netplay_text::escape::{escape, is_unsafe};

fuzz_target!(|bytes: &[u8]| {
    assert!(!escape(bytes).contains(is_unsafe), "it steers a terminal");
    let Ok(command) = understand(bytes) else { return };
    let (letter, path) = match command {
        Command::List => {
            assert_eq!(bytes[0], b'L');
            return;
        }
        Command::Download(path) => (b"D ", path),
        Command::Upload(path) => (b"U ", path),
    };
    let name = path.as_os_str().as_bytes();
    assert!(!name.is_empty() && !name.contains(&0));
    if letter == b"U " {
        assert!(!name.iter().any(u8::is_ascii_control), "data came with the header");
    }
    assert!(bytes.starts_with(&[letter, name].concat()));
    let typed = [letter, name, b"\r\n"].concat();
    assert_eq!(understand(&typed).unwrap(), command);
});
