//! What is said about a line of a trace: its call as strace prints it, a sentence, the words of a picture.

use serde::{Deserialize, Deserializer};

use super::event::{Event, Kind};
use super::{Call, Direction, Failure, Told, What, error_in_words, ring, text};
use netplay_text::lang::Lang;
use netplay_text::say;

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Event, D::Error> {
        Event::deserialize(deserializer).map(Event::read)
    }
}

impl Event {
    /// The same, with its call [read](Call::read).
    #[must_use]
    pub fn read(mut self) -> Event {
        self.what = What::read(Call::read(&self));
        self.again = self.kind != Kind::Call && ring::read_again(&self);
        self
    }

    /// The call as strace prints it: `recvfrom(4, "hello", 1024, 0, NULL, NULL) = 5`.
    #[must_use]
    pub fn strace(&self) -> String {
        let syscall = self.syscall.as_deref().unwrap_or_default();
        let args = self.args.as_deref().unwrap_or_default();
        let ret = match self.ret {
            None if self.is_unfinished() => "?".to_owned(),
            ret => self.what.result(ret.unwrap_or_default()),
        };
        let errno = match &self.errno {
            Some(name) => format!(" {name} ({})", error_in_words(name, Lang::En)),
            None => String::new(),
        };
        let out = self.out.as_ref().map(|out| format!(" {out}")).unwrap_or_default();
        format!("{syscall}({args}) = {ret}{errno}{out}")
    }

    /// What the call did, in a sentence without a full stop.
    #[must_use]
    pub fn sentence(&self, lang: Lang) -> String {
        if self.is_unfinished() {
            let waiting = each!(&*self.what, None, call => call.waiting(self, lang));
            return match waiting {
                Some(what) => say!(
                    lang,
                    "{what}: it was still waiting when the recording ended",
                    "{what}：到记录结束时仍在等待",
                ),
                None => say!(
                    lang,
                    "it had not yet returned when the recording ended",
                    "到记录结束时还没有返回",
                ),
            };
        }
        let Some(errno) = &self.errno else {
            let ret = self.ret.unwrap_or_default();
            let returned = say!(lang, "returned {ret}", "返回 {ret}");
            return each!(&*self.what, returned, call => call.sentence(self, lang));
        };
        let why = match self.failure(lang) {
            Some(Failure::Ordinary(sentence)) => return sentence,
            Some(Failure::Because(why)) => why,
            None => "",
        };
        let at = each!(&*self.what, None, call => call.failed_at(self));
        let at = at.map(|address| format!("{address}: ")).unwrap_or_default();
        format!("{at}{} ({errno}){why}", error_in_words(errno, lang))
    }

    fn failure(&self, lang: Lang) -> Option<Failure> {
        let errno = self.errno.as_deref()?;
        if errno == "ECANCELED" {
            return Some(Failure::Ordinary(say!(
                lang,
                "cancelled (ECANCELED)",
                "已取消 (ECANCELED)"
            )));
        }
        each!(&*self.what, None, call => call.failure(errno, self, lang))
    }

    /// Whether the result only looks like a failure: EAGAIN and EINTR of any call, and ordinary
    /// results of this one.
    #[must_use]
    pub fn is_ordinary(&self) -> bool {
        matches!(self.errno.as_deref(), Some("EAGAIN" | "EINTR"))
            || matches!(self.failure(Lang::En), Some(Failure::Ordinary(_)))
    }

    /// What the program asked, in the words of a picture: `recv(4)`, `send(4) "hello"`, `connect 127.0.0.1:5858`.
    #[must_use]
    pub fn asked(&self, lang: Lang) -> String {
        let name = self.call.as_deref().unwrap_or_default();
        let on = match self.fd {
            Some(fd) => format!("{name}({fd})"),
            None => name.to_owned(),
        };
        match self.kind {
            Kind::Note => self.text.as_deref().unwrap_or_default().to_owned(),
            Kind::Submit => say!(lang, "submit {on}", "提交 {on}"),
            Kind::Call | Kind::Complete => {
                each!(&*self.what, on, call => call.asked(on, self, lang))
            }
        }
    }

    /// What the kernel answered: `5 bytes "hello"`, `fd 4, client 127.0.0.1:40312`, `EAGAIN`; nothing if
    /// the call only succeeded.
    #[must_use]
    pub fn answered(&self, lang: Lang) -> String {
        if matches!(self.kind, Kind::Note | Kind::Submit) {
            return String::new();
        }
        if self.is_unfinished() {
            return say!(lang, "not returned", "没有返回");
        }
        if let Some(errno) = &self.errno {
            return errno.as_str().to_owned();
        }
        each!(&*self.what, text::number(self.ret), call => call.answered(self, lang))
    }

    /// The direction in which bytes, or an end, moved; `None` if nothing moved. Looking at bytes (MSG_PEEK) does not move
    /// them, urgent bytes (MSG_OOB) travel beside the stream, and the error queue (MSG_ERRQUEUE) holds the program's own.
    #[must_use]
    pub fn direction(&self) -> Option<Direction> {
        self.direction_of(false)
    }

    /// The same of a call whose descriptor is known to be a connected socket, though its addresses are not: a `read` or a
    /// `write` does not tell it from a file.
    #[must_use]
    pub fn direction_on_connection(&self) -> Option<Direction> {
        self.direction_of(true)
    }

    fn direction_of(&self, socket: bool) -> Option<Direction> {
        let only_words = matches!(self.kind, Kind::Note | Kind::Submit);
        if only_words || self.is_unfinished() || self.errno.is_some() {
            return None;
        }
        each!(&*self.what, None, call => call.direction(self, socket))
    }

    /// Whether what moved was datagrams, and not bytes of a stream.
    #[must_use]
    pub fn has_datagrams(&self) -> bool {
        let says = each!(&*self.what, None, call => call.has_datagrams(self));
        says.is_some() && self.datagrams.or(says) == Some(true)
    }

    /// Whether it received a datagram that may have been longer: it filled the buffer, and the call does not say how long it was.
    #[must_use]
    pub fn may_be_cut(&self) -> bool {
        let Call::Bytes(bytes) = &*self.what else { return false };
        self.has_datagrams() && bytes.may_be_cut(self)
    }

    /// Whether its socket carries datagrams, if this is known and the call by itself says something else.
    #[must_use]
    pub fn says_otherwise(&self, datagrams: Option<bool>) -> Option<bool> {
        let says = each!(&*self.what, None, call => call.has_datagrams(self))?;
        datagrams.filter(|&datagrams| datagrams != says)
    }

    /// Whether it is a call that waits for others. A second completion of an operation has waited since the
    /// first one, not since the submission.
    #[must_use]
    pub fn is_wait(&self) -> bool {
        self.what.waits() && !self.goes_on()
    }

    /// Whether this submission is multishot: it completes until it is cancelled.
    #[must_use]
    pub fn may_answer_often(&self) -> bool {
        self.kind == Kind::Submit && self.again
    }

    /// Whether more completions of this operation will come.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        self.kind == Kind::Complete && self.again
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Name;
    use crate::Text;

    /// Whether a sentence is one in Chinese: names and numbers aside, nothing in it is English.
    fn is_chinese(sentence: &str) -> bool {
        let is_word = |word: &&str| {
            word.len() > 3
                && word.chars().all(|c| c.is_ascii_lowercase())
                && Name::of(word).is_none()
        };
        let words: Vec<&str> =
            sentence.split([' ', ',', ':', ';', '(', ')']).filter(is_word).collect();
        words.is_empty() && sentence.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
    }

    #[test]
    fn every_call_is_told_in_both_languages_however_it_ends() {
        let errors = crate::errnos().map(|errno| Some(format!("{errno:?}").into()));
        let endings: Vec<Option<Text>> = errors.chain([None]).collect();
        for name in Name::all() {
            for errno in &endings {
                for ret in [0, 5] {
                    let ret = if errno.is_some() { -1 } else { ret };
                    let event = Event {
                        call: Some(name.as_str().into()),
                        errno: errno.clone(),
                        fd: Some(3),
                        ret: Some(ret),
                        bytes: u64::try_from(ret).ok(),
                        peer: Some("127.0.0.1:5858".into()),
                        local: Some("127.0.0.1:0".into()),
                        ..Event::default()
                    };
                    let event = event.read();
                    let (en, zh) = (event.sentence(Lang::En), event.sentence(Lang::Zh));
                    assert!(is_chinese(&zh), "{name} {errno:?}: {zh}");
                    assert!(en.is_ascii() && en != zh, "{name} {errno:?}: {en}");
                }
            }
        }
    }
}
