//! Each record by itself: what `schema/trace.schema.json` says of a line.

use netplay_record::{Event, Kind, errno_named};
use netplay_text::escape::is_unsafe;

use crate::run::Run;
use crate::{Fault, Rule};
use netplay_text::both;

pub(super) fn check(run: &Run, faults: &mut Vec<Fault>) {
    for (i, record) in run.records.iter().enumerate() {
        if let Some(key) = wrong(record) {
            let said = both!(
                "a record of this kind has no such {key}: see schema/trace.schema.json",
                "这类记录的 {key} 不能是这样：见 schema/trace.schema.json",
            );
            faults.push(run.fault(Rule::Form, said, &[i]));
        }
        if record.kind == Kind::Note && says_that_records_are_missing(record) {
            let said = both!(
                "the trace itself says here that records are missing: what they would have shown is unknown",
                "记录文件在这里说明缺少若干条记录：它们会显示什么，无从得知",
            );
            faults.push(run.fault(Rule::Incomplete, said, &[i]));
        }
    }
}

fn says_that_records_are_missing(record: &Event) -> bool {
    record.value.as_deref().is_some_and(|value| value.starts_with("missing "))
}

/// The key that is wrong, if one is.
fn wrong(record: &Event) -> Option<&'static str> {
    let Event { kind, ret, errno, bytes, data, call, syscall, args, text, user_data, .. } = record;
    let word = |text: &str, more: fn(u8) -> bool| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || more(byte))
    };
    let is_call = |text: &str| word(text, |byte| byte == b'_');
    let of_file = matches!(call.as_deref(), Some("sendfile" | "splice"));
    let checks = [
        ("pid", record.pid >= 1),
        ("tid", record.tid >= 1),
        ("role", !record.role.is_empty()),
        ("example", word(&record.example, |byte| byte == b'-')),
        ("wall", is_time(&record.wall)),
        ("call", call.as_deref().is_none_or(is_call) && call.is_some() != (*kind == Kind::Note)),
        (
            "syscall",
            syscall.as_deref().is_none_or(is_call) && syscall.is_some() == (*kind == Kind::Call),
        ),
        ("args", args.is_some() != (*kind == Kind::Note)),
        ("text", text.is_some() == (*kind == Kind::Note)),
        ("user_data", user_data.is_some() || matches!(kind, Kind::Call | Kind::Note)),
        ("dur_ns", record.dur_ns == 0 || matches!(kind, Kind::Call | Kind::Complete)),
        ("ret", ret.is_none_or(|ret| ret >= -1)),
        (
            "ret",
            match kind {
                Kind::Call => true,
                Kind::Complete => ret.is_some(),
                Kind::Submit | Kind::Note => ret.is_none(),
            },
        ),
        ("errno", errno.is_some() == (*ret == Some(-1))),
        (
            "errno",
            errno
                .as_deref()
                .is_none_or(|name| name.starts_with('E') && errno_named(name).is_some()),
        ),
        ("bytes", bytes.is_none() || ret.is_some_and(|ret| ret >= 0)),
        ("data", data.is_some() == (bytes.is_some() && !of_file)),
        ("hidden", record.hidden.is_none_or(|hidden| hidden >= 1)),
        ("boot", record.boot.as_deref().is_none_or(is_boot)),
    ];
    let texts = [call, syscall, args, errno, data, text, &record.local, &record.peer];
    let more = [&record.out, &record.value, &record.ready, &record.state, &record.boot];
    let printable = texts.into_iter().chain(more).flatten().chain([&record.role, &record.example]);
    let printable = printable.map(|text| &**text).all(|text| {
        text.bytes().all(|byte| matches!(byte, b' '..=b'~')) || !text.chars().any(is_unsafe)
    });
    let checks = checks.into_iter().chain([("text: a control character", printable)]);
    checks.into_iter().find(|(_, holds)| !holds).map(|(key, _)| key)
}

fn is_boot(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// `2026-11-22T10:29:31.456789+01:00`
fn is_time(text: &str) -> bool {
    const FORM: &[u8] = b"0000-00-00T00:00:00.000000+00:00";
    text.len() == FORM.len()
        && text.bytes().zip(FORM).all(|(byte, form)| match form {
            b'0' => byte.is_ascii_digit(),
            b'+' => matches!(byte, b'+' | b'-'),
            form => byte == *form,
        })
}
