//! A whole trace as a picture.
#![no_main]

use std::collections::HashMap;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use netplay_draw::{Format, Time, Timeline, View, read::read_from};
use netplay_text::escape::is_unsafe;
use netplay_text::lang::Lang;

mod short;

fuzz_target!(|bytes: &[u8]| draw(&short::trace(bytes)));

fn draw(trace: &[u8]) {
    let reading = read_from(trace, Path::new("trace")).unwrap();
    for remark in &reading.remarks {
        assert!(!remark.to_string().contains(is_unsafe));
    }
    if reading.records.is_empty() {
        return;
    }
    let timeline = Timeline::new(reading.records, &HashMap::new());
    for arrow in &timeline.arrows {
        for tip in [&arrow.from, &arrow.to].into_iter().flatten() {
            assert!(tip.lane < timeline.lanes.len());
        }
    }
    let view = View {
        title: "fuzz".to_owned(),
        time: Time::Even,
        columns: 80,
        ascii: false,
        color: false,
        lang: Lang::En,
    };
    let picture = timeline.picture(Format::Text, &view);
    let steers = |c: char| c != '\n' && is_unsafe(c);
    assert!(!picture.contains(steers), "{picture:?} steers a terminal");
}
