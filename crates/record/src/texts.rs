//! The texts of a line of a trace, in little room.

use std::borrow::Borrow;
use std::cell::RefCell;
use std::fmt;
use std::ops::Deref;

use arcstr::ArcStr;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text that never changes. A copy of it is the same text, not another one.
///
/// The lines of a trace say the same words again and again: roles, names of calls, addresses. Of those that were read
/// lately there is one text each.
///
/// ```
/// use netplay_record::Text;
///
/// let [one, two]: [Text; 2] = serde_json::from_str(r#"["recv", "recv"]"#)?;
/// assert_eq!(one, "recv");
/// assert_eq!(one.as_ptr(), two.as_ptr());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(ArcStr);

/// What is longer is hardly ever said twice.
const LONGEST: usize = 128;

/// So many texts are known at a time, each at a place of its own.
const KNOWN: usize = 1 << 12;

thread_local! {
    static LATELY: RefCell<Vec<Text>> = const { RefCell::new(Vec::new()) };
}

impl Text {
    /// This text: the one that was read lately, if it says the same.
    fn read(text: &str) -> Text {
        if text.is_empty() || text.len() > LONGEST {
            return text.into();
        }
        LATELY.with_borrow_mut(|lately| {
            if lately.is_empty() {
                lately.resize(KNOWN, Text::default());
            }
            let known = &mut lately[place(text)];
            if *known != text {
                *known = text.into();
            }
            known.clone()
        })
    }

    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The place of a text among those that are known. Two texts may share one: then only the later one is known.
fn place(text: &str) -> usize {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15; // any large odd number spreads the bits
    let mix = |hash: u64, bytes: [u8; 8]| {
        (hash ^ u64::from_le_bytes(bytes)).wrapping_mul(ODD).rotate_left(29)
    };
    let (words, rest) = text.as_bytes().as_chunks();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let hash = words.iter().chain([&last]).fold(text.len() as u64, |hash, &bytes| mix(hash, bytes));
    (hash.wrapping_mul(ODD) >> 32) as usize % KNOWN
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self
    }
}

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        self
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Text(text.into())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Text {
        Text(text.into())
    }
}

impl From<&String> for Text {
    fn from(text: &String) -> Text {
        Text(text.into())
    }
}

impl From<Text> for String {
    fn from(text: Text) -> String {
        text.as_str().to_owned()
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialEq<String> for Text {
    fn eq(&self, other: &String) -> bool {
        self.as_str() == other
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        struct Reader;

        impl Visitor<'_> for Reader {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text::read(text))
            }
        }

        deserializer.deserialize_str(Reader)
    }
}
