//! What is found: a verdict for each test, and the cause of each failure.

use std::time::Duration;

use netplay_review::Rule;
use netplay_text::both;
use netplay_text::both::Both;
use netplay_text::escape::escape;
use netplay_text::words::{counted, grouped};
use netplay_watch::Status;

use super::guard::Stuck;
use super::peer::Trouble;

/// What a test has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It does what it should.
    Pass,
    /// It does less than the best do, and nothing wrong.
    NonStrict,
    /// It does something wrong.
    Fail,
    /// Something to know; no judgement.
    Info,
    /// The test does not apply, or could not be made.
    Skipped,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Verdict; 5] =
        [Verdict::Pass, Verdict::NonStrict, Verdict::Fail, Verdict::Info, Verdict::Skipped];

    /// Its name: `non-strict`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::NonStrict => "non-strict",
            Verdict::Fail => "fail",
            Verdict::Info => "info",
            Verdict::Skipped => "skipped",
        }
    }
}

/// Why a test did not end with a pass.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The program has failed it.
    Fault(Box<Fault>),
    /// The program does less than the best do.
    NonStrict(Both),
    /// It cannot be made.
    Skip(Both),
    /// netplay was asked to end.
    Interrupted,
}

/// What went wrong, and when.
#[derive(Debug)]
pub(crate) struct Fault {
    /// What was being tried.
    pub(crate) when: Both,
    pub(crate) how: How,
    /// The mistake, where the test itself proves it.
    pub(crate) rule: Option<Rule>,
}

/// What went wrong.
#[derive(Debug)]
pub(crate) enum How {
    Trouble(Trouble),
    Said(Both),
}

impl From<Trouble> for How {
    fn from(trouble: Trouble) -> How {
        How::Trouble(trouble)
    }
}

impl From<Both> for How {
    fn from(said: Both) -> How {
        How::Said(said)
    }
}

impl From<Stuck> for How {
    fn from(stuck: Stuck) -> How {
        Trouble::Stuck { stuck, got: Vec::new(), missing: Vec::new() }.into()
    }
}

/// A fault.
pub(crate) fn fault(when: Both, how: impl Into<How>, rule: Option<Rule>) -> Broken {
    let how = how.into();
    match how {
        How::Trouble(Trouble::Stuck { stuck: Stuck::Interrupted, .. }) => Broken::Interrupted,
        How::Trouble(Trouble::Stuck { stuck: stuck @ Stuck::Starved(_), .. }) => {
            Broken::Skip(stuck.words())
        }
        How::Trouble(Trouble::Own(why)) => {
            let (en, zh) = (when.en, when.zh);
            Broken::Skip(both!(
                "netplay itself could not go on, {en}: {why}",
                "netplay 自己无法继续，{zh}：{why}"
            ))
        }
        how => Broken::Fault(Box::new(Fault { when, how, rule })),
    }
}

impl Fault {
    /// Whether the program was there when a wait for it was given up: what it did after that, the tester has brought about.
    pub(crate) fn is_given_up(&self) -> bool {
        matches!(
            self.how,
            How::Trouble(Trouble::Stuck {
                stuck: Stuck::Still { .. } | Stuck::Busy(_) | Stuck::Late(_),
                ..
            })
        )
    }

    /// Whether an answer came, and not the right one.
    pub(crate) fn is_an_answer(&self) -> bool {
        matches!(self.how, How::Trouble(Trouble::Early { .. } | Trouble::Wrong { .. }))
    }

    /// The fault in a sentence. `status`: how the program ended, if it has.
    pub(crate) fn sentence(&self, status: Option<Status>) -> Both {
        let how = match (&self.how, status) {
            (How::Said(said), _) => said.clone(),
            (How::Trouble(trouble), Some(status)) if trouble.is_of_the_end() => {
                let ended = ended(status);
                let came = trouble.came();
                match came.en.as_str() {
                    "" => ended,
                    _ => Both {
                        en: format!("{}; {}", ended.en, came.en),
                        zh: format!("{}；{}", ended.zh, came.zh),
                    },
                }
            }
            (How::Trouble(trouble), _) => trouble.words(),
        };
        let (when, how_en, how_zh) = (&self.when, how.en, how.zh);
        Both { en: format!("{}: {how_en}", when.en), zh: format!("{}：{how_zh}", when.zh) }
    }
}

/// How the program ended, in words.
pub(crate) fn ended(status: Status) -> Both {
    match status {
        Status::Exited(code) => {
            both!("the program has ended with exit status {code}", "程序已结束，退出状态为 {code}",)
        }
        Status::Killed(signal) => {
            let name = nix::sys::signal::Signal::try_from(signal)
                .map_or_else(|_| signal.to_string(), |signal| signal.as_str().to_owned());
            both!("{name} has ended the program", "{name} 终止了程序")
        }
    }
}

/// Bytes as a text that can be shown, or their beginning.
pub(crate) fn shown(bytes: &[u8]) -> String {
    const MOST: usize = 40;
    match bytes.get(..MOST) {
        Some(first) if bytes.len() > MOST => format!("\"{}\"…", escape(first)),
        _ => format!("\"{}\"", escape(bytes)),
    }
}

fn number(n: usize) -> String {
    grouped(n as u64)
}

impl Trouble {
    /// Whether the end of the program can be what it is about. A program that was there, and slept or was busy, may have ended since:
    /// when the tester closed its connections.
    fn is_of_the_end(&self) -> bool {
        let ended = |stuck: &Stuck| matches!(stuck, Stuck::Ended);
        match self {
            Trouble::Stuck { stuck, .. } => ended(stuck),
            Trouble::Closed { .. } | Trouble::Reset { .. } | Trouble::Refused => true,
            Trouble::Wrong { .. } | Trouble::Early { .. } | Trouble::Own(_) => false,
        }
    }

    /// What had come before it, if anything.
    fn came(&self) -> Both {
        let got = match self {
            Trouble::Stuck { got, .. } | Trouble::Closed { got, .. } | Trouble::Reset { got } => {
                got
            }
            _ => return Both::default(),
        };
        match got.len() {
            0 => Both::default(),
            n => {
                let (n, shown) = (number(n), shown(got));
                both!("of the answer {n} bytes had come: {shown}", "回答只来了 {n} 字节：{shown}")
            }
        }
    }

    /// It in a sentence.
    pub(crate) fn words(&self) -> Both {
        match self {
            Trouble::Stuck { stuck, got, missing } => {
                let why = stuck.words();
                let (en, zh) = (why.en, why.zh);
                match (got.len(), missing.len()) {
                    (0, 0) => both!("{en}", "{zh}"),
                    (0, _) => both!("no answer came; {en}", "没有回答；{zh}"),
                    (n, 0) => {
                        let n = number(n);
                        both!("{n} bytes came, and no more; {en}", "来了 {n} 字节就没有了；{zh}")
                    }
                    (n, m) => {
                        let (n, m) = (number(n), number(m));
                        both!(
                            "of the answer {n} bytes came, and {m} are missing; {en}",
                            "回答来了 {n} 字节，还缺 {m} 字节；{zh}",
                        )
                    }
                }
            }
            Trouble::Wrong { got, expected, .. } if expected.is_empty() => {
                let got = shown(got);
                both!("it sent what no request asked for: {got}", "它发送了没有请求要的内容：{got}")
            }
            Trouble::Wrong { got, expected, at } => {
                let from = at.saturating_sub(8);
                let part = |bytes: &[u8]| shown(bytes.get(from..).unwrap_or_default());
                let (at, got, expected) = (number(*at), part(got), part(expected));
                both!(
                    "the answer is wrong from byte {at} on: expected {expected}, got {got}",
                    "回答从第 {at} 字节起不对：应为 {expected}，实为 {got}",
                )
            }
            Trouble::Early { got, sent, of } => {
                let (got, sent, of) = (shown(got), number(*sent), number(*of));
                both!(
                    "it answered after {sent} of the {of} bytes of a request: {got}",
                    "请求的 {of} 字节只发了 {sent} 字节，它就回答了：{got}",
                )
            }
            Trouble::Closed { got, missing } => {
                let (n, m) = (number(got.len()), number(missing.len()));
                let of = counted(got.len() as u64, "byte");
                match got.len() {
                    0 => both!(
                        "it closed the connection without an answer",
                        "它没有回答就关闭了连接"
                    ),
                    _ => both!(
                        "it closed the connection after {of} of the answer; {m} are missing",
                        "回答只发了 {n} 字节，它就关闭了连接；还缺 {m} 字节",
                    ),
                }
            }
            Trouble::Reset { got } => {
                let n = number(got.len());
                match got.len() {
                    0 => both!("the connection was reset", "连接被重置"),
                    _ => both!(
                        "the connection was reset after {n} bytes",
                        "收到 {n} 字节后连接被重置"
                    ),
                }
            }
            Trouble::Refused => both!(
                "the connection was refused: nothing listens any more",
                "连接被拒绝：已经没有监听者",
            ),
            Trouble::Own(why) => both!("{why}", "{why}"),
        }
    }
}

impl Stuck {
    fn words(self) -> Both {
        let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
        match self {
            Stuck::Still { slept } => {
                let slept = seconds(slept);
                both!("the program has slept for {slept} since", "程序此后睡眠了 {slept}")
            }
            Stuck::Ended => both!("the program has ended", "程序已结束"),
            Stuck::Busy(used) => {
                let used = seconds(used);
                both!(
                    "the program has used {used} of processor time since",
                    "程序此后用了 {used} 的处理器时间"
                )
            }
            Stuck::Late(time) => {
                let time = seconds(time);
                both!(
                    "the program has slept and used processor time for {time} in this test, which is too long",
                    "程序在此测试中睡眠和使用处理器共 {time}，太久了"
                )
            }
            Stuck::Starved(time) => {
                let time = seconds(time);
                both!(
                    "the test has taken {time}, because the machine is too busy",
                    "机器太忙，测试已用 {time}"
                )
            }
            Stuck::Memory(bytes) => {
                let mb = grouped(bytes >> 20);
                both!(
                    "the program took {mb} MiB of memory, and was killed",
                    "程序占用了 {mb} MiB 内存，已被终止"
                )
            }
            Stuck::Tasks(n) => {
                let n = number(n);
                both!(
                    "the program started {n} processes and threads, and was killed",
                    "程序启动了 {n} 个进程和线程，已被终止",
                )
            }
            Stuck::Interrupted => both!("netplay was asked to end", "netplay 被要求结束"),
        }
    }
}
