//! Errors in the language of the process.
//!
//! The errors of these crates are shown in it, as those of the C library are in that of the locale (strerror(3)): by
//! [`Lang::current`]. What std and nix say of a system call that has failed is always English, so here it gets the words
//! of errno(3) in that language.

use std::error::Error;
use std::io;

use netplay_record::error_in_words;
use netplay_text::lang::Lang;
use nix::errno::Errno;

/// An error and what lies behind it, from the outermost to the innermost: `cannot read a: No such file or directory`.
///
/// ```
/// use std::io;
/// use netplay_shared::failure::in_words;
/// use netplay_text::lang::Lang;
/// let error = io::Error::from_raw_os_error(2);
/// assert_eq!(in_words(&error, Lang::Zh), "没有这个文件或目录");
/// assert_eq!(in_words(&error, Lang::En), "No such file or directory"); // without std's "(os error 2)"
/// ```
#[must_use]
pub fn in_words(error: &(dyn Error + 'static), lang: Lang) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(|error| alone(error, lang)).collect::<Vec<_>>().join(lang.pick(": ", "："))
}

/// The same without what lies behind it.
#[must_use]
pub fn alone(error: &(dyn Error + 'static), lang: Lang) -> String {
    let of_std = error.downcast_ref().and_then(io::Error::raw_os_error).map(Errno::from_raw);
    match (lang, of_std.or(error.downcast_ref().copied())) {
        (Lang::Zh, Some(errno)) => error_in_words(&format!("{errno:?}"), lang),
        (Lang::Zh | Lang::En, _) => {
            let said = error.to_string();
            let said =
                said.rsplit_once(" (os error ").map_or(&*said, |(words, _)| words).to_owned();
            match said.strip_prefix("failed to lookup address information: ") {
                Some(reason) => of_the_resolver(reason, lang).to_owned(),
                None => said,
            }
        }
    }
}

/// Why a name has no address: the words of gai_strerror(3) that a program meets, and their Chinese.
fn of_the_resolver(reason: &str, lang: Lang) -> &str {
    let chinese = match reason {
        "Name or service not known" => "没有这个名字或服务",
        "No address associated with hostname" => "这个名字没有对应的地址",
        "Temporary failure in name resolution" => "域名解析暂时失败",
        "Non-recoverable failure in name resolution" => "域名解析失败，重试也没有用",
        other => other,
    };
    lang.pick(reason, chinese)
}
