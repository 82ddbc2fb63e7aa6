//! Where a file is, as a URL says it: `ftp://[USER[:PASSWORD]@]HOST[:PORT]/PATH`.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use fluent_uri::{ParseError, ParseErrorKind, Uri};
use percent_encoding::{AsciiSet, percent_decode_str, percent_encode};

use super::remote::Server;
use crate::login::{AN_ADDRESS, ANONYMOUS, password_in, password_of};
use netplay_shared::address::Endpoint;

/// What a URL says. Names are bytes, as %XX tells them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// A name, or an address without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Who logs in.
    pub user: Option<String>,
    /// With which password.
    pub password: Option<String>,
    /// As the server is told: from the folder that one is in after the login.
    pub path: Vec<u8>,
}

/// Reads a URL of the command line.
pub fn url(text: OsString) -> Result<Location> {
    ensure!(!text.is_empty(), "it is empty");
    Location::read(&text)
}

/// Reads a file of the command line. The files come first, and the one URL last.
pub fn file(text: OsString) -> Result<PathBuf> {
    ensure!(!text.is_empty(), "it is empty");
    let is_url = text.as_encoded_bytes().starts_with(b"ftp://");
    ensure!(!is_url, "a FILE is a path here; the URL comes last, and there is one");
    Ok(text.into())
}

impl Location {
    /// Reads a URL.
    ///
    /// # Errors
    /// One sentence on what is wrong with it.
    pub fn read(text: &OsStr) -> Result<Location> {
        let shown = text.to_string_lossy();
        ensure!(!shown.contains('\\'), "\\ is written %5C");
        ensure!(!shown.contains(char::is_control), "a control character is written %XX");
        ensure!(shown.trim() == shown, "a space at an end is written %20");
        let usual = usual(text.as_encoded_bytes());
        let url = Uri::parse(usual.as_str()).map_err(|error| anyhow!(wrong(&usual, error)))?;
        ensure!(url.scheme().as_str().eq_ignore_ascii_case("ftp"), "only ftp:// is spoken here");
        ensure!(
            url.query().is_none() && url.fragment().is_none(),
            "in the name of a file, ? is written %3F, and # is written %23"
        );
        let authority = url.authority().context("a URL here is ftp://HOST/FILE")?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        ensure!(!host.is_empty(), "there is no host");
        let path = url.path().as_str().strip_prefix('/').unwrap_or_default();
        let path = match path.rsplit_once(";type=") {
            None => path,
            Some((path, "i" | "I")) => path,
            Some((_, other)) => bail!(";type={other} is not done here: files are bytes, ;type=i"),
        };
        let user = authority.userinfo().map_or("", |user| user.as_str());
        let (user, password) = match user.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (user, None),
        };
        Ok(Location {
            host: text_of(host)?,
            port: authority.port_to_u16().context("a port is at most 65535")?.unwrap_or(21),
            user: Some(user).filter(|user| !user.is_empty()).map(text_of).transpose()?,
            password: password.filter(|text| !text.is_empty()).map(text_of).transpose()?,
            path: bytes_of(path)?,
        })
    }

    /// Whether the files of both can go in one session.
    pub fn same_session(&self, other: &Location) -> bool {
        let Location { host, port, user, password, path: _ } = self;
        (host, port, user, password) == (&other.host, &other.port, &other.user, &other.password)
    }

    /// Connects and logs in.
    ///
    /// # Errors
    /// One of the two failed.
    pub fn open(&self, password_file: Option<&Path>, timeout: Option<Duration>) -> Result<Server> {
        let (user, password) = match (&self.user, &self.password) {
            (None, _) => (ANONYMOUS, AN_ADDRESS.to_owned()),
            (Some(user), Some(password)) => (user.as_str(), password.clone()),
            (Some(user), None) => {
                let given = password_file.map(password_in).transpose()?;
                (user.as_str(), password_of(user, given)?)
            }
        };
        let endpoint = Endpoint { host: Some(self.host.clone()), port: self.port, family: None };
        let mut server = Server::connect(&endpoint, timeout)?;
        match server.log_in(user.as_bytes(), password.as_bytes()) {
            Ok(()) => Ok(server),
            Err(error) => {
                server.close()?;
                Err(error)
            }
        }
    }
}

/// What no URL has as it stands (RFC 3986), beside what is beyond ASCII: here it is as good as %XX, because
/// that is how names come from a shell.
const UNUSUAL: &AsciiSet = &percent_encoding::CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'[')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A user may be an address of e-mail.
const UNUSUAL_IN_A_USER: &AsciiSet = &UNUSUAL.add(b'@');

/// The URL with all that is unusual as %XX, in its path, and in the user before the last @ of what stands
/// before the path.
fn usual(url: &[u8]) -> String {
    let front = url.windows(3).position(|three| three == b"://").map_or(0, |at| at + 3);
    let (scheme, rest) = url.split_at(front);
    let path = rest.iter().position(|&byte| byte == b'/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(path);
    let host = authority.iter().rposition(|&byte| byte == b'@').unwrap_or(0);
    let (user, host) = authority.split_at(host);
    let user = percent_encode(user, UNUSUAL_IN_A_USER).to_string();
    let [scheme, host] = [scheme, host].map(String::from_utf8_lossy);
    format!("{scheme}{user}{host}{}", percent_encode(path, UNUSUAL))
}

/// What is wrong with a URL that cannot be parsed, by the place where it is wrong.
fn wrong(url: &str, error: ParseError) -> &'static str {
    let Some(front) = url.find("://").map(|at| at + 3) else {
        return "a URL here is ftp://HOST/FILE";
    };
    let in_path = url[front..].find('/').is_some_and(|path| error.index() >= front + path);
    match error.kind() {
        ParseErrorKind::InvalidPctEncodedOctet if in_path => {
            "in the name of a file, % is written %25"
        }
        ParseErrorKind::InvalidPctEncodedOctet => "in a user or a password, % is written %25",
        ParseErrorKind::InvalidIpv6Addr => "[ and ] are around an IPv6 address, as in [::1]",
        ParseErrorKind::UnexpectedChar
            if !url[error.index()..].starts_with(|c: char| c.is_ascii()) =>
        {
            "a host beyond ASCII is written as DNS has it: xn--..."
        }
        ParseErrorKind::UnexpectedChar => {
            "HOST is a name or an address ([::1] is one of IPv6), PORT a number; in a password, / is \
             written %2F, ? %3F, # %23"
        }
    }
}

/// The bytes that %41 and the like stand for.
fn bytes_of(part: &str) -> Result<Vec<u8>> {
    let bytes: Vec<u8> = percent_decode_str(part).collect();
    ensure!(
        !bytes.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')),
        "over FTP a name has none of these control characters: %00, %0A, %0D"
    );
    Ok(bytes)
}

fn text_of(part: &str) -> Result<String> {
    String::from_utf8(bytes_of(part)?)
        .context("what %XX stands for in a user or a password is not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Location> {
        Location::read(OsStr::new(text))
    }

    #[test]
    fn a_url_says_who_where_and_what() {
        let place = |host: &str, port, user: Option<&str>, password: Option<&str>, path: &str| {
            let (user, password) = (user.map(Into::into), password.map(Into::into));
            Location { host: host.into(), port, user, password, path: path.into() }
        };
        for (url, told) in [
            ("ftp://h/a/b", place("h", 21, None, None, "a/b")),
            ("ftp://u:p@h:2121/a", place("h", 2121, Some("u"), Some("p"), "a")),
            ("ftp://u%40x:p%3A%2F@h/a", place("h", 21, Some("u@x"), Some("p:/"), "a")),
            ("ftp://u:@[::1]:5/a", place("::1", 5, Some("u"), None, "a")),
            ("ftp://h/a%20b%23%3F%25", place("h", 21, None, None, "a b#?%")),
            ("ftp://h/%2Fetc/x", place("h", 21, None, None, "/etc/x")),
            ("ftp://h/世界", place("h", 21, None, None, "世界")),
            ("FTP://h/a [1]", place("h", 21, None, None, "a [1]")),
            (
                "ftp://me@home.example:p|q@h/a",
                place("h", 21, Some("me@home.example"), Some("p|q"), "a"),
            ),
            ("ftp://h/a%01%1b", place("h", 21, None, None, "a\x01\x1b")),
            ("ftp://h/a;type=i", place("h", 21, None, None, "a")),
            ("ftp://h", place("h", 21, None, None, "")),
        ] {
            assert_eq!(read(url).unwrap(), told, "{url}");
        }
    }

    #[test]
    fn a_name_in_a_url_is_bytes() {
        use std::os::unix::ffi::OsStrExt;
        assert_eq!(read("ftp://h/%c4%e3").unwrap().path, b"\xc4\xe3");
        let raw = OsStr::from_bytes(b"ftp://h/\xc4\xe3/\xe4\xb8\x96");
        assert_eq!(Location::read(raw).unwrap().path, b"\xc4\xe3/\xe4\xb8\x96");
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for (url, why) in [
            ("h/a", "ftp://HOST/FILE"),
            ("ftp:h/a", "ftp://HOST/FILE"),
            ("ftp://h/100%", "name of a file, % is written %25"),
            ("http://h/a", "only ftp"),
            ("ftp:///", "no host"),
            ("ftp://h:99999/a", "65535"),
            ("ftp://h:21x/a", "PORT a number"),
            ("ftp://bücher.example/a", "xn--"),
            ("ftp://a b/c", "HOST is a name"),
            ("ftp://::1/a", "[::1]"),
            ("ftp://[::1/a", "[::1]"),
            ("ftp://[127.0.0.1]/a", "[::1]"),
            ("ftp://u:p/w@h/a", "%2F"),
            ("ftp://u:p#w@h/a", "%23"),
            ("ftp://u:p%@h/a", "password, % is written %25"),
            ("ftp://h/a\tb", "control character is written"),
            ("ftp://h/a%00b", "control"),
            ("ftp://h/a%0d%0aDELE%20b", "control"),
            ("ftp://u%0a@h/a", "control"),
            ("ftp://h/a\nb", "written"),
            ("ftp://h/a\\b", "written"),
            ("ftp://h/a?b", "%3F"),
            ("ftp://h/a#b", "%23"),
            ("ftp://%ff@h/", "UTF-8"),
            ("ftp://h/a ", "%20"),
            ("ftp://h/a;type=a", "type=a"),
        ] {
            let told = format!("{:#}", read(url).unwrap_err());
            assert!(told.contains(why), "{url}: {told}");
        }
    }
}
