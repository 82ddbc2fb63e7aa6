//! Addresses as people type them: a host, a port, perhaps a family.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use anyhow::{Context, Error, Result, bail};

/// Which version of IP an address must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4: `-4`.
    V4,
    /// IPv6: `-6`.
    V6,
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
    /// One sentence: an empty host, a name nobody knows, or no address of that family.
    pub fn resolve_all(&self) -> Result<Vec<SocketAddr>> {
        let Some(host) = &self.host else {
            let loopback = match self.family {
                Some(Family::V6) => IpAddr::from(Ipv6Addr::LOCALHOST),
                _ => IpAddr::from(Ipv4Addr::LOCALHOST),
            };
            return Ok(vec![SocketAddr::new(loopback, self.port)]);
        };
        if host.is_empty() {
            bail!("the host is empty: say 0.0.0.0 or :: to mean every interface");
        }
        let bare = bare(host);
        let mut found: Vec<SocketAddr> = match bare.parse::<IpAddr>() {
            Ok(literal) => vec![SocketAddr::new(literal, self.port)],
            Err(_) => (bare, self.port)
                .to_socket_addrs()
                .with_context(|| format!("the host {bare:?} has no address"))?
                .collect(),
        };
        found.retain(|address| match self.family {
            None => true,
            Some(Family::V4) => address.is_ipv4(),
            Some(Family::V6) => address.is_ipv6(),
        });
        if found.is_empty() {
            let family = if self.family == Some(Family::V6) { "IPv6" } else { "IPv4" };
            bail!("{bare} is no {family} address");
        }
        Ok(found)
    }

    /// Tries one address of the host after the other, and returns what the first one brings that does not fail.
    ///
    /// # Errors
    /// That of the last address; as [`resolve_all`](Endpoint::resolve_all).
    pub fn first_of_all<T, E: Into<Error>>(
        &self,
        mut attempt: impl FnMut(SocketAddr) -> Result<T, E>,
    ) -> Result<T> {
        let addresses = self.resolve_all()?;
        let (last, others) = addresses.split_last().expect("a host has one address at least");
        let early = others.iter().find_map(|&address| attempt(address).ok());
        early.map_or_else(|| attempt(*last).map_err(Into::into), Ok)
    }
}

/// A host without the brackets of an IPv6 literal.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
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
            "::1 is no IPv4 address"
        );
        assert!(resolve("", None).unwrap_err().to_string().contains("empty"));
    }
}
