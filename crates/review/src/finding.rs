//! What is found.

use netplay_record::Text;
use netplay_text::both::Both;
use netplay_text::lang::Lang;
use netplay_text::say;
use netplay_text::words::{grouped, plural};
use serde::Serialize;

/// A cause, and what proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which mistake it is.
    pub rule: Rule,
    /// The sentence in English and in Chinese.
    pub(crate) said: Said,
    /// The process whose mistake it is.
    pub pid: i32,
    /// Its thread.
    pub tid: i32,
    /// What the process is called.
    pub program: Text,
    /// The numbers of the records that prove it, in their order; of the first time that it was seen.
    pub records: Vec<usize>,
    /// How many more times the same place of the same program made the same mistake.
    pub more: usize,
    /// Where it is taught.
    pub(crate) taught: Taught,
}

impl Finding {
    /// The cause, in a sentence.
    #[must_use]
    pub fn sentence(&self, lang: Lang) -> String {
        let sentence = self.said.text.get(lang);
        if self.more == 0 {
            return sentence.to_owned();
        }
        let (number, (one, zh)) = (grouped(self.more as u64), self.rule.unit());
        let unit = plural(self.more as u64, one);
        say!(
            lang,
            "{sentence} (and {number} more {unit})",
            "{sentence}（另有 {number} {zh}也是这样）",
        )
    }

    /// The lab that teaches it, or the lesson where there is no lab.
    #[must_use]
    pub const fn lab(&self) -> &'static str {
        match self.taught {
            Taught::Lab(name) | Taught::Lesson(name) => name,
            Taught::Errno(_) => "errno",
        }
    }

    /// The command that teaches it.
    #[must_use]
    pub fn command(&self) -> String {
        match &self.taught {
            Taught::Lab(name) => format!("netplay lab {name}"),
            Taught::Lesson(name) => format!("netplay explain {name}"),
            Taught::Errno(name) => format!("netplay explain {name}"),
        }
    }
}

/// Where a mistake is taught.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Taught {
    /// A lab.
    Lab(&'static str),
    /// A lesson.
    Lesson(&'static str),
    /// What the lesson on errors says about this one.
    Errno(Text),
}

impl Taught {
    /// What is said about an error.
    pub(crate) fn by(errno: &str) -> Taught {
        Taught::Errno(errno.into())
    }
}

/// A sentence, and which other sentences say the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) text: Both,
    /// The same mistake in the same form is told once.
    pub(crate) form: &'static str,
    /// Where in the program, if the same mistake in two places is to be told twice.
    pub(crate) place: String,
}

impl Said {
    /// Says where in the program it is.
    pub(crate) fn at(self, place: String) -> Said {
        Said { place, ..self }
    }
}

/// A sentence in English and in Chinese; both are format strings.
macro_rules! both {
    ($en:literal, $zh:literal $(,)?) => {
        $crate::finding::Said {
            text: netplay_text::both!($en, $zh),
            form: $en,
            place: String::new(),
        }
    };
}
pub(crate) use both;

macro_rules! rules {
    ($($rule:ident $name:literal $kind:ident $lab:literal $doc:literal,)+) => {
        /// A mistake.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $(#[doc = $doc] $rule,)+
        }

        impl Rule {
            /// All of them.
            pub const ALL: &[Rule] = &[$(Rule::$rule,)+];

            /// Its name: `short-recv`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Rule::$rule => $name,)+
                }
            }

            /// Where it is taught, unless the finding knows better.
            pub(crate) const fn taught(self) -> Taught {
                match self {
                    $(Rule::$rule => Taught::$kind($lab),)+
                }
            }
        }
    };
}

rules! {
    ErrorAsDescriptor "error-as-descriptor" Lesson "errno" "The -1 of a call that failed was used as a descriptor.",
    ErrorIgnored "error-ignored" Lesson "errno" "A call failed, and the program went on as if it had not.",
    NotASocket "not-a-socket" Lesson "socket-api" "A socket call on a descriptor that is no socket.",
    BadAddressLength "bad-address-length" Lesson "socket-api" "An address came with a length that cannot be.",
    ShortRecv "short-recv" Lab "framing" "A part of a message was taken for the whole.",
    MergedSends "merged-sends" Lab "framing" "Several messages in one receive were taken for one.",
    ShortSend "short-send" Lab "shortwrite" "The rest of a message was never sent.",
    EndIgnored "end-ignored" Lab "gone" "The end of the peer's bytes was not taken for the end.",
    BusyLoop "busy-loop" Lab "models" "The same call over and over, without a wait.",
    MutualWait "mutual-wait" Lab "deadlock" "Both ends wait for each other.",
    BlockedBehind "blocked-behind" Lab "deaf" "A client waits while the server waits for another.",
    PortByteOrder "port-byte-order" Lab "byteorder" "A port with its bytes swapped.",
    OredOptions "ored-options" Lesson "socket-api" "Several options joined to one by OR.",
    AddressInUse "address-in-use" Lesson "errno" "The address is somebody else's.",
    WrongAddress "wrong-address" Lab "bindwhere" "The listener has the port at another address.",
    DescriptorLeak "descriptor-leak" Lab "limits" "A socket that is never closed.",
    DatagramCut "datagram-cut" Lesson "udp" "A datagram was longer than the buffer.",
    LengthInCharacters "length-in-characters" Lesson "protocol" "A length that counts characters, not bytes.",
    ResetByUnread "reset-by-unread" Lab "reset" "A close with unread bytes was a reset.",
    DeadPeer "dead-peer" Lab "sigpipe" "A send to a peer that was gone.",
    AgainAsEnd "again-as-end" Lab "models" "\"Not yet\" was taken for the end or for a failure.",
    UnansweredDatagram "unanswered-datagram" Lesson "udp" "A wait for a datagram that will not come.",
    Zombies "zombies" Lab "zombies" "Children ended, and their parent never waited for them.",
}

impl Rule {
    /// What is counted where it was seen more than once, in English and, with its measure word, in Chinese.
    const fn unit(self) -> (&'static str, &'static str) {
        match self {
            Rule::ShortRecv
            | Rule::MergedSends
            | Rule::ShortSend
            | Rule::EndIgnored
            | Rule::MutualWait
            | Rule::BlockedBehind
            | Rule::LengthInCharacters
            | Rule::ResetByUnread
            | Rule::DeadPeer
            | Rule::AgainAsEnd => ("connection", "个连接"),
            Rule::BusyLoop
            | Rule::DatagramCut
            | Rule::UnansweredDatagram
            | Rule::DescriptorLeak
            | Rule::PortByteOrder => ("socket", "个套接字"),
            Rule::Zombies => ("process", "个进程"),
            _ => ("time", "次"),
        }
    }
}

impl Serialize for Finding {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut object = serializer.serialize_struct("Finding", 6)?;
        object.serialize_field("rule", self.rule.name())?;
        object.serialize_field("sentence", &self.sentence(Lang::En))?;
        object.serialize_field("pid", &self.pid)?;
        object.serialize_field("tid", &self.tid)?;
        object.serialize_field("records", &self.records)?;
        object.serialize_field("lab", self.lab())?;
        object.end()
    }
}
