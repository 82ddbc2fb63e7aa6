//! A line of a trace as a record, and all that is said of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netplay_record::Event;
use netplay_text::lang::Lang;

mod short;

fuzz_target!(|bytes: &[u8]| {
    for line in short::trace(bytes).split(|&byte| byte == b'\n').take(2) {
        if let Ok(event) = serde_json::from_slice::<Event>(line) {
            say_all(&event);
        }
    }
});

fn say_all(event: &Event) {
    let _ = (event.strace(), event.sentence(Lang::En), event.asked(), event.answered());
    let _ = (event.direction(), event.is_ordinary(), event.is_wait());
    let _ = (event.goes_on(), event.may_answer_often());
    // What was read can be written, and is the same when it is read again.
    let text = serde_json::to_string(event).unwrap();
    let again: Event = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), text);
    assert_eq!((again.strace(), again.asked()), (event.strace(), event.asked()));
}
