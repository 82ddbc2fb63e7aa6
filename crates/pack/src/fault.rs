//! What contradicts something else in a pack.

use std::fmt;

use netplay_text::both::Both;
use netplay_text::lang::Lang;
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

/// A contradiction, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What kind of contradiction it is.
    pub rule: Rule,
    /// The sentence in English and in Chinese.
    pub(crate) said: Both,
    /// The lines that contradict each other; none where it is about a member as a whole.
    pub at: Vec<Place>,
}

impl Fault {
    pub(crate) fn new(rule: Rule, said: Both, at: impl Into<Vec<Place>>) -> Fault {
        Fault { rule, said, at: at.into() }
    }

    /// The contradiction, in a sentence.
    #[must_use]
    pub fn sentence(&self, lang: Lang) -> &str {
        self.said.get(lang)
    }
}

impl Serialize for Fault {
    /// The sentence is English, because programs read it.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fault = serializer.serialize_struct("Fault", 3)?;
        fault.serialize_field("rule", self.rule.name())?;
        fault.serialize_field("sentence", self.sentence(Lang::En))?;
        fault.serialize_field("at", &self.at)?;
        fault.end()
    }
}

/// A line of a trace in a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The number of the trace, from 1 on.
    pub trace: usize,
    /// The number of the line, from 1 on.
    pub line: usize,
}

/// The name of a trace in a pack: its number is counted from 1 on.
pub(crate) fn trace_name(number: usize) -> String {
    format!("trace-{number}.jsonl")
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", trace_name(self.trace), self.line)
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut place = serializer.serialize_struct("Place", 2)?;
        place.serialize_field("member", &trace_name(self.trace))?;
        place.serialize_field("line", &self.line)?;
        place.end()
    }
}

macro_rules! rules {
    ($($rule:ident $name:literal $doc:literal,)+) => {
        /// A kind of contradiction.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $(#[doc = $doc] $rule,)+
        }

        impl Rule {
            /// All of them.
            pub const ALL: &[Rule] = &[$(Rule::$rule,)+];

            /// Its name: `bytes`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Rule::$rule => $name,)+
                }
            }
        }
    };
}

rules! {
    Manifest "manifest" "A member is not the one that the manifest names.",
    About "about" "What the pack says about itself is not what its records say.",
    Version "version" "Another version of netplay made the pack: its page and review cannot be made again.",
    Page "page" "The page is not the one of these traces.",
    Review "review" "The review is not the one of these traces.",
    Form "form" "A line is not a record as netplay writes it.",
    Incomplete "incomplete" "The trace itself says that records are missing.",
    Clock "clock" "Times of one record, or of two clocks, contradict each other.",
    Order "order" "A thread did two things at once, or in another order than its lines stand.",
    Process "process" "A process did something before it began or after it ended.",
    Descriptor "descriptor" "A descriptor was used before it was made or after it was closed, or was made twice.",
    Errno "errno" "A call cannot fail with this error.",
    Count "count" "The numbers of a record contradict each other, or its text.",
    Address "address" "A socket has an address that no call gave it, or a record two.",
    Ring "ring" "An operation of a ring completes that was not submitted, or the kernel takes more than there are.",
    State "state" "A socket did what its state does not allow.",
    Bytes "bytes" "What one end of a connection received is not what the other end sent.",
    Time "time" "Something was received before it was sent, or accepted before it connected.",
}
