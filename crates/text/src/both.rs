//! A sentence that is kept, until it is known in which language it is told.

use super::lang::Lang;

/// A sentence in both languages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Both {
    /// In English.
    pub en: String,
    /// In Chinese.
    pub zh: String,
}

impl Both {
    /// The sentence in one of them.
    #[must_use]
    pub fn get(&self, lang: Lang) -> &str {
        lang.pick(&self.en, &self.zh)
    }
}

/// A [`Both`], given in English and in Chinese. Both are format strings.
///
/// ```
/// use netplay_text::{both, lang::Lang};
/// let n = 3;
/// assert_eq!(both!("{n} clients", "{n} 个客户端").get(Lang::En), "3 clients");
/// ```
#[macro_export]
macro_rules! both {
    ($en:literal, $zh:literal $(,)?) => {
        $crate::both::Both { en: format!($en), zh: format!($zh) }
    };
}
