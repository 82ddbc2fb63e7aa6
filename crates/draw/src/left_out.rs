//! What a picture leaves out, counted: one line says so wherever a picture begins.

use netplay_text::lang::Lang;
use netplay_text::say;
use netplay_text::words::{counted, grouped};

/// How many things a picture leaves out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Processes and threads without a call about a socket.
    pub lanes: u64,
    /// Calls of runtimes that found nothing.
    pub calls: u64,
}

impl LeftOut {
    /// One line that says so, if anything is left out.
    #[must_use]
    pub fn in_words(self, lang: Lang) -> Option<String> {
        let (lanes, calls) = (grouped(self.lanes), grouped(self.calls));
        let processes = (self.lanes > 0).then(|| {
            let processes = match self.lanes {
                1 => "1 process without sockets".to_owned(),
                _ => format!("{lanes} processes without sockets"),
            };
            say!(lang, "{processes}", "{lanes} 个没有套接字的进程")
        });
        let noise = (self.calls > 0).then(|| {
            let counted = counted(self.calls, "call");
            say!(lang, "{counted} of runtimes that found nothing", "{calls} 次运行时的空查询")
        });
        let what: Vec<String> = [processes, noise].into_iter().flatten().collect();
        let what = what.join(lang.pick(" and ", "和 "));
        (!what.is_empty()).then(|| {
            say!(lang, "left out: {what} (--all shows them)", "略去：{what}（--all 全部显示）")
        })
    }
}
