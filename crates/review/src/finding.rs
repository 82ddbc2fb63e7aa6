//! What is found.

use netplay_record::Text;
use netplay_text::lang::Lang;
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
    /// The numbers of the records that prove it, in their order.
    pub records: Vec<usize>,
}

impl Finding {
    /// The cause, in a sentence.
    #[must_use]
    pub fn sentence(&self, lang: Lang) -> &str {
        lang.pick(&self.said.en, &self.said.zh)
    }
}

/// A sentence in both languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) en: String,
    pub(crate) zh: String,
}

/// A sentence in English and in Chinese; both are format strings.
macro_rules! both {
    ($en:literal, $zh:literal $(,)?) => {
        $crate::finding::Said { en: format!($en), zh: format!($zh) }
    };
}
pub(crate) use both;

macro_rules! rules {
    ($($rule:ident $name:literal $lab:literal $doc:literal,)+) => {
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

            /// The lab that teaches it, or the lesson where there is no lab.
            #[must_use]
            pub const fn lab(self) -> &'static str {
                match self {
                    $(Rule::$rule => $lab,)+
                }
            }
        }
    };
}

rules! {
    ErrorAsDescriptor "error-as-descriptor" "errno" "The -1 of a call that failed was used as a descriptor.",
    ErrorIgnored "error-ignored" "errno" "A call failed, and the program went on as if it had not.",
    NotASocket "not-a-socket" "socket-api" "A socket call on a descriptor that is no socket.",
    BadAddressLength "bad-address-length" "socket-api" "An address came with a length that cannot be.",
    ShortRecv "short-recv" "framing" "A part of a message was taken for the whole.",
    MergedSends "merged-sends" "framing" "Several messages in one receive were taken for one.",
    ShortSend "short-send" "shortwrite" "The rest of a message was never sent.",
    EndIgnored "end-ignored" "halfclose" "The end of the peer's bytes was not taken for the end.",
    BusyLoop "busy-loop" "models" "The same call over and over, without a wait.",
    MutualWait "mutual-wait" "deadlock" "Both ends wait for each other.",
    BlockedBehind "blocked-behind" "deaf" "A client waits while the server waits for another.",
    PortByteOrder "port-byte-order" "byteorder" "A port with its bytes swapped.",
    OredOptions "ored-options" "socket-api" "Several options joined to one by OR.",
    AddressInUse "address-in-use" "timewait" "The address is somebody else's.",
    WrongAddress "wrong-address" "bindwhere" "The listener has the port at another address.",
    DescriptorLeak "descriptor-leak" "forkfd" "A socket that is never closed.",
    DatagramCut "datagram-cut" "udp" "A datagram was longer than the buffer.",
    LengthInCharacters "length-in-characters" "framing" "A length that counts characters, not bytes.",
    ResetByUnread "reset-by-unread" "reset" "A close with unread bytes was a reset.",
    DeadPeer "dead-peer" "sigpipe" "A send to a peer that was gone.",
    AgainAsEnd "again-as-end" "models" "\"Not yet\" was taken for the end or for a failure.",
    UnansweredDatagram "unanswered-datagram" "udploss" "A wait for a datagram that will not come.",
    Zombies "zombies" "zombies" "Children ended, and their parent never waited for them.",
}

impl Rule {
    /// The command that teaches it.
    #[must_use]
    pub fn command(self) -> String {
        let lab = self.lab();
        match lab {
            "errno" | "socket-api" | "udp" => format!("netplay explain {lab}"),
            _ => format!("netplay lab {lab}"),
        }
    }
}

impl Serialize for Finding {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut object = serializer.serialize_struct("Finding", 6)?;
        object.serialize_field("rule", self.rule.name())?;
        object.serialize_field("sentence", self.sentence(Lang::En))?;
        object.serialize_field("pid", &self.pid)?;
        object.serialize_field("tid", &self.tid)?;
        object.serialize_field("records", &self.records)?;
        object.serialize_field("lab", self.rule.lab())?;
        object.end()
    }
}
