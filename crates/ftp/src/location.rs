//! Where a file is, as a URL says it: `ftp://[USER[:PASSWORD]@]HOST[:PORT]/PATH`.

use std::error::Error as StdError;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::num::ParseIntError;
use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;
use std::time::Duration;

use fluent_uri::{ParseError, ParseErrorKind, Uri};
use percent_encoding::{AsciiSet, percent_decode_str, percent_encode};

use super::error;
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

/// What is wrong with a URL, or with a file in front of one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LocationError {
    /// It is empty.
    Empty,
    /// There is a URL where a file was meant.
    NoFile,
    /// A backslash stands in it as it is.
    Backslash,
    /// A control character stands in it as it is.
    Control,
    /// A space stands at an end of it.
    Space,
    /// It is not a URL by RFC 3986. The error says how to write one.
    Written(&'static str),
    /// It has another scheme than `ftp`.
    Scheme,
    /// It has a query or a fragment.
    Query,
    /// No host stands in it.
    NoHost,
    /// It has this type, which is not that of bytes.
    Type(String),
    /// Its port is not a port number.
    Port(ParseIntError),
    /// A name in it has a control character that FTP cannot say.
    Unsayable,
    /// A user or a password in it is not UTF-8.
    NotText(FromUtf8Error),
}

impl fmt::Display for LocationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LocationError::Empty => "it is empty",
            LocationError::NoFile => "a FILE is a path here; the URL comes last, and there is one",
            LocationError::Backslash => "\\ is written %5C",
            LocationError::Control => "a control character is written %XX",
            LocationError::Space => "a space at an end is written %20",
            LocationError::Written(how) => how,
            LocationError::Scheme => "only ftp:// is spoken here",
            LocationError::Query => "in the name of a file, ? is written %3F, and # is written %23",
            LocationError::NoHost => "there is no host",
            LocationError::Type(other) => {
                return write!(f, ";type={other} is not done here: files are bytes, ;type=i");
            }
            LocationError::Port(_) => "a port is at most 65535",
            LocationError::Unsayable => {
                "over FTP a name has none of these control characters: %00, %0A, %0D"
            }
            LocationError::NotText(_) => "what %XX stands for in a user or a password is not UTF-8",
        })
    }
}

impl StdError for LocationError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            LocationError::Port(error) => Some(error),
            LocationError::NotText(error) => Some(error),
            _ => None,
        }
    }
}

/// What a URL says, or a sentence.
pub type Result<T, E = LocationError> = std::result::Result<T, E>;

/// The error, unless this is so.
fn unless(so: bool, error: LocationError) -> Result<()> {
    if so { Ok(()) } else { Err(error) }
}

/// Reads a URL of the command line.
pub fn url(text: OsString) -> Result<Location> {
    unless(!text.is_empty(), LocationError::Empty)?;
    Location::read(&text)
}

/// Reads a file of the command line. The files come first, and the one URL last.
pub fn file(text: OsString) -> Result<PathBuf> {
    unless(!text.is_empty(), LocationError::Empty)?;
    let is_url = text.as_encoded_bytes().starts_with(b"ftp://");
    unless(!is_url, LocationError::NoFile)?;
    Ok(text.into())
}

impl Location {
    /// Reads a URL.
    ///
    /// # Errors
    /// One sentence on what is wrong with it.
    pub fn read(text: &OsStr) -> Result<Location> {
        let shown = text.to_string_lossy();
        unless(!shown.contains('\\'), LocationError::Backslash)?;
        unless(!shown.contains(char::is_control), LocationError::Control)?;
        unless(shown.trim() == shown, LocationError::Space)?;
        let usual = usual(text.as_encoded_bytes());
        let url = Uri::parse(usual.as_str())
            .map_err(|error| LocationError::Written(wrong(&usual, error)))?;
        unless(url.scheme().as_str().eq_ignore_ascii_case("ftp"), LocationError::Scheme)?;
        unless(url.query().is_none() && url.fragment().is_none(), LocationError::Query)?;
        let authority = url.authority().ok_or(LocationError::Written(SHAPE))?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        unless(!host.is_empty(), LocationError::NoHost)?;
        let path = url.path().as_str().strip_prefix('/').unwrap_or_default();
        let path = match path.rsplit_once(";type=") {
            None => path,
            Some((path, "i" | "I")) => path,
            Some((_, other)) => return Err(LocationError::Type(other.to_owned())),
        };
        let user = authority.userinfo().map_or("", |user| user.as_str());
        let (user, password) = match user.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (user, None),
        };
        Ok(Location {
            host: text_of(host)?,
            port: authority.port_to_u16().map_err(LocationError::Port)?.unwrap_or(21),
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
    pub fn open(
        &self,
        password_file: Option<&Path>,
        timeout: Option<Duration>,
    ) -> error::Result<Server> {
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

const SHAPE: &str = "a URL here is ftp://HOST/FILE";

/// What is wrong with a URL that cannot be parsed, by the place where it is wrong.
fn wrong(url: &str, error: ParseError) -> &'static str {
    let Some(front) = url.find("://").map(|at| at + 3) else {
        return SHAPE;
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
    let unsayable = |byte: &u8| matches!(byte, 0 | b'\r' | b'\n');
    unless(!bytes.iter().any(unsayable), LocationError::Unsayable)?;
    Ok(bytes)
}

fn text_of(part: &str) -> Result<String> {
    String::from_utf8(bytes_of(part)?).map_err(LocationError::NotText)
}

#[cfg(test)]
mod tests {
    use netplay_text::words::with_causes;

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
            let told = with_causes(&read(url).unwrap_err());
            assert!(told.contains(why), "{url}: {told}");
        }
    }
}
