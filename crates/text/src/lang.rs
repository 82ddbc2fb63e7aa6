//! The language of everything that explains: English or Chinese.
//!
//! The names of calls, errors and options are the same in both. Each sentence is written in both, side by side
//! ([`say!`](crate::say)), so that neither is forgotten.

use std::str::FromStr;
use std::sync::OnceLock;

use super::columns::hanging;

/// A sentence in the language asked for, given in English and in Chinese. Both are format
/// strings; only one is evaluated.
///
/// ```
/// use netplay_text::{lang::Lang, say};
/// let peer = "127.0.0.1:40312";
/// assert_eq!(say!(Lang::En, "connected to {peer}", "已连接到 {peer}"), "connected to 127.0.0.1:40312");
/// ```
#[macro_export]
macro_rules! say {
    ($lang:expr, $en:literal, $zh:literal $(,)?) => {
        match $lang {
            $crate::lang::Lang::En => format!($en),
            $crate::lang::Lang::Zh => format!($zh),
        }
    };
}

/// A language in which every sentence is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lang {
    /// English.
    En,
    /// Chinese, in simplified characters.
    Zh,
}

static CURRENT: OnceLock<Lang> = OnceLock::new();

impl Lang {
    /// All of them.
    pub const ALL: [Lang; 2] = [Lang::En, Lang::Zh];

    /// Its code, which is also the name of its folder: `en`, `zh`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Lang::En => "en",
            Lang::Zh => "zh",
        }
    }

    /// The words in this language.
    #[must_use]
    pub fn pick<T>(self, en: T, zh: T) -> T {
        match self {
            Lang::En => en,
            Lang::Zh => zh,
        }
    }

    /// The language of this process: the one that was [`set`](Lang::set), else the one that the environment asks for.
    #[must_use]
    pub fn current() -> Lang {
        *CURRENT.get_or_init(Lang::of_environment)
    }

    /// Sets the language of this process, as setlocale(3) does. Only the first call counts.
    pub fn set(self) {
        let _ = CURRENT.set(self);
    }

    /// The language that the environment asks for: `NETPLAY_LANG`, else the locale of messages
    /// (`LC_ALL`, `LC_MESSAGES`, `LANG`; see locale(7)). English if that is neither of ours.
    #[must_use]
    pub fn of_environment() -> Lang {
        Lang::chosen(|name| std::env::var(name).ok())
    }

    fn chosen(variable: impl Fn(&str) -> Option<String>) -> Lang {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        let locale = || set("LC_ALL").or_else(|| set("LC_MESSAGES")).or_else(|| set("LANG"));
        let asked = set("NETPLAY_LANG").and_then(|value| Lang::of_locale(&value));
        asked.or_else(|| Lang::of_locale(&locale()?)).unwrap_or(Lang::En)
    }

    /// `zh_CN.UTF-8` is Chinese.
    fn of_locale(locale: &str) -> Option<Lang> {
        locale.split(['_', '-', '.', '@']).next()?.parse().ok()
    }
}

/// How people are told: in which language, and how wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Voice {
    /// In this language.
    pub lang: Lang,
    /// In lines of so many columns at most; `usize::MAX` where no terminal breaks them.
    pub columns: usize,
}

impl Voice {
    /// A sentence in its lines, each with its end: what does not fit goes on below, set in.
    ///
    /// ```
    /// use netplay_text::lang::{Lang, Voice};
    /// let voice = Voice { lang: Lang::En, columns: 12 };
    /// assert_eq!(voice.lines("the port is free"), "the port is\n  free\n");
    /// ```
    #[must_use]
    pub fn lines(self, sentence: &str) -> String {
        hanging(sentence, self.columns, 2) + "\n"
    }
}

impl FromStr for Lang {
    type Err = String;

    fn from_str(code: &str) -> Result<Lang, String> {
        let named = |lang: &Lang| lang.code().eq_ignore_ascii_case(code);
        Lang::ALL.into_iter().find(named).ok_or_else(|| "the languages are en and zh".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(variables: &[(&str, &str)]) -> Lang {
        let value = |name: &str| variables.iter().find(|(known, _)| *known == name);
        Lang::chosen(|name| value(name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_environment_chooses_and_netplay_lang_comes_first() {
        assert_eq!(chosen(&[]), Lang::En);
        assert_eq!(chosen(&[("LANG", "zh_CN.UTF-8")]), Lang::Zh);
        assert_eq!(chosen(&[("LANG", "zh_CN.UTF-8"), ("LC_ALL", "C.UTF-8")]), Lang::En);
        assert_eq!(chosen(&[("LANG", "en_GB.UTF-8"), ("NETPLAY_LANG", "zh")]), Lang::Zh);
        assert_eq!(chosen(&[("LANG", "zh_TW"), ("NETPLAY_LANG", "en")]), Lang::En);
        assert_eq!(chosen(&[("LANG", "fr_FR.UTF-8")]), Lang::En);
        assert_eq!(chosen(&[("LANG", "zh"), ("NETPLAY_LANG", "fr")]), Lang::Zh);
        assert_eq!(chosen(&[("LANG", "zh"), ("LC_MESSAGES", "")]), Lang::Zh);
    }
}
