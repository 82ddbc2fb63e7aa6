//! Why something was not measured, or went wrong: kept in English with the figures, told in the language of the reader.

use std::borrow::Cow;

use crate::lang::Lang;

/// The reason in the language of this process.
pub(super) fn in_words(reason: &str) -> Cow<'_, str> {
    match Lang::current() {
        Lang::En => Cow::Borrowed(reason),
        Lang::Zh => in_chinese(reason),
    }
}

fn in_chinese(reason: &str) -> Cow<'_, str> {
    let told = CHINESE.iter().find_map(|(english, chinese)| {
        let parts = holes(english, reason)?;
        let mut told = String::new();
        let mut parts = parts.into_iter();
        for (nth, piece) in chinese.split("{}").enumerate() {
            if nth > 0 {
                told += &in_chinese(parts.next().unwrap_or_default());
            }
            told += piece;
        }
        Some(told)
    });
    told.map_or(Cow::Borrowed(reason), Cow::Owned)
}

/// What stands in the `{}` of a template, if the text is made of it.
fn holes<'a>(template: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let mut pieces = template.split("{}");
    let mut rest = text.strip_prefix(pieces.next()?)?;
    let mut holes = Vec::new();
    let mut pieces = pieces.peekable();
    while let Some(piece) = pieces.next() {
        let end = match pieces.peek() {
            None => rest.ends_with(piece).then(|| rest.len() - piece.len())?,
            Some(_) => rest.find(piece)?,
        };
        holes.push(&rest[..end]);
        rest = &rest[end + piece.len()..];
    }
    rest.is_empty().then_some(holes)
}

/// What is kept, and how it is told in Chinese. What the kernel or another program said stays as it is.
const CHINESE: &[(&str, &str)] = &[
    ("it ended during a turn ({})", "它在一次测量中途结束了（{}）"),
    ("its process is gone", "它的进程已经没有了"),
    (
        "it closed {} connections during a turn, and still runs",
        "它在一次测量中途关闭了 {} 个连接，但还在运行",
    ),
    (
        "it closed 1 connection during a turn, and still runs",
        "它在一次测量中途关闭了 1 个连接，但还在运行",
    ),
    ("connected, but not one reply within {} s", "已连接，但 {} 秒内没有一个应答"),
    ("it gave no reply", "它没有给出应答"),
    ("it gave no reply under strace", "在 strace 下它没有给出应答"),
    (
        "the kernel's tracepoint cannot be used ({}), and {}",
        "不能使用内核的 tracepoint（{}），并且{}",
    ),
    ("strace is too slow for more than {} connections", "strace 太慢，不适合超过 {} 个连接"),
    ("only netplay's own servers run under strace", "只有 netplay 自己的服务器在 strace 下运行"),
    ("it cannot run under strace: {}", "它不能在 strace 下运行：{}"),
    ("it ran already, and is not ours to inspect", "它早已在运行，不归我们查看"),
    (
        "this machine does not tell which process has its port",
        "这台机器不告诉我们哪个进程占用它的端口",
    ),
    (
        "none of the command's processes has the socket at its port",
        "命令的进程都没有这个端口上的套接字",
    ),
    ("no server served every connection to the end", "没有服务器自始至终服务了所有连接"),
    ("only one server served every connection to the end", "只有一个服务器自始至终服务了所有连接"),
    ("there was no server", "没有服务器"),
    ("there are no figures of the yardstick", "没有基准服务器的数据"),
    ("expected the same bytes, and got {}", "应当返回同样的字节，却得到 {}"),
    ("expected nothing, and got {}", "不应当有数据，却得到 {}"),
    (
        "the server closed a connection after {} of its requests (for one request a connection there is --per-request)",
        "服务器在一个连接的 {} 个请求之后把它关闭了（每个连接只发一个请求用 --per-request）",
    ),
    ("the server closed a connection without an answer", "服务器没有应答就关闭了连接"),
    (
        "the server closed a connection after {} bytes of the answer",
        "服务器只应答了 {} 字节就关闭了连接",
    ),
    (
        "the command ended before a client could connect ({})",
        "命令在客户端能够连接之前就结束了（{}）",
    ),
    (
        "nothing listens on port {} of 127.0.0.1 or ::1 after {} s",
        "端口 {} 在 127.0.0.1 和 ::1 上都没有程序监听，等了 {} 秒",
    ),
    ("not connected within the time", "在规定时间内没有连上"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_with_what_is_in_it() {
        assert_eq!(
            in_chinese("it ended during a turn (its process is gone)"),
            "它在一次测量中途结束了（它的进程已经没有了）"
        );
        assert_eq!(
            in_chinese(
                "the kernel's tracepoint cannot be used (perf_event_open), and it gave no reply under strace"
            ),
            "不能使用内核的 tracepoint（perf_event_open），并且在 strace 下它没有给出应答"
        );
        assert_eq!(in_chinese("bind: Permission denied"), "bind: Permission denied");
    }

    #[test]
    fn both_sides_have_the_same_holes() {
        for (english, chinese) in CHINESE {
            let count = |text: &str| text.matches("{}").count();
            assert_eq!(count(english), count(chinese), "{english}");
        }
    }
}
