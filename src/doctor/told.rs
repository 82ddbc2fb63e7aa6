//! What was found, for people.

use super::{Check, Verdict};
use crate::columns::{width, wrapped};
use crate::lang::{Lang, Voice};
use netplay_text::say;

/// How it is to look.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// In which language, and how wide.
    pub voice: Voice,
    /// Whether to keep to ASCII.
    pub ascii: bool,
    /// Whether to leave out what is as it should be, and the sum.
    pub brief: bool,
}

/// Longer lines are hard to read.
const LONGEST: usize = 100;

/// The checks, each with what it means and the command that fixes it.
#[must_use]
pub fn told(checks: &[Check], look: Look) -> String {
    let lang = look.voice.lang;
    let names = checks.iter().map(|check| width(title(check.what, lang))).max().unwrap_or_default();
    let mut text = String::new();
    for check in checks {
        let (mark, title) = (mark(check.verdict, look.ascii), title(check.what, lang));
        let gap = names - width(title) + 2;
        let mut head = format!("{mark} {title}{:gap$}", "");
        let indent = width(&head);
        let room = look.voice.columns.clamp(40, LONGEST).saturating_sub(indent);
        let mut lines: Vec<String> = wrapped(&check.found, room).map(str::to_owned).collect();
        if !look.brief || check.verdict != Verdict::Good {
            lines.extend(wrapped(&check.effect, room).map(str::to_owned));
            lines.extend(check.mend.iter().flat_map(|mend| fix(mend, room, lang)));
        }
        for line in lines {
            text += &format!("{head}{line}\n");
            head = " ".repeat(indent);
        }
    }
    if !look.brief {
        let good = checks.iter().filter(|check| check.verdict == Verdict::Good).count();
        let all = checks.len();
        text.push('\n');
        text += &look.voice.lines(&say!(
            lang,
            "{good} of {all} are as netplay wants them. Try next: netplay lab",
            "{all} 项中有 {good} 项符合 netplay 的需要。接下来试试：netplay lab"
        ));
    }
    text
}

/// The command that fixes it, to be copied: where it is wider than the terminal, it goes on as a shell lets it.
fn fix(mend: &str, room: usize, lang: Lang) -> Vec<String> {
    let line = say!(lang, "to fix it: {mend}", "解决办法：{mend}");
    let is_command = ["sudo ", "export ", "ulimit "].iter().any(|start| mend.starts_with(start));
    if width(&line) <= room || !is_command {
        return wrapped(&line, room).map(str::to_owned).collect();
    }
    let mut lines = vec![lang.pick("to fix it:", "解决办法：").to_owned()];
    let parts: Vec<&str> = wrapped(mend, room.saturating_sub(4)).collect();
    for (nth, part) in parts.iter().enumerate() {
        let more = if nth + 1 < parts.len() { " \\" } else { "" };
        lines.push(format!("{}{part}{more}", if nth == 0 { "" } else { "  " }));
    }
    lines
}

/// What was looked at, as people call it.
pub(super) fn title(what: &'static str, lang: Lang) -> &'static str {
    let chinese = match what {
        "kernel" => "内核",
        "ICMP datagrams" => "ICMP 数据报",
        "raw sockets" => "原始套接字",
        "user namespaces" => "用户命名空间",
        "tracing" => "跟踪程序",
        "counting calls" => "系统调用计数",
        "descriptors" => "文件描述符",
        "processes" => "进程数",
        "ports" => "端口",
        "backlog" => "监听队列",
        "other programs" => "其他程序",
        "locale" => "区域设置",
        "language" => "语言",
        "terminal" => "终端",
        same => same,
    };
    lang.pick(what, chinese)
}

fn mark(verdict: Verdict, ascii: bool) -> &'static str {
    match (verdict, ascii) {
        (Verdict::Good, false) => "✓",
        (Verdict::Less, false) => "~",
        (Verdict::Missing, false) => "✗",
        (Verdict::Good, true) => "ok  ",
        (Verdict::Less, true) => "less",
        (Verdict::Missing, true) => "NONE",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_command_goes_on_as_a_shell_lets_it() {
        let mend =
            "sudo sysctl -w net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.lo.disable_ipv6=0";
        let lines = fix(mend, 60, Lang::En);
        assert_eq!(
            lines,
            [
                "to fix it:",
                "sudo sysctl -w net.ipv6.conf.all.disable_ipv6=0 \\",
                "  net.ipv6.conf.lo.disable_ipv6=0"
            ]
        );
        assert_eq!(fix(mend, 100, Lang::En).len(), 1);
    }
}
