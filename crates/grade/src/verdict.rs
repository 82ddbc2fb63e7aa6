//! What is found: a verdict for each test, and the cause of each failure.

use std::time::Duration;

use netplay_record::Event;
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
    /// The calls that show it, where the test itself has found them.
    pub(crate) calls: Vec<Event>,
}

/// A mistake that a test itself has proven.
#[derive(Debug)]
pub(crate) struct Proof {
    pub(crate) rule: Rule,
    /// What happened, as far as it explains the failure.
    pub(crate) said: Both,
    /// The calls that show it.
    pub(crate) calls: Vec<Event>,
}

/// What went wrong.
#[derive(Debug)]
pub(crate) enum How {
    Trouble(Trouble),
    Said(Both),
    /// A trouble whose cause is known, and told in its place.
    Told(Trouble, Both),
}

impl How {
    /// The same trouble, told in other words.
    fn with(self, said: Both) -> How {
        match self {
            How::Trouble(trouble) => How::Told(trouble, said),
            How::Said(_) | How::Told(..) => How::Said(said),
        }
    }

    fn trouble(&self) -> Option<&Trouble> {
        match self {
            How::Trouble(trouble) | How::Told(trouble, _) => Some(trouble.inner()),
            How::Said(_) => None,
        }
    }
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
        how => Broken::Fault(Box::new(Fault { when, how, rule, calls: Vec::new() })),
    }
}

/// A fault whose mistake the test itself has proven, or not. What it has proven is told in the place of the trouble that it had.
pub(crate) fn proven(when: Both, trouble: Trouble, proof: Option<Proof>) -> Broken {
    let Some(Proof { rule, said, calls }) = proof else { return fault(when, trouble, None) };
    match fault(when, trouble, Some(rule)) {
        Broken::Fault(fault) => {
            Broken::Fault(Box::new(Fault { calls, how: fault.how.with(said), ..*fault }))
        }
        other => other,
    }
}

impl Fault {
    /// Whether the program was there when a wait for it was given up: what it did after that, the tester has brought about.
    pub(crate) fn is_given_up(&self) -> bool {
        matches!(
            self.how.trouble(),
            Some(Trouble::Stuck {
                stuck: Stuck::Still { .. } | Stuck::Busy(_) | Stuck::Late(_),
                ..
            })
        )
    }

    /// Whether the program used processor time without an end.
    pub(crate) fn is_busy(&self) -> bool {
        let busy = |stuck: &Stuck| matches!(stuck, Stuck::Busy(_) | Stuck::Late(_));
        matches!(self.how.trouble(), Some(Trouble::Stuck { stuck, .. }) if busy(stuck))
    }

    /// Whether an answer came, and not the right one.
    pub(crate) fn is_an_answer(&self) -> bool {
        matches!(self.how.trouble(), Some(Trouble::Early { .. } | Trouble::Wrong { .. }))
    }

    /// The fault in a sentence. `status`: how the program ended, if it has.
    pub(crate) fn sentence(&self, status: Option<Status>) -> Both {
        let how = match (&self.how, status) {
            (How::Said(said) | How::Told(_, said), _) => said.clone(),
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
            Trouble::Greeting(trouble) => trouble.is_of_the_end(),
        }
    }

    /// The trouble itself, where it is about a greeting.
    pub(crate) fn inner(&self) -> &Trouble {
        match self {
            Trouble::Greeting(trouble) => trouble.inner(),
            trouble => trouble,
        }
    }

    /// What had come before it, if anything.
    fn came(&self) -> Both {
        let got = match self {
            Trouble::Stuck { got, .. } | Trouble::Closed { got, .. } | Trouble::Reset { got } => {
                got
            }
            Trouble::Greeting(_) => return both!("no greeting had come", "问候还没有来"),
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
            Trouble::Wrong { got, expected, at, before } => {
                let from = at.saturating_sub(8);
                let part = |bytes: &[u8]| match from + before {
                    0 => shown(bytes),
                    _ => format!("…{}", shown(bytes.get(from..).unwrap_or_default())),
                };
                let (nth, got, expected) = (number(before + at + 1), part(got), part(expected));
                both!(
                    "byte {nth} of the answer is wrong: expected {expected}, got {got}",
                    "回答的第 {nth} 个字节不对：应为 {expected}，实为 {got}",
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
            Trouble::Greeting(trouble) => trouble.words_of_greeting(),
        }
    }

    /// It in a sentence, where it is about what the server should have sent before any request.
    fn words_of_greeting(&self) -> Both {
        match self {
            Trouble::Stuck { stuck, got, .. } if got.is_empty() => {
                let why = stuck.words();
                let (en, zh) = (why.en, why.zh);
                both!(
                    "a client connected, and no greeting came; {en}",
                    "客户端连接后没有收到问候；{zh}"
                )
            }
            Trouble::Stuck { stuck, got, .. } => {
                let (why, got) = (stuck.words(), shown(got));
                let (en, zh) = (why.en, why.zh);
                both!("of the greeting only {got} came; {en}", "问候只来了 {got}；{zh}")
            }
            Trouble::Wrong { got, expected, .. } => {
                let (got, expected) = (shown(got), shown(expected));
                both!(
                    "the greeting is wrong: expected {expected}, got {got}",
                    "问候不对：应为 {expected}，实为 {got}"
                )
            }
            Trouble::Closed { got, .. } if got.is_empty() => {
                both!("it closed the connection without a greeting", "它没有问候就关闭了连接")
            }
            Trouble::Closed { got, .. } => {
                let got = shown(got);
                both!(
                    "it closed the connection within the greeting: {got}",
                    "它在问候的中途关闭了连接：{got}"
                )
            }
            other => other.words(),
        }
    }
}

impl Stuck {
    fn words(self) -> Both {
        let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
        match self {
            Stuck::Still { slept } => {
                let slept = seconds(slept);
                both!("the program did nothing for {slept}", "程序 {slept} 内什么都没做")
            }
            Stuck::Ended => both!("the program has ended", "程序已结束"),
            Stuck::Busy(used) => {
                let used = seconds(used);
                both!(
                    "the program used {used} of processor time meanwhile",
                    "程序在此期间用了 {used} 的处理器时间"
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
