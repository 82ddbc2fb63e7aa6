//! Addresses as people type them: a host, a port, perhaps a family.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::str::FromStr;

use netplay_text::lang::Lang;
use netplay_text::say;

/// Which version of IP an address must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4: `-4`.
    V4,
    /// IPv6: `-6`.
    V6,
}

/// What is wrong with an address, or with the name of one. It is told in the language of the process ([`Lang::current`]).
#[derive(Debug)]
#[non_exhaustive]
pub enum AddressError {
    /// The host is an empty text.
    EmptyHost,
    /// The host is a URL.
    Url,
    /// There is a user in front of the host.
    User,
    /// It is not `HOST:PORT`.
    NoPort,
    /// What stands in the place of the port is no number from 0 to 65535.
    BadPort(String, std::num::ParseIntError),
    /// The resolver knows no address of this host (getaddrinfo(3)).
    NoAddress(String, io::Error),
    /// The host has no address in the family asked for.
    OtherFamily(String, Family),
    /// The path of a socket is longer than [`LONGEST_PATH`].
    LongPath,
}

/// What an address is, or a sentence.
pub type Result<T, E = AddressError> = std::result::Result<T, E>;

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lang = Lang::current();
        f.write_str(&match self {
            AddressError::EmptyHost => say!(
                lang,
                "the host is empty: use 0.0.0.0 or :: for every interface",
                "主机为空：0.0.0.0 或 :: 表示所有接口",
            ),
            AddressError::Url => say!(
                lang,
                "a host is a name or an address, not a URL",
                "主机应是名字或地址，而不是 URL",
            ),
            AddressError::User => {
                say!(lang, "no user belongs in front of a host", "主机前面不能有用户名")
            }
            AddressError::NoPort => say!(lang, "it must be HOST:PORT", "应写成 HOST:PORT"),
            AddressError::BadPort(port, _) => {
                say!(lang, "{port:?} is not a port", "{port:?} 不是端口")
            }
            AddressError::NoAddress(host, _) => {
                say!(lang, "the host {host:?} has no address", "主机 {host:?} 没有地址")
            }
            AddressError::OtherFamily(host, family) => {
                let family = match family {
                    Family::V4 => "IPv4",
                    Family::V6 => "IPv6",
                };
                match host.parse::<IpAddr>() {
                    Ok(_) => {
                        say!(lang, "{host} is not an {family} address", "{host} 不是 {family} 地址")
                    }
                    Err(_) => {
                        say!(lang, "{host} has no {family} address", "{host} 没有 {family} 地址")
                    }
                }
            }
            AddressError::LongPath => say!(
                lang,
                "the path of a socket has at most {LONGEST_PATH} bytes, and this one has more",
                "套接字的路径最多 {LONGEST_PATH} 字节，这个更长",
            ),
        })
    }
}

impl std::error::Error for AddressError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            AddressError::BadPort(_, error) => Some(error),
            AddressError::NoAddress(_, error) => Some(error),
            _ => None,
        }
    }
}

/// Where a server listens or a client goes, as typed.
#[derive(Debug, Clone, Default)]
pub struct Endpoint {
    /// A name or an IP literal; the loopback address of the family when left out.
    pub host: Option<String>,
    /// The port; 0 asks a server's kernel for any free one.
    pub port: u16,
    /// The family, if one is asked for.
    pub family: Option<Family>,
}

impl Endpoint {
    /// The first address that the host has in the family asked for.
    ///
    /// # Errors
    /// As [`resolve_all`](Endpoint::resolve_all).
    pub fn resolve(&self) -> Result<SocketAddr> {
        Ok(self.resolve_all()?[0])
    }

    /// All addresses that the host has in the family asked for, one at least, in the order in which the
    /// resolver would have them tried (RFC 6724).
    ///
    /// A literal is only read. A name goes to the C library's resolver, which makes system calls of
    /// its own; they are not part of the program on the page, and are not recorded.
    ///
    /// # Errors
    /// The host is empty, the resolver does not know it, or it has no address of that family.
    pub fn resolve_all(&self) -> Result<Vec<SocketAddr>> {
        let Some(host) = &self.host else {
            let loopback = match self.family {
                Some(Family::V6) => IpAddr::from(Ipv6Addr::LOCALHOST),
                _ => IpAddr::from(Ipv4Addr::LOCALHOST),
            };
            return Ok(vec![SocketAddr::new(loopback, self.port)]);
        };
        if host.is_empty() {
            return Err(AddressError::EmptyHost);
        }
        let bare = bare(host);
        let mut found: Vec<SocketAddr> = match bare.parse::<IpAddr>() {
            Ok(literal) => vec![SocketAddr::new(literal, self.port)],
            Err(_) => (bare, self.port)
                .to_socket_addrs()
                .map_err(|error| AddressError::NoAddress(bare.to_owned(), error))?
                .collect(),
        };
        found.retain(|address| match self.family {
            None => true,
            Some(Family::V4) => address.is_ipv4(),
            Some(Family::V6) => address.is_ipv6(),
        });
        if found.is_empty() {
            let family = self.family.unwrap_or(Family::V4);
            return Err(AddressError::OtherFamily(bare.to_owned(), family));
        }
        Ok(found)
    }

    /// Tries one address of the host after the other, and returns what the first one brings that does not fail.
    ///
    /// # Errors
    /// That of the last address; as [`resolve_all`](Endpoint::resolve_all).
    pub fn first_of_all<T, E: From<AddressError>>(
        &self,
        mut attempt: impl FnMut(SocketAddr) -> Result<T, E>,
    ) -> Result<T, E> {
        let addresses = self.resolve_all()?;
        let (last, others) = addresses.split_last().expect("a host has one address at least");
        let early = others.iter().find_map(|&address| attempt(address).ok());
        early.map_or_else(|| attempt(*last), Ok)
    }
}

/// `HOST:PORT`.
impl FromStr for Endpoint {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Endpoint> {
        let (host, port) = text.rsplit_once(':').ok_or(AddressError::NoPort)?;
        if host.is_empty() {
            return Err(AddressError::NoPort);
        }
        let port = port.parse().map_err(|error| AddressError::BadPort(port.to_owned(), error))?;
        Ok(Endpoint { host: Some(host.to_owned()), port, family: None })
    }
}

/// The host that is named, which is a name or an address and nothing more.
///
/// # Errors
/// It is empty, a URL, or has a user in front.
pub fn host(text: &str) -> Result<String> {
    match text {
        "" => Err(AddressError::EmptyHost),
        url if url.contains("://") => Err(AddressError::Url),
        user if user.contains('@') => Err(AddressError::User),
        host => Ok(host.to_owned()),
    }
}

/// A host without the brackets of an IPv6 literal.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// How many bytes of a path fit into `sockaddr_un`, beside the zero byte at its end (unix(7)).
pub const LONGEST_PATH: usize = 107;

/// The path of a socket.
///
/// # Errors
/// It is longer than a socket's path may be.
pub fn socket_path(path: PathBuf) -> Result<PathBuf> {
    if path.as_os_str().len() > LONGEST_PATH {
        return Err(AddressError::LongPath);
    }
    Ok(path)
}

/// The path of a socket when none is named: in the folder that the user has for such things, or one of his own.
#[must_use]
pub fn usual_path() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(directory) => PathBuf::from(directory).join("netplay.sock"),
        None => std::env::temp_dir().join(format!("netplay-{}.sock", nix::unistd::getuid())),
    }
}

/// How a client on this machine names the address of a server: loopback, if the server is at every address; and a link-local
/// address with its interface, without which it means nothing.
#[must_use]
pub fn seen_from_here(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => Ipv4Addr::LOCALHOST.to_string(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => Ipv6Addr::LOCALHOST.to_string(),
        SocketAddr::V6(v6) if v6.scope_id() != 0 => {
            let name = nix::net::if_::if_indextoname(v6.scope_id()).ok();
            let name = name.and_then(|name| name.into_string().ok());
            format!("{}%{}", v6.ip(), name.unwrap_or_else(|| v6.scope_id().to_string()))
        }
        address => address.ip().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(host: &str, family: Option<Family>) -> Result<SocketAddr> {
        Endpoint { host: Some(host.into()), port: 80, family }.resolve()
    }

    #[test]
    fn literals_need_no_resolver() {
        assert_eq!(resolve("127.0.0.2", None).unwrap().to_string(), "127.0.0.2:80");
        assert_eq!(resolve("::1", None).unwrap().to_string(), "[::1]:80");
        assert_eq!(resolve("[::1]", Some(Family::V6)).unwrap().to_string(), "[::1]:80");
    }

    #[test]
    fn the_default_is_loopback() {
        let here = |family| Endpoint { family, ..Endpoint::default() }.resolve().unwrap().ip();
        assert!(here(None).is_loopback() && here(None).is_ipv4());
        assert!(here(Some(Family::V6)).is_loopback() && here(Some(Family::V6)).is_ipv6());
    }

    #[test]
    fn what_cannot_be_is_said_in_a_sentence() {
        assert_eq!(
            resolve("::1", Some(Family::V4)).unwrap_err().to_string(),
            "::1 is not an IPv4 address"
        );
        assert!(matches!(resolve("", None), Err(AddressError::EmptyHost)));
    }
}
