//! Error numbers of other systems: what they mean there, and their names here.
//!
//! Windows Sockets numbers its errors from 10000 on, and names them `WSAE…` (Microsoft, "Windows Sockets error codes").
//! macOS and the BSDs have the names of Linux, but from 35 on other numbers (errno(2) of FreeBSD and macOS). So the
//! same number may be two errors, and then both are told.

use nix::errno::Errno;

use crate::lang::Lang;
use crate::record::{errno_named, strerror};
use netplay_text::say;

/// An error number of another system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// A number of Windows Sockets: 10054.
    Windows(u16),
    /// A number that macOS and the BSDs have for another error than Linux: 61.
    Bsd(u16),
}

/// The errors of Windows Sockets. Without their `WSA`, most have a name of Linux.
const WINDOWS: &[(u16, &str)] = &[
    (10004, "WSAEINTR"),
    (10009, "WSAEBADF"),
    (10013, "WSAEACCES"),
    (10014, "WSAEFAULT"),
    (10022, "WSAEINVAL"),
    (10024, "WSAEMFILE"),
    (10035, "WSAEWOULDBLOCK"),
    (10036, "WSAEINPROGRESS"),
    (10037, "WSAEALREADY"),
    (10038, "WSAENOTSOCK"),
    (10039, "WSAEDESTADDRREQ"),
    (10040, "WSAEMSGSIZE"),
    (10041, "WSAEPROTOTYPE"),
    (10042, "WSAENOPROTOOPT"),
    (10043, "WSAEPROTONOSUPPORT"),
    (10044, "WSAESOCKTNOSUPPORT"),
    (10045, "WSAEOPNOTSUPP"),
    (10046, "WSAEPFNOSUPPORT"),
    (10047, "WSAEAFNOSUPPORT"),
    (10048, "WSAEADDRINUSE"),
    (10049, "WSAEADDRNOTAVAIL"),
    (10050, "WSAENETDOWN"),
    (10051, "WSAENETUNREACH"),
    (10052, "WSAENETRESET"),
    (10053, "WSAECONNABORTED"),
    (10054, "WSAECONNRESET"),
    (10055, "WSAENOBUFS"),
    (10056, "WSAEISCONN"),
    (10057, "WSAENOTCONN"),
    (10058, "WSAESHUTDOWN"),
    (10059, "WSAETOOMANYREFS"),
    (10060, "WSAETIMEDOUT"),
    (10061, "WSAECONNREFUSED"),
    (10062, "WSAELOOP"),
    (10063, "WSAENAMETOOLONG"),
    (10064, "WSAEHOSTDOWN"),
    (10065, "WSAEHOSTUNREACH"),
    (10066, "WSAENOTEMPTY"),
    (10067, "WSAEPROCLIM"),
    (10068, "WSAEUSERS"),
    (10069, "WSAEDQUOT"),
    (10070, "WSAESTALE"),
    (10071, "WSAEREMOTE"),
    (10091, "WSASYSNOTREADY"),
    (10092, "WSAVERNOTSUPPORTED"),
    (10093, "WSANOTINITIALISED"),
    (10101, "WSAEDISCON"),
    (11001, "WSAHOST_NOT_FOUND"),
    (11002, "WSATRY_AGAIN"),
    (11003, "WSANO_RECOVERY"),
    (11004, "WSANO_DATA"),
];

/// The numbers of macOS, FreeBSD, OpenBSD and NetBSD that are not those of Linux. (Above 78 they differ among
/// themselves.)
const BSD: &[(u16, &str)] = &[
    (11, "EDEADLK"),
    (35, "EAGAIN"),
    (36, "EINPROGRESS"),
    (37, "EALREADY"),
    (38, "ENOTSOCK"),
    (39, "EDESTADDRREQ"),
    (40, "EMSGSIZE"),
    (41, "EPROTOTYPE"),
    (42, "ENOPROTOOPT"),
    (43, "EPROTONOSUPPORT"),
    (44, "ESOCKTNOSUPPORT"),
    (45, "EOPNOTSUPP"),
    (46, "EPFNOSUPPORT"),
    (47, "EAFNOSUPPORT"),
    (48, "EADDRINUSE"),
    (49, "EADDRNOTAVAIL"),
    (50, "ENETDOWN"),
    (51, "ENETUNREACH"),
    (52, "ENETRESET"),
    (53, "ECONNABORTED"),
    (54, "ECONNRESET"),
    (55, "ENOBUFS"),
    (56, "EISCONN"),
    (57, "ENOTCONN"),
    (58, "ESHUTDOWN"),
    (59, "ETOOMANYREFS"),
    (60, "ETIMEDOUT"),
    (61, "ECONNREFUSED"),
    (62, "ELOOP"),
    (63, "ENAMETOOLONG"),
    (64, "EHOSTDOWN"),
    (65, "EHOSTUNREACH"),
    (66, "ENOTEMPTY"),
    (68, "EUSERS"),
    (69, "EDQUOT"),
    (70, "ESTALE"),
    (71, "EREMOTE"),
    (77, "ENOLCK"),
    (78, "ENOSYS"),
];

/// What programs write before such a number: Python, Rust, C, .NET.
const WORDS: [&str; 7] = ["winerror", "wsa", "os", "socket", "errno", "error", "code"];

/// The number or name of another system in a text, such as `10054`, `WSAECONNRESET`, `[WinError 10054]` or `61`.
///
/// ```
/// use netplay::lesson::{Foreign, foreign};
/// assert_eq!(foreign("[WinError 10054]"), Some(Foreign::Windows(10054)));
/// assert_eq!(foreign("errno 61"), Some(Foreign::Bsd(61)));
/// assert_eq!(foreign("98"), None); // the same error everywhere that it has a name
/// ```
#[must_use]
pub fn foreign(text: &str) -> Option<Foreign> {
    let bare = text.to_lowercase().replace(['[', ']', '(', ')', ':', '=', '-', '_'], " ");
    let mut words: Vec<&str> = bare.split_whitespace().collect();
    while let [first, _, ..] = words[..]
        && WORDS.contains(&first)
    {
        words.remove(0);
    }
    let is_named = |name: &str| name.to_lowercase().replace('_', " ") == words.join(" ");
    if let Some((number, _)) = WINDOWS.iter().find(|(_, name)| is_named(name)) {
        return Some(Foreign::Windows(*number));
    }
    let [word] = words[..] else { return None };
    let number: u16 = word.parse().ok()?;
    let has = |table: &[(u16, &str)]| table.iter().any(|(known, _)| *known == number);
    if has(WINDOWS) {
        Some(Foreign::Windows(number))
    } else {
        has(BSD).then_some(Foreign::Bsd(number))
    }
}

/// What the lessons say of an error of Linux.
type About<'a> = &'a dyn Fn(Errno) -> &'static str;

/// What it is there, and its name here: a page in Markdown, with what the lessons say of it.
pub(super) fn page(foreign: Foreign, lang: Lang, about: About<'_>) -> String {
    match foreign {
        Foreign::Windows(number) => of_windows(number, lang, about),
        Foreign::Bsd(number) => of_bsd(number, lang, about),
    }
}

fn of_windows(number: u16, lang: Lang, about: About<'_>) -> String {
    let name = WINDOWS.iter().find(|(known, _)| *known == number).map_or("", |(_, name)| *name);
    let title = say!(
        lang,
        "# {name} ({number}): an error of Windows Sockets",
        "# {name} ({number})：Windows Sockets 的错误"
    );
    let text = match name.strip_prefix("WSA").and_then(errno_named) {
        Some(errno) => {
            let here = here(errno, lang);
            let note = note(number, lang).map_or(String::new(), |note| format!("\n\n{note}"));
            say!(lang, "On Linux it is {here}.{note}", "在 Linux 上是 {here}。{note}")
                + "\n\n"
                + &section(errno, about)
        }
        None => without_a_name(number, lang).to_owned() + "\n",
    };
    format!("{title}\n\n{text}")
}

/// Where Windows uses an error for something else than Linux does.
fn note(number: u16, lang: Lang) -> Option<&'static str> {
    let (en, zh) = match number {
        10035 => (
            "A non-blocking `connect` on Windows also fails with WSAEWOULDBLOCK; on Linux it fails with EINPROGRESS.",
            "Windows 上非阻塞的 `connect` 也以 WSAEWOULDBLOCK 失败；Linux 上是 EINPROGRESS。",
        ),
        10038 => (
            "On Windows a socket is not a file descriptor, so a descriptor of a file is an error here as well.",
            "Windows 上的套接字不是文件描述符，所以传入文件的描述符也是这个错误。",
        ),
        10054 => (
            "On Windows `recvfrom` on a UDP socket also fails with it, after an earlier datagram was answered with an ICMP error; Linux reports that as ECONNREFUSED, and only on a connected socket.",
            "Windows 上，如果之前发出的数据报招来了 ICMP 错误，UDP 套接字的 `recvfrom` 也以它失败；Linux 把这种情况报告为 ECONNREFUSED，而且只在已连接的套接字上。",
        ),
        _ => return None,
    };
    Some(lang.pick(en, zh))
}

/// An error that Linux has no number for.
fn without_a_name(number: u16, lang: Lang) -> &'static str {
    let (en, zh) = match number {
        10067 => (
            "Too many programs use Windows Sockets. Linux has no such limit.",
            "使用 Windows Sockets 的程序太多。Linux 没有这样的上限。",
        ),
        10091..=10093 => (
            "A program must call `WSAStartup` before its first socket call. Linux needs no such call.",
            "程序在第一次调用套接字函数之前必须调用 `WSAStartup`。Linux 不需要这样的调用。",
        ),
        10101 => (
            "The peer has ended the connection in good order. On Linux `recv` returns 0.",
            "对端正常结束了连接。在 Linux 上，`recv` 返回 0。",
        ),
        11001 => (
            "The name of the host has no address. On Linux `getaddrinfo` returns EAI_NONAME, which is not an errno.",
            "主机名没有对应的地址。在 Linux 上，`getaddrinfo` 返回 EAI_NONAME，它不是 errno。",
        ),
        11002 => (
            "The name server did not answer; try again later. On Linux `getaddrinfo` returns EAI_AGAIN, which is not an errno.",
            "域名服务器没有应答；稍后再试。在 Linux 上，`getaddrinfo` 返回 EAI_AGAIN，它不是 errno。",
        ),
        11003 => (
            "The name server failed. On Linux `getaddrinfo` returns EAI_FAIL, which is not an errno.",
            "域名服务器出错。在 Linux 上，`getaddrinfo` 返回 EAI_FAIL，它不是 errno。",
        ),
        11004 => (
            "The name of the host exists, but has no address of the kind asked for. On Linux `getaddrinfo` returns EAI_NODATA or EAI_NONAME, which are not errnos.",
            "主机名存在，但没有所要的那种地址。在 Linux 上，`getaddrinfo` 返回 EAI_NODATA 或 EAI_NONAME，它们不是 errno。",
        ),
        _ => ("Linux has no such error.", "Linux 没有这个错误。"),
    };
    lang.pick(en, zh)
}

fn of_bsd(number: u16, lang: Lang, about: About<'_>) -> String {
    let name = BSD.iter().find(|(known, _)| *known == number).map_or("", |(_, name)| *name);
    let linux = Errno::from_raw(number.into());
    let there = errno_named(name).unwrap_or(Errno::UnknownErrno);
    let here_there = here(there, lang);
    let bsd = say!(
        lang,
        "- On macOS and the BSDs: {name}. On Linux that is {here_there}.",
        "- 在 macOS 和 BSD 上：{name}。在 Linux 上它是 {here_there}。"
    );
    if linux == Errno::UnknownErrno {
        let title = say!(
            lang,
            "# {number}: {name} on macOS and the BSDs",
            "# {number}：macOS 和 BSD 上的 {name}"
        );
        let none = say!(
            lang,
            "- On Linux: no error has the number {number}.",
            "- 在 Linux 上：没有错误使用编号 {number}。"
        );
        return format!("{title}\n\n{bsd}\n{none}\n\n{}", section(there, about));
    }
    let here_linux = here(linux, lang);
    let title = say!(
        lang,
        "# {number} is two errors: {linux:?} on Linux, {name} on macOS and the BSDs",
        "# {number} 是两个错误：Linux 上的 {linux:?}，macOS 和 BSD 上的 {name}"
    );
    let own = say!(lang, "- On Linux: {here_linux}.", "- 在 Linux 上：{here_linux}。");
    let own_text = section(linux, about);
    let there_text = section(there, about);
    format!("{title}\n\n{own}\n{bsd}\n\n## {linux:?}\n\n{own_text}\n## {there:?}\n\n{there_text}")
}

/// `ECONNRESET (104), Connection reset by peer`.
fn here(errno: Errno, lang: Lang) -> String {
    let (number, words) = (errno as i32, strerror(errno));
    say!(lang, "{errno:?} ({number}), {words}", "{errno:?} ({number})，{words}")
}

/// What the lessons say about it.
fn section(errno: Errno, about: About<'_>) -> String {
    about(errno).trim().to_owned() + "\n"
}

/// What an error of Linux is called elsewhere, if that is another number.
pub(super) fn elsewhere(errno: Errno, lang: Lang) -> Option<String> {
    let is_it = |(_, name): &&(u16, &str)| {
        errno_named(name.strip_prefix("WSA").unwrap_or(name)) == Some(errno)
    };
    let bsd = BSD.iter().find(is_it);
    let windows = WINDOWS.iter().find(is_it);
    let mut places = Vec::new();
    if let Some((number, _)) = bsd {
        places.push(say!(lang, "{number} on macOS and the BSDs", "在 macOS 和 BSD 上是 {number}"));
    }
    if let Some((number, name)) = windows {
        places.push(say!(
            lang,
            "{number} ({name}) on Windows",
            "在 Windows 上是 {number} ({name})"
        ));
    }
    let places = places.join(lang.pick(", ", "，"));
    (!places.is_empty()).then(|| say!(lang, "Elsewhere: {places}.", "在别的系统：{places}。"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page_of_foreign(foreign: Foreign, lang: Lang) -> String {
        page(foreign, lang, &|_| "about it")
    }

    #[test]
    fn numbers_from_elsewhere_are_known_as_programs_write_them() {
        for (text, meant) in [
            ("10048", Foreign::Windows(10048)),
            ("WSAECONNRESET", Foreign::Windows(10054)),
            ("wsaeconnreset", Foreign::Windows(10054)),
            ("WinError 10054", Foreign::Windows(10054)),
            ("[WinError 10061]", Foreign::Windows(10061)),
            ("os error 10060", Foreign::Windows(10060)),
            ("WSAHOST_NOT_FOUND", Foreign::Windows(11001)),
            ("48", Foreign::Bsd(48)),
            ("[Errno 54]", Foreign::Bsd(54)),
            ("60", Foreign::Bsd(60)),
            ("61", Foreign::Bsd(61)),
        ] {
            assert_eq!(foreign(text), Some(meant), "{text}");
        }
        for text in ["", "98", "ECONNRESET", "WinError", "10000", "61 62", "tcp"] {
            assert_eq!(foreign(text), None, "{text}");
        }
    }

    #[test]
    fn a_number_with_two_meanings_names_both() {
        for lang in Lang::ALL {
            let page = page_of_foreign(Foreign::Bsd(61), lang);
            for part in ["ENODATA (61)", "ECONNREFUSED (111)", "macOS", "Linux"] {
                assert!(page.contains(part), "{part}: {page}");
            }
            let page = page_of_foreign(Foreign::Windows(10054), lang);
            assert!(page.contains("WSAECONNRESET (10054)") && page.contains("ECONNRESET (104)"));
        }
        assert!(page_of_foreign(Foreign::Bsd(58), Lang::En).contains("no error has the number 58"));
    }

    #[test]
    fn every_number_has_a_page_and_most_a_name_here() {
        for (number, name) in WINDOWS {
            for lang in Lang::ALL {
                let page = page_of_foreign(Foreign::Windows(*number), lang);
                assert!(page.contains(name) && !page.contains("Unknown"), "{page}");
            }
            let has_a_name = name.strip_prefix("WSA").and_then(errno_named).is_some();
            let known = without_a_name(*number, Lang::En) != "Linux has no such error.";
            assert_ne!(has_a_name, known, "{name}");
        }
        for (number, name) in BSD {
            let there = errno_named(name).unwrap();
            assert_ne!(there as i32, i32::from(*number), "{name} has the same number here");
            let page = page_of_foreign(Foreign::Bsd(*number), Lang::Zh);
            assert!(page.contains(name), "{page}");
        }
    }

    #[test]
    fn an_error_of_linux_is_named_as_elsewhere() {
        assert_eq!(
            elsewhere(Errno::EADDRINUSE, Lang::En).unwrap(),
            "Elsewhere: 48 on macOS and the BSDs, 10048 (WSAEADDRINUSE) on Windows."
        );
        assert_eq!(elsewhere(Errno::ENODATA, Lang::En), None);
    }
}
