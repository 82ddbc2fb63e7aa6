//! Words that the kinds of calls share, and the one reader of strace's text.

use super::Event;
use netplay_text::escape::whole;
use netplay_text::lang::Lang;
use netplay_text::say;
use netplay_text::words::{counted, grouped};

/// How many bytes of a message a picture shows.
const SHOWN: usize = 24;

/// A number of bytes in words: `1 byte`, `1,234 bytes`.
pub fn count(bytes: u64, lang: Lang) -> String {
    match lang {
        Lang::En => counted(bytes, "byte"),
        Lang::Zh => grouped(bytes) + " 字节",
    }
}

/// `1 datagram`, `1,234 datagrams`.
pub(super) fn datagrams(n: u64, lang: Lang) -> String {
    match lang {
        Lang::En => counted(n, "datagram"),
        Lang::Zh => grouped(n) + " 个数据报",
    }
}

/// A lane's name or detail in this language: `client A, thread 2` is `客户端 A，线程 2`. Words that it was given by
/// others stay.
#[must_use]
pub fn lane_in(name: &str, lang: Lang) -> String {
    if lang == Lang::En {
        return name.to_owned();
    }
    if name == NO_TRACE {
        return "这一侧没有记录".to_owned();
    }
    let part = |part: &str| {
        let of_thread = part.strip_prefix("thread ").and_then(|rest| rest.split_once(" of "));
        if let Some((thread, process)) = of_thread {
            return format!("进程 {process} 的线程 {thread}");
        }
        if part == "cut off" {
            return "被切断的一端".to_owned();
        }
        let (word, rest) = part.split_once(' ').unwrap_or((part, ""));
        let word = match word {
            "server" => "服务器",
            "client" => "客户端",
            "thread" | "threads" => "线程",
            "child" | "children" => "子进程",
            "parent" => "父进程",
            "host" => "主机",
            "peer" => "对端",
            "waiter" => "等待者",
            "writer" => "写入者",
            other => other,
        };
        if rest.is_empty() { word.to_owned() } else { format!("{word} {rest}") }
    };
    let parts = |name: &str| name.split(", ").map(part).collect::<Vec<_>>().join("，");
    for (kind, in_chinese) in [(" threads, ", "线程"), (" processes, ", "进程")] {
        if let Some((number, rest)) = name.split_once(kind)
            && let Some(host) = rest.strip_prefix("one after the other")
        {
            let host = parts(host.trim_start_matches(", "));
            let host = if host.is_empty() { host } else { format!("，{host}") };
            return format!("{number} 个{in_chinese}，先后运行{host}");
        }
    }
    parts(name)
}

/// The detail of a lane that stands for the side without a trace.
pub const NO_TRACE: &str = "no trace of this side";

/// A wait that ended because a handler of a signal ran.
pub(super) fn interrupted(lang: Lang) -> String {
    say!(lang, "interrupted by a signal (EINTR)", "被信号打断 (EINTR)")
}

/// The result, unless it only means success.
pub(super) fn number(ret: Option<i64>) -> String {
    ret.filter(|&ret| ret > 0).map(|ret| ret.to_string()).unwrap_or_default()
}

/// The address of the other end. Port 0 is left out: over ICMP there are no ports.
pub(super) fn peer(event: &Event, lang: Lang) -> &str {
    let peer = event.peer.as_deref().unwrap_or(lang.pick("its peer", "对端"));
    peer.strip_suffix(":0").unwrap_or(peer)
}

pub(super) fn local(event: &Event, lang: Lang) -> &str {
    event.local.as_deref().unwrap_or(lang.pick("an unknown address", "未知的地址"))
}

/// What an IPv6 socket means by `[::ffff:127.0.0.1]:40312`.
pub(super) fn over_ipv4(peer: &str, lang: Lang) -> &'static str {
    if peer.starts_with("[::ffff:") { lang.pick(" over IPv4", "（经由 IPv4）") } else { "" }
}

/// The first of the bytes that moved, as a story shows them.
pub(super) fn shown(event: &Event, lang: Lang) -> String {
    let more = if event.bytes.unwrap_or_default() > 64 { "..." } else { "" };
    let hidden = event.hidden.map(|n| say!(lang, " ({n} hidden)", "（隐去 {n} 个）"));
    let hidden = hidden.unwrap_or_default();
    format!("\"{}\"{more}{hidden}", event.data.as_deref().unwrap_or_default())
}

/// The first of them, as a picture shows them: fewer than a story.
pub(super) fn quoted(event: &Event, lang: Lang) -> String {
    let Some(data) = event.data.as_deref() else {
        return event.asked.map(|asked| count(asked, lang)).unwrap_or_default();
    };
    // A foreign trace may have letters among bytes that are not text.
    let binary = ["\\0", "\\x0", "\\x1", "\\x7f"].iter().any(|control| data.contains(control));
    let data = if binary { &bytes_of_letters(data) } else { data };
    let mut shown: String = data.chars().take(SHOWN).collect();
    if shown.len() < data.len() {
        shown.truncate(whole(&shown));
    }
    let all = shown.len() == data.len() && event.bytes.is_none_or(|bytes| bytes <= 64);
    format!("\"{shown}\"{}", if all { "" } else { "…" })
}

/// The text with the bytes of each character beyond ASCII: `\xd7\xb4`.
fn bytes_of_letters(text: &str) -> String {
    text.bytes().fold(String::new(), |all, byte| match byte {
        0x80.. => all + &format!("\\x{byte:02x}"),
        _ => all + &char::from(byte).to_string(),
    })
}

/// The arguments of a call, as strace prints them in a line of a trace.
#[derive(Clone, Copy)]
pub(super) struct Args<'a>(&'a str);

impl<'a> Args<'a> {
    pub(super) fn of(event: &'a Event) -> Args<'a> {
        Args(event.args.as_deref().unwrap_or_default())
    }

    /// The argument at this position, from 0 on, if no earlier argument contains a comma.
    pub(super) fn nth(self, n: usize) -> &'a str {
        self.0.split(", ").nth(n).unwrap_or_default()
    }

    /// Whether the word is there, outside of strings in quotes.
    pub(super) fn has(self, word: &str) -> bool {
        self.0.contains(word) && self.has_outside(word)
    }

    fn has_outside(self, word: &str) -> bool {
        let mut quoted = false;
        let mut before = ' ';
        let outside = self.0.split(|c: char| {
            let quote = c == '"' && !(quoted && before == '\\');
            // An escaped backslash escapes nothing.
            before = if before == '\\' && c == '\\' { ' ' } else { c };
            quoted ^= quote;
            quote
        });
        outside.step_by(2).any(|part| part.contains(word))
    }

    /// All of it except what stands in quotes.
    pub(super) fn outside_of_quotes(self) -> String {
        let (mut all, mut quoted, mut escaped) = (String::new(), false, false);
        for c in self.0.chars() {
            match c {
                '\\' if quoted && !escaped => escaped = true,
                '"' if !escaped => quoted = !quoted,
                c => {
                    escaped = false;
                    if !quoted {
                        all.push(c);
                    }
                }
            }
            if c == '"' {
                escaped = false;
            }
        }
        all
    }

    pub(super) fn end_with(self, word: &str) -> bool {
        self.0.ends_with(word)
    }

    /// The text after `key=`, up to the next of these.
    pub(super) fn field(self, key: &str, end: &[char]) -> Option<&'a str> {
        let (_, rest) = self.0.split_once(key)?;
        rest.split(end).next()
    }

    /// The numbers after each `key=`.
    pub(super) fn numbers(self, key: &str) -> Vec<i32> {
        let number = |rest: &str| {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            rest[..digits].parse().ok()
        };
        self.0.split(key).skip(1).filter_map(number).collect()
    }

    /// The numbers between the first two brackets: `[3 4 5]`.
    pub(super) fn list(self) -> Vec<i32> {
        let inside = self.0.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
        let (list, _) = inside.unwrap_or_default();
        list.split(' ').filter_map(|number| number.parse().ok()).collect()
    }

    /// The size of the buffer that the call was given: `4, "hello"..., 1024, 0`; 0 if that is not known.
    pub(super) fn room(self) -> usize {
        let rest = self.0.split_once(", ").map_or("", |(_, rest)| rest);
        let mut escaped = false;
        let mut quotes = 0;
        let end = rest.find(|c: char| {
            quotes += usize::from(c == '"' && !escaped);
            escaped = c == '\\' && !escaped;
            c == ',' && quotes % 2 == 0
        });
        let size = end.map_or("", |end| &rest[end..]).split(", ").nth(1);
        size.and_then(|size| size.parse().ok()).unwrap_or_default()
    }

    /// The descriptors that a message carries: `cmsg_type=SCM_RIGHTS, cmsg_data=[5, 6]`.
    pub(super) fn descriptors(self) -> Vec<i32> {
        const WORDS: &str = "cmsg_type=SCM_RIGHTS, cmsg_data=[";
        if !self.has(WORDS) {
            return Vec::new();
        }
        // What was said in quotes stands before the control messages.
        let list = self.0.rsplit_once(WORDS).and_then(|(_, rest)| rest.split_once(']'));
        let (list, _) = list.unwrap_or_default();
        list.split(", ").filter_map(|number| number.parse().ok()).collect()
    }

    /// The strings in double quotes, without empty ones.
    pub(super) fn quoted(self) -> impl Iterator<Item = &'a str> {
        self.0.split('"').skip(1).step_by(2).filter(|word| !word.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_among_bytes_that_are_no_text_are_shown_as_bytes() {
        let event =
            |data: &str| Event { data: Some(data.into()), bytes: Some(9), ..Event::default() };
        assert_eq!(quoted(&event("\\x08\\0ִa"), Lang::En), "\"\\x08\\0\\xd6\\xb4a\"");
        assert_eq!(quoted(&event("世\\xe7"), Lang::En), "\"世\\xe7\"");
    }

    #[test]
    fn a_flag_is_no_word_that_was_said() {
        let said = Args("4, \"MSG_PEEK \\\\\\\" MSG_PEEK\", 20, MSG_OOB, NULL, NULL");
        assert!(said.has("MSG_OOB") && !said.has("MSG_PEEK"));
        assert!(Args("4, \"\\\\\", 1, MSG_PEEK").has("MSG_PEEK"));
    }

    #[test]
    fn the_room_stands_behind_what_was_received() {
        assert_eq!(Args("4, \"a, \\\", 5\"..., 64, 0, NULL, NULL").room(), 64);
        assert_eq!(Args("4, 0x7ffd10, 1024").room(), 1024);
        assert_eq!([Args("4, {msg_namelen=128}, 0").room(), Args("").room()], [0, 0]);
    }

    #[test]
    fn a_lane_has_a_name_in_either_language() {
        let zh = |name| lane_in(name, Lang::Zh);
        assert_eq!(zh("client A"), "客户端 A");
        assert_eq!(zh("server 2, child 1, thread 3"), "服务器 2，子进程 1，线程 3");
        assert_eq!([zh("pid 12"), zh("thread 13 of 12")], ["pid 12", "进程 12 的线程 13"]);
        assert_eq!(lane_in("server, child 1", Lang::En), "server, child 1");
    }
}
