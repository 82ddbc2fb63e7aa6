//! Whether a bind would work now: it is tried, and the socket is closed at once.
//!
//! Nothing else can be trusted, because sock_diag does not tell which sockets have SO_REUSEADDR or SO_REUSEPORT,
//! and the kernel's rules for them differ from their descriptions.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use nix::errno::Errno;
use serde_json::{Value, json};

use super::words::name;
use crate::call::{self, Domain, Opt, SO_REUSEADDR, SO_REUSEPORT, Type};
use crate::lang::Lang;

/// What a bind of one address returns.
#[derive(Debug)]
pub(super) struct Trial {
    pub(super) address: SocketAddr,
    /// Without an option.
    pub(super) plain: Result<(), Errno>,
    /// With SO_REUSEADDR, as every server should have it.
    pub(super) reuseaddr: Result<(), Errno>,
    /// With SO_REUSEPORT.
    pub(super) reuseport: Result<(), Errno>,
}

impl Trial {
    /// A TCP socket only takes the port, for a moment: no client can connect to a socket that does not listen.
    ///
    /// With UDP this would do harm. A socket that shares a port (SO_REUSEADDR, SO_REUSEPORT) receives
    /// datagrams from the moment it is bound, and the server would lose them.
    pub(super) fn tcp(address: SocketAddr) -> Trial {
        Trial {
            address,
            plain: bind(address, None),
            reuseaddr: bind(address, Some(SO_REUSEADDR)),
            reuseport: bind(address, Some(SO_REUSEPORT)),
        }
    }

    /// The addresses that people bind: loopback and every interface, in both families.
    pub(super) fn usual(port: u16) -> Vec<Trial> {
        let usual: [IpAddr; 4] = [
            Ipv4Addr::LOCALHOST.into(),
            Ipv4Addr::UNSPECIFIED.into(),
            Ipv6Addr::LOCALHOST.into(),
            Ipv6Addr::UNSPECIFIED.into(),
        ];
        let tried = usual.into_iter().map(|ip| Trial::tcp(SocketAddr::new(ip, port)));
        // On a machine without IPv6 these two rows are left out.
        let absent = |errno| matches!(errno, Errno::EADDRNOTAVAIL | Errno::EAFNOSUPPORT);
        tried.filter(|trial| !trial.plain.is_err_and(absent)).collect()
    }

    /// The address, and what each way of binding it returns.
    pub(super) fn cells(&self, lang: Lang) -> Vec<String> {
        let results = [self.plain, self.reuseaddr, self.reuseport];
        let results =
            results.map(|result| result.map_or_else(name, |()| lang.pick("works", "可以").into()));
        [self.address.to_string()].into_iter().chain(results).collect()
    }

    pub(super) fn facts(&self) -> Value {
        let result = |result: Result<(), Errno>| result.err().map(name);
        json!({
            "address": self.address.to_string(),
            "plain": result(self.plain),
            "reuseaddr": result(self.reuseaddr),
            "reuseport": result(self.reuseport),
        })
    }
}

fn bind(address: SocketAddr, option: Option<Opt>) -> Result<(), Errno> {
    let tried = || {
        let socket = call::socket(Domain::for_address(address), Type::STREAM, 0)?;
        if let Some(option) = option {
            call::setsockopt(&socket, option, 1)?;
        }
        call::bind(&socket, address)
    };
    tried().map_err(|error: call::CallError| error.errno())
}

/// A port near this one that a server can have.
pub(super) fn free_port(near: u16) -> Option<u16> {
    let free = |port: &u16| bind((Ipv4Addr::LOCALHOST, *port).into(), Some(SO_REUSEADDR)).is_ok();
    (near.max(1023)..u16::MAX).skip(1).take(50).find(free)
}
