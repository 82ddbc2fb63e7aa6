//! The menu: what `netplay` alone says.

use std::io::Write as _;

use anyhow::Result;

use crate::columns::wrapped;
use crate::examples::{Both, TABLE};
use crate::lang::Lang;
use crate::output::Output;
use crate::terminal::columns;

/// What stands beside the examples.
const OTHERS: [(&str, Both); 13] = [
    ("byte-order", both("numbers and addresses, byte by byte", "数与地址，逐字节地看")),
    (
        "why",
        both(
            "which program holds a port, and what an error means on this machine",
            "哪个程序占着端口，一个错误在本机上意味着什么",
        ),
    ),
    (
        "watch",
        both(
            "any programs, in any language: every socket call, told",
            "任何语言的任何程序：讲出每个套接字调用",
        ),
    ),
    (
        "review",
        both("the cause of what went wrong, named from a trace", "从跟踪文件中指出出错的原因"),
    ),
    ("pack", both("a run as one file to hand in", "把一次运行打包成一个可提交的文件")),
    ("verify", both("everything recomputed that a pack says", "把包里的一切重新计算一遍")),
    ("grade", both("hostile tests of any server or client", "对任何服务器或客户端的严苛测试")),
    (
        "challenge",
        both(
            "your server or client, one test at a time, with a question and hints",
            "逐个测试改进你的服务器或客户端，有问题和提示",
        ),
    ),
    ("draw", both("the traces of both ends as one picture", "把两端的跟踪画成一幅图")),
    ("bench", both("every server model under the same load", "所有服务器模型，同样的负载")),
    (
        "lab",
        both(
            "predict, run, compare, fix: what learners get wrong",
            "预测、运行、比较、改正：初学者常犯的错误",
        ),
    ),
    (
        "doctor",
        both(
            "check what works on this machine, and how to fix what does not",
            "检查本机上哪些可用，不可用的怎么修",
        ),
    ),
    ("explain", both("the lessons, and every errno", "各课讲解，以及每个 errno")),
];
const FIRST: [(&str, Both); 3] = [
    ("netplay demo", both("the tour, in this terminal", "在这个终端里的导览")),
    ("netplay tcp-server", both("a server; in a second terminal:", "一个服务器；在第二个终端里：")),
    ("netplay tcp-client", both("its client", "它的客户端")),
];

const fn both(en: &'static str, zh: &'static str) -> Both {
    Both { en, zh }
}

/// What there is, and three commands to try first.
///
/// # Errors
/// If `out` cannot be written.
pub(super) fn menu(out: &mut Output) -> Result<()> {
    let lang = Lang::current();
    // A file or a pipe gets whole lines.
    let room =
        if out.is_terminal() { columns().map(|columns| columns.saturating_sub(2)) } else { None };
    let title = lang.pick("netplay: the socket playground", "netplay：套接字游乐场");
    let examples = TABLE.iter().map(|row| (row.name(), row.summary()));
    let rows = examples.chain([("", both("", ""))]).chain(OTHERS);
    let first = lang.pick("Try first:", "先试试：");
    let end = lang.pick(
        "netplay --help lists every command, netplay EXAMPLE --help the options of one.",
        "netplay --help 列出所有命令，netplay EXAMPLE --help 列出一个例子的选项。",
    );
    let rows = table(rows, lang, room);
    let commands = table(FIRST.into_iter(), lang, room);
    Ok(writeln!(out, "{title}\n\n{rows}\n{first}\n{commands}\n{end}")?)
}

/// Names, and beside them what they are; what is too long goes on below.
fn table(
    rows: impl Iterator<Item = (&'static str, Both)> + Clone,
    lang: Lang,
    room: Option<usize>,
) -> String {
    let name = rows.clone().map(|(name, _)| name.len()).max().unwrap_or_default();
    let room = room.map_or(usize::MAX, |room| room.saturating_sub(name + 2));
    let mut text = String::new();
    for (mut first, what) in rows {
        for line in wrapped(what.told(lang), room) {
            text += format!("  {first:name$}  {line}").trim_end();
            text.push('\n');
            first = "";
        }
    }
    text
}
