//! What stands beside a call in a picture: shorter than the story's sentence, in the manual's words.

use std::borrow::Cow;
use std::net::SocketAddr;

use super::{Arrow, ArrowKind, Call};
use netplay_record::text::count;
use netplay_text::lang::Lang;
use netplay_text::say;
use netplay_text::words::{duration, grouped};

/// Both in one line: `recv(4) → 5 bytes "hello"`.
#[must_use]
pub fn headline(call: &Call, lang: Lang) -> String {
    let (asked, answered) = (call.record.asked(lang), call.record.answered(lang));
    let times = if call.times > 1 { format!(" × {}", grouped(call.times)) } else { String::new() };
    match answered.as_str() {
        "" => asked,
        answered => format!("{asked} → {answered}{times}"),
    }
}

/// How long a call took, behind what it answered.
pub(super) fn took(call: &Call, lang: Lang) -> String {
    let time = duration(call.took_ns());
    match call.record.is_wait() {
        true => say!(lang, ", waited {time}", "，等待 {time}"),
        false => say!(lang, ", took {time}", "，用时 {time}"),
    }
}

/// What an arrow brings.
pub(super) fn went(kind: ArrowKind, bytes: u64, lang: Lang) -> String {
    match kind {
        ArrowKind::Connect => say!(lang, "connects", "连接"),
        ArrowKind::Bytes => count(bytes, lang),
        ArrowKind::Datagram => {
            let bytes = grouped(bytes);
            say!(lang, "datagram of {bytes}", "{bytes} 字节的数据报")
        }
        ArrowKind::End => say!(lang, "the end", "结束 (FIN)"),
        ArrowKind::Reset => say!(lang, "a reset", "复位 (RST)"),
        ArrowKind::Fork => "fork".to_owned(),
    }
}

/// What an arrow says, in a word.
pub(crate) fn on_arrow(calls: &[Call], arrow: &Arrow, lang: Lang) -> String {
    let tcp = [&arrow.from, &arrow.to].into_iter().flatten().any(|tip| {
        let peer = tip.call.and_then(|call| calls[call].record.peer.as_deref());
        peer.is_some_and(|peer| peer.parse::<SocketAddr>().is_ok())
    });
    let word = match arrow.kind {
        ArrowKind::Connect => say!(lang, "connects", "连接"),
        ArrowKind::Bytes | ArrowKind::Datagram => count(arrow.bytes.unwrap_or_default(), lang),
        ArrowKind::End if tcp => "FIN".to_owned(),
        ArrowKind::End => say!(lang, "end", "结束"),
        ArrowKind::Reset => "RST".to_owned(),
        ArrowKind::Fork => "fork".to_owned(),
    };
    match (arrow.kind, arrow.to) {
        (_, Some(_)) => word,
        (kind, None) => {
            let never = never(kind, lang);
            say!(lang, "{word}: {never}", "{word}：{never}")
        }
    }
}

/// What did not become of what was sent.
pub(crate) fn never(kind: ArrowKind, lang: Lang) -> &'static str {
    match kind {
        ArrowKind::Connect => lang.pick("never accepted", "没有被 accept"),
        _ => lang.pick("never received", "没有被接收"),
    }
}

/// What is known of an arrow that has one end only.
pub(super) fn lost(arrow: &Arrow, lang: Lang) -> String {
    let what = went(arrow.kind, arrow.bytes.unwrap_or_default(), lang);
    let unseen = unseen(lang);
    match (arrow.kind, arrow.from) {
        (_, None) => say!(lang, "{what}, {unseen}", "{what}，{unseen}"),
        (kind @ (ArrowKind::Connect | ArrowKind::Datagram), _) => never(kind, lang).to_owned(),
        (ArrowKind::Bytes, _) => say!(lang, "{what} never read", "{what}没有被读取"),
        _ => say!(lang, "{what}, never seen by the other side", "{what}，对端没有看到"),
    }
}

/// Of an arrow that comes from a side without a trace.
pub(super) fn unseen(lang: Lang) -> &'static str {
    lang.pick("from no call seen", "没有看到发出它的调用")
}

/// The text with a mark behind words that are written from right to left (Hebrew, Arabic). Without it a
/// picture would show the number that follows among these words: `send(3) "…" → 8 bytes`.
pub(super) fn in_place(text: &str) -> Cow<'_, str> {
    const LEFT_TO_RIGHT_MARK: char = '\u{200e}';
    let is_right_to_left = |c: char| {
        matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}'
            | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
    };
    let Some(last) = text.rfind(is_right_to_left) else { return Cow::Borrowed(text) };
    // What else is in the same quotes belongs to them.
    let rest = &text[last..];
    let mut quotes = rest.match_indices('"').map(|(at, _)| at);
    let end = quotes.find(|&at| !rest[..at].ends_with('\\')).unwrap_or(rest.len());
    let (words, rest) = text.split_at(last + end);
    Cow::Owned(format!("{words}{LEFT_TO_RIGHT_MARK}{rest}"))
}

#[cfg(test)]
mod tests {
    use super::in_place;

    #[test]
    fn words_from_right_to_left_end_where_their_quotes_end() {
        for (text, shown) in [
            ("send(3) \"hello\" → 5 bytes", "send(3) \"hello\" → 5 bytes"),
            ("send(3) \"\u{5d0} 12\" → 5 bytes", "send(3) \"\u{5d0} 12\u{200e}\" → 5 bytes"),
            ("\"\u{5d0}\\\"1\" 2", "\"\u{5d0}\\\"1\u{200e}\" 2"),
            ("\u{627} 1", "\u{627} 1\u{200e}"),
        ] {
            assert_eq!(in_place(text), shown);
        }
    }
}
