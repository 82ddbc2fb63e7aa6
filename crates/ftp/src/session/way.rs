//! The verbs of the data connection: how it will be made, and a transfer over it.

use std::net::SocketAddr;

use nix::errno::Errno;

use super::Session;
use crate::data::{self, Cut, Eprt, Transfer, Way, six_numbers};
use netplay_call::{self as call, Result, TcpStream, strerror};
use netplay_text::lang::Lang;
use netplay_text::say;

impl Session<'_> {
    pub(super) fn no_way(&mut self) {
        if let Some(way) = self.way.take() {
            way.close();
        }
    }

    /// Listens at the address that the client has reached us at.
    pub(super) fn listen(&mut self) -> Result<Option<SocketAddr>> {
        self.no_way();
        let local = call::getsockname(self.control.stream)?;
        let listening = data::listen(local, self.rules.ports)
            .and_then(|listener| Ok((call::getsockname(&listener)?, listener)));
        match listening {
            Ok((address, listener)) => {
                self.way = Some(Way::Passive(listener));
                Ok(Some(address))
            }
            Err(error) => {
                let client = self.client;
                let told = say!(
                    Lang::current(),
                    "client {client}: no port for its data connection: {error}",
                    "客户端 {client}：没有端口可用于数据连接：{error}",
                );
                tracing::warn!("{told}");
                match error.errno() {
                    Errno::EADDRINUSE => self.reply(425, "There is no free port now.")?,
                    errno => self.reply(425, format!("There is no port: {}.", strerror(errno)))?,
                }
                Ok(None)
            }
        }
    }

    pub(super) fn pasv(&mut self) -> Result<()> {
        if self.epsv_only {
            return self.reply(501, "You said EPSV ALL.");
        }
        if self.client.is_ipv6() {
            return self.reply(501, "Six numbers hold no IPv6 address: say EPSV.");
        }
        if let Some(SocketAddr::V4(address)) = self.listen()? {
            let six = six_numbers(address);
            let told = say!(
                Lang::current(),
                "{address} as six numbers, one for each byte in network byte order: {six}",
                "{address} 写成六个数，每个字节一个，按网络字节序：{six}",
            );
            tracing::info!("{told}");
            // RFC 959 gives an example, and many a client looks for just these words.
            self.reply(227, format!("Entering Passive Mode ({six})."))?;
        }
        Ok(())
    }

    pub(super) fn epsv(&mut self, argument: &str) -> Result<()> {
        let (family, mine) = match argument.trim() {
            "" => (self.family(), self.family()),
            all if all.eq_ignore_ascii_case("ALL") => {
                self.epsv_only = true;
                return self.reply(200, "From now on EPSV only.");
            }
            number if number.parse::<u8>().is_ok() => (number, self.family()),
            _ => return self.reply(501, "EPSV takes 1, 2 or ALL."),
        };
        if family != mine {
            return self
                .reply(522, format!("This connection is of the other family, use ({mine})"));
        }
        if let Some(address) = self.listen()? {
            self.reply(229, format!("Entering Extended Passive Mode (|||{}|)", address.port()))?;
        }
        Ok(())
    }

    /// 1 for IPv4, 2 for IPv6 (RFC 2428).
    pub(super) fn family(&self) -> &'static str {
        if self.client.is_ipv4() { "1" } else { "2" }
    }

    pub(super) fn port(&mut self, argument: &str) -> Result<()> {
        if self.client.is_ipv6() {
            return self.reply(501, "Six numbers hold no IPv6 address: say EPRT.");
        }
        match data::read_six_numbers(argument) {
            Some(address) => self.active(address.into()),
            None => self.reply(501, "PORT takes six numbers below 256."),
        }
    }

    pub(super) fn eprt(&mut self, argument: &str) -> Result<()> {
        let mine = self.family();
        match data::read_eprt(argument) {
            Ok(address) if address.is_ipv4() == self.client.is_ipv4() => self.active(address),
            Ok(_) | Err(Eprt::Family) => {
                self.reply(522, format!("This connection is of the other family, use ({mine})"))
            }
            Err(Eprt::Malformed) => self.reply(501, "EPRT takes |family|address|port|."),
        }
    }

    /// To the client itself, and to no port that a service may have: a client that could name any address
    /// could have this server speak to others for him (RFC 2577).
    pub(super) fn active(&mut self, address: SocketAddr) -> Result<()> {
        if self.epsv_only {
            return self.reply(501, "You said EPSV ALL.");
        }
        // "Any address" (lftp says so over IPv6) can only mean its own.
        let own = address.ip() == self.client.ip() || address.ip().is_unspecified();
        if !own {
            return self.reply(504, "Only to your own address.");
        }
        if address.port() < 1024 {
            return self.reply(504, "Only to a port from 1024 on: those below are of services.");
        }
        self.no_way();
        let mut way = self.client; // a link-local address keeps the interface that it is on
        way.set_port(address.port());
        self.way = Some(Way::Active(way));
        self.reply(200, "The next transfer goes there.")
    }

    /// Outside a transfer there is nothing to abort but the wait for one.
    pub(super) fn abor(&mut self) -> Result<()> {
        self.no_way();
        self.offset = 0;
        self.reply(226, "There is no transfer.")
    }

    /// A transfer: `150`, the data connection, the bytes, `226`. Returns how many bytes moved.
    pub(super) fn transfer(
        &mut self,
        about: impl AsRef<[u8]>,
        work: impl FnOnce(&mut Transfer<'_, '_>, &TcpStream) -> std::result::Result<(), Cut>,
    ) -> Result<u64> {
        let Some(way) = self.way.take() else {
            self.reply(425, "Say PASV or PORT first.")?;
            return Ok(0);
        };
        if let Err(error) = self.reply(150, about) {
            way.close();
            return Err(error);
        }
        let (client, stall) = (self.client, self.rules.stall);
        let control = &mut self.control;
        let mut transfer = Transfer { control, client, stall, moved: 0 };
        let data = match transfer.open(way, self.rules.data_wait) {
            Ok(data) => data,
            Err(Cut::Stalled) => {
                self.reply(425, "The data connection did not come in time.")?;
                return Ok(0);
            }
            Err(Cut::Network(error)) => {
                let why = strerror(error.errno());
                self.reply(425, format!("There is no data connection: {why}."))?;
                return Ok(0);
            }
            Err(cut) => {
                self.cut(cut)?;
                return Ok(0);
            }
        };
        let worked = work(&mut transfer, &data);
        let bytes = transfer.moved;
        let _ = data::close(data, worked.is_ok()); // recorded; the session outlives it
        match worked {
            Ok(()) => self.reply(226, "It is done.")?,
            Err(cut) => self.cut(cut)?,
        }
        Ok(bytes)
    }

    pub(super) fn cut(&mut self, cut: Cut) -> Result<()> {
        match cut {
            Cut::Abort => {
                self.reply(426, "The transfer was aborted.")?;
                self.reply(226, "As you wished.")
            }
            Cut::Gone => {
                self.over = true;
                Ok(())
            }
            Cut::Stalled => self.reply(426, "Nothing moved for too long."),
            Cut::Connect(errno) => {
                self.reply(425, format!("You cannot be connected to: {}.", strerror(errno)))
            }
            Cut::Network(error) => {
                let client = self.client;
                let told = say!(
                    Lang::current(),
                    "client {client}: its transfer was cut off: {error}",
                    "客户端 {client}：传输中断：{error}",
                );
                tracing::info!("{told}");
                self.reply(426, format!("The data connection failed: {}.", strerror(error.errno())))
            }
            Cut::Changed => {
                self.reply(450, "The file has become another one meanwhile: try again.")
            }
            Cut::Disk(errno) => self.refuse(errno),
        }
    }
}
