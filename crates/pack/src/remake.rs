//! What is made from the records alone: the page and the review. `pack` writes them, and `verify` makes them again.

use std::borrow::Borrow;
use std::collections::HashMap;

use netplay_draw::{Format, Time, Timeline, View};
use netplay_record::Event;
use netplay_review::review;
use netplay_text::lang::Lang;
use serde_json::json;

/// The causes of mistakes as `netplay review --json` prints them, of records in the order of their beginnings.
pub(crate) fn reviewed<E: Borrow<Event>>(records: &[E]) -> Vec<u8> {
    format!("{:#}\n", json!({ "findings": review(records) })).into_bytes()
}

/// The timeline as a page, in this language.
pub(crate) fn page(records: Vec<Box<Event>>, title: String, lang: Lang) -> Vec<u8> {
    let timeline = Timeline::new(records, &HashMap::new()).told_in(lang);
    let view = View { title, time: Time::Even, columns: 80, ascii: false, color: false, lang };
    let mut page = Vec::new();
    timeline.draw(Format::Html, &view, &mut page).expect("a Vec takes everything");
    // To free a long timeline piece by piece takes time, and the process soon ends.
    std::mem::forget(timeline);
    page
}
