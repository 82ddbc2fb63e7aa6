//! What was handed in: an archive, its members, and the records in them, whatever they say.
#![no_main]

use std::io::{Cursor, Write};

use libfuzzer_sys::fuzz_target;
use netplay_pack::{Claims, Rule, pack, verify};
use netplay_text::escape::is_unsafe;
use netplay_text::lang::Lang;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

mod short;

fuzz_target!(|bytes: &[u8]| {
    read(bytes);
    read(&archive(bytes));
    let traces = [("trace".to_owned(), short::trace(bytes))];
    let Ok(packed) = pack(&traces, Claims::default()) else { return };
    // What pack has made is what it says it is, whatever the records are.
    let verified = verify(&packed.bytes).unwrap();
    let own = [Rule::Manifest, Rule::About, Rule::Version, Rule::Page, Rule::Review];
    for fault in &verified.faults {
        assert!(!own.contains(&fault.rule), "{fault:?}");
    }
});

/// Whatever it is, it ends with a result, and no word of that steers a terminal.
fn read(bytes: &[u8]) {
    match verify(bytes) {
        Ok(verified) => {
            for fault in &verified.faults {
                assert!(!fault.sentence(Lang::En).contains(is_unsafe), "{fault:?}");
            }
        }
        Err(damage) => assert!(!damage.to_string().contains(is_unsafe), "{damage:?}"),
    }
}

/// An archive with these members, between which the input has a zero.
fn archive(bytes: &[u8]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let names = ["manifest.json", "about.json", "page.html", "review.json", "trace-1.jsonl"];
    for (name, content) in names.iter().zip(bytes.split(|&byte| byte == 0)) {
        zip.start_file(*name, stored).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}
