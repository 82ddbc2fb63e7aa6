//! What can go wrong before there is anything to check.

use std::fmt;

use netplay_text::lang::Lang;
use netplay_text::say;

/// Why a run cannot be packed, told in the language of the process ([`Lang::current`]).
#[derive(Debug)]
pub enum PackError {
    /// There is no record in any of the traces, for these reasons.
    Empty(Vec<String>),
    /// There are more traces than [`MOST_TRACES`](super::MOST_TRACES).
    Traces(usize),
    /// All of it has more bytes than [`MOST`](super::MOST).
    Large,
    /// A line of a trace is no record of this version: the trace, the line, and why.
    Line(String, usize, String),
    /// The traces are of two hosts, or of two boots of one: their times cannot be compared.
    Clocks(String),
    /// The zip archive cannot be made.
    Zip(zip::result::ZipError),
}

impl fmt::Display for PackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lang = Lang::current();
        f.write_str(&match self {
            PackError::Empty(why) if why.is_empty() => {
                say!(lang, "there is nothing to pack: no record in any trace", "没有可打包的内容：跟踪文件里没有记录")
            }
            PackError::Empty(why) => {
                let why = why.join(lang.pick("; ", "；"));
                say!(lang, "there is nothing to pack: {why}", "没有可打包的内容：{why}")
            }
            PackError::Traces(n) => {
                let most = super::MOST_TRACES;
                say!(lang, "{n} traces: a pack has at most {most}", "{n} 个跟踪文件：一个包最多 {most} 个")
            }
            PackError::Large => {
                let most = super::MOST >> 20;
                say!(
                    lang,
                    "the run is too large to hand in: more than {most} MiB; record a shorter one, or with a smaller --data",
                    "这次运行太大，无法提交：超过 {most} MiB；请录制短一些，或用较小的 --data",
                )
            }
            PackError::Line(trace, line, why) => format!("{trace}:{line}: {why}"),
            PackError::Clocks(trace) => say!(
                lang,
                "{trace} is from another host or another boot: a pack holds one run on one clock",
                "{trace} 来自另一台主机或另一次启动：一个包只能是同一时钟上的一次运行",
            ),
            PackError::Zip(_) => say!(lang, "cannot make the archive", "无法生成压缩包"),
        })
    }
}

impl std::error::Error for PackError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            PackError::Zip(error) => Some(error),
            _ => None,
        }
    }
}

/// Why a file is no pack that could be verified, told in the language of the process ([`Lang::current`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// It does not begin as a zip archive does.
    NoPack,
    /// It is not a zip archive, or a damaged one: why.
    NoZip(String),
    /// A member is missing that every pack has.
    Missing(String),
    /// A member cannot be unpacked whole: its name, and why.
    Member(String, String),
    /// The members unpack to more than [`MOST`](super::MOST) bytes, or there are more than a pack has.
    Large,
    /// What says what the pack holds is no JSON of this version: the member, and why.
    Form(String, String),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lang = Lang::current();
        f.write_str(&match self {
            Damage::NoPack => {
                say!(lang, "not a file that netplay pack has written", "不是 netplay pack 生成的文件")
            }
            Damage::NoZip(why) => say!(
                lang,
                "not a pack, or a damaged one: {why}",
                "不是 netplay pack 生成的文件，或者已损坏：{why}",
            ),
            Damage::Missing(name) => {
                say!(lang, "not a whole pack: {name} is missing", "包不完整：缺少 {name}")
            }
            Damage::Member(name, why) => {
                say!(lang, "damaged: {name}: {why}", "已损坏：{name}：{why}")
            }
            Damage::Large => {
                let most = super::MOST >> 20;
                say!(
                    lang,
                    "refused: it would unpack to more than {most} MiB, or to more members than a pack has",
                    "拒绝：解压后会超过 {most} MiB，或者成员数超过一个包应有的数目",
                )
            }
            Damage::Form(name, why) => {
                say!(lang, "damaged: {name} cannot be read: {why}", "已损坏：{name} 无法读取：{why}")
            }
        })
    }
}

impl std::error::Error for Damage {}
