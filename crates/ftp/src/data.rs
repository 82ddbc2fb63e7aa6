//! The data connection: one for each transfer, made in one of two ways.
//!
//! ```text
//! active                                     passive
//! client: socket, bind, listen               client: PASV
//! client: PORT 127,0,0,1,156,64              server: socket, bind, listen
//! server: socket, connect ──▶ 40000          server: 227 … (127,0,0,1,156,64)
//! client: accept                             client: socket, connect ──▶ 40000
//!                                            server: accept
//! ```
//!
//! The six numbers are the bytes of an address and of a port as they lie in memory after `htonl` and
//! `htons`, written in decimal: 156 × 256 + 64 = 40000. EPRT and EPSV say the same in text that has
//! room for IPv6 (RFC 2428).
//!
//! Nothing marks the end of a file but the end of its connection. So a transfer that fails ends with
//! a reset, not with the FIN that would make half a file look whole.
//!
//! While bytes move, this thread also listens to the control connection: an ABOR must not wait. The data
//! connection is tried first; when it would wait (EAGAIN), both sockets are in one poll. A transfer that
//! never has to wait looks at the control connection every 8 MiB.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use libc::{POLLIN, POLLOUT};
use nix::errno::Errno;
use nix::fcntl::fcntl;
use nix::unistd::pipe2;

use super::listing::Listing;
use super::root::{self, Upload};
use super::telnet::Control;
use netplay_call::{
    self as call, CallError, Domain, FcntlArg, MSG_NOSIGNAL, OFlag, OptValue, SO_ERROR, SO_LINGER,
    SO_REUSEADDR, SOCK_NONBLOCK, SYNC_FILE_RANGE_WRITE, TCP_CONGESTION, TcpListener, TcpStream,
    Type, pollfd,
};
use netplay_shared::byte_order::{htonl, htons, ntohl, ntohs};
use netplay_text::lang::Lang;
use netplay_text::say;

/// How much is read, sent or received at once.
const PIECE: usize = 1024 * 1024;

/// How much may move before the client is heard again, and an upload goes on to the disk.
const OFTEN: u64 = 8 * 1024 * 1024;

/// How the next data connection will come to be.
#[derive(Debug)]
pub enum Way {
    /// The client connects to this socket.
    Passive(TcpListener),
    /// The server connects to this address.
    Active(SocketAddr),
}

impl Way {
    /// Closes the port: no client will connect to it any more.
    pub fn close(self) {
        if let Way::Passive(listener) = self {
            let _ = call::close(listener); // recorded; nothing can be done about it
        }
    }
}

/// Why a transfer did not come to its end.
#[derive(Debug)]
pub enum Cut {
    /// The client said ABOR.
    Abort,
    /// The control connection is gone, or the server stops: there is no one left to tell.
    Gone,
    /// No byte moved for too long, or no client connected.
    Stalled,
    /// The client could not be connected to.
    Connect(Errno),
    /// The data connection failed.
    Network(CallError),
    /// The file that was to be continued is another one by now.
    Changed,
    /// The file, or the disk, failed.
    Disk(Errno),
}

impl From<CallError> for Cut {
    fn from(error: CallError) -> Cut {
        Cut::Network(error)
    }
}

impl From<Errno> for Cut {
    fn from(errno: Errno) -> Cut {
        Cut::Disk(errno)
    }
}

impl From<std::io::Error> for Cut {
    fn from(error: std::io::Error) -> Cut {
        Cut::Disk(Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))
    }
}

/// The address as PORT and PASV say it: `127,0,0,1,156,64`.
///
/// ```
/// use netplay_ftp::data::{read_six_numbers, six_numbers};
/// let address = "127.0.0.1:40000".parse()?;
/// assert_eq!(six_numbers(address), "127,0,0,1,156,64");
/// assert_eq!(read_six_numbers("127,0,0,1,156,64"), Some(address));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[must_use]
pub fn six_numbers(address: SocketAddrV4) -> String {
    let [a, b, c, d] = htonl(address.ip().to_bits()).to_ne_bytes();
    let [high, low] = htons(address.port()).to_ne_bytes();
    format!("{a},{b},{c},{d},{high},{low}")
}

/// The way back; `None` if these are not six numbers that fit into a byte each.
#[must_use]
pub fn read_six_numbers(text: &str) -> Option<SocketAddrV4> {
    let numbers: Option<Vec<u8>> =
        text.split(',').map(|number| number.trim().parse().ok()).collect();
    let [a, b, c, d, high, low] = numbers?.try_into().ok()?;
    let ip = Ipv4Addr::from_bits(ntohl(u32::from_ne_bytes([a, b, c, d])));
    Some(SocketAddrV4::new(ip, ntohs(u16::from_ne_bytes([high, low]))))
}

/// What is wrong with an EPRT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eprt {
    /// It is not `|family|address|port|`.
    Malformed,
    /// It names an unknown family of addresses.
    Family,
}

/// The address of an EPRT, `|1|127.0.0.1|40000|` or `|2|::1|40000|`; any printable character may
/// stand in the place of `|`.
///
/// # Errors
/// It says nothing, or nothing known.
pub fn read_eprt(text: &str) -> Result<SocketAddr, Eprt> {
    let delimiter = text.chars().next().filter(char::is_ascii_graphic).ok_or(Eprt::Malformed)?;
    let parts: Vec<&str> = text[1..].split(delimiter).collect();
    let [family, address, port, ""] = parts[..] else { return Err(Eprt::Malformed) };
    let ip = match family {
        "1" => address.parse::<Ipv4Addr>().map(IpAddr::from),
        "2" => address.parse::<Ipv6Addr>().map(IpAddr::from),
        _ if family.bytes().all(|b| b.is_ascii_digit()) && !family.is_empty() => {
            return Err(Eprt::Family);
        }
        _ => return Err(Eprt::Malformed),
    };
    match (ip, port.parse()) {
        (Ok(ip), Ok(port)) => Ok(SocketAddr::new(ip, port)),
        _ => Err(Eprt::Malformed),
    }
}

/// The ports that no service has (RFC 6335): where passive data connections are, unless told otherwise.
const DYNAMIC: (u16, u16) = (49152, 65535);

/// Listens for one data connection, at the address that the client already knows.
///
/// The port is random: a program that can guess it could connect first. The kernel would choose one as well
/// (port 0), but none that is in TIME_WAIT, as the port of each transfer is for a minute: after some
/// thousand files every search for another would take a millisecond.
///
/// # Errors
/// No port of the range is free.
pub fn listen(local: SocketAddr, ports: Option<(u16, u16)>) -> call::Result<TcpListener> {
    let mut local = local;
    let (low, high) = ports.unwrap_or(DYNAMIC);
    let count = u64::from(high - low) + 1;
    let chance = root::random().ok().and_then(|text| u64::from_str_radix(&text, 16).ok());
    let first = chance.unwrap_or_default() % count;
    let mut tried = 0;
    loop {
        tried += 1;
        local.set_port(low + ((first + tried) % count) as u16);
        match listen_at(local) {
            Err(error) if error.errno() == Errno::EADDRINUSE && tried < count => {}
            answer => return answer,
        }
    }
}

fn listen_at(local: SocketAddr) -> call::Result<TcpListener> {
    let socket = call::socket(Domain::for_address(local), Type::STREAM, 0)?;
    // The port's last transfers may still be in TIME_WAIT: the server closed them.
    call::setsockopt(&socket, SO_REUSEADDR, 1)?;
    call::bind(&socket, local)?;
    let listener: TcpListener = call::listen(socket, 8)?;
    call::fcntl(&listener, FcntlArg::F_SETFL(OFlag::O_RDWR | OFlag::O_NONBLOCK))?;
    Ok(listener)
}

/// A transfer: its two connections, and how far it has come.
pub struct Transfer<'c, 'a> {
    /// The control connection.
    pub control: &'c mut Control<'a>,
    /// The client at its other end.
    pub client: SocketAddr,
    /// How long nothing may move.
    pub stall: Duration,
    /// How many bytes have moved.
    pub moved: u64,
}

impl Transfer<'_, '_> {
    /// Makes the data connection, within this time.
    ///
    /// # Errors
    /// It did not come about.
    pub fn open(&mut self, way: Way, within: Duration) -> Result<TcpStream, Cut> {
        match way {
            Way::Passive(listener) => {
                let accepted = self.accept(&listener, Instant::now() + within);
                call::close(listener)?;
                accepted
            }
            Way::Active(address) => self.connect(address, Instant::now() + within),
        }
    }

    /// Accepts the client alone: a stranger that found the port would get the file.
    fn accept(&mut self, listener: &TcpListener, deadline: Instant) -> Result<TcpStream, Cut> {
        loop {
            self.wait(listener, POLLIN, deadline)?;
            match call::accept4(listener, SOCK_NONBLOCK) {
                Ok((data, peer)) if peer.ip() == self.client.ip() => return Ok(data),
                Ok((stranger, peer)) => {
                    let client = self.client.ip();
                    let told = say!(
                        Lang::current(),
                        "{peer} is not {client}: it gets no data connection",
                        "{peer} 不是 {client}：不给它数据连接",
                    );
                    tracing::warn!("{told}");
                    call::close(stranger)?;
                }
                Err(error) if error.would_block() || error.only_this_client() => {}
                // The client stays in the queue until a descriptor is free.
                Err(error) if error.out_of_descriptors() && Instant::now() < deadline => {
                    let short = Duration::from_millis(50);
                    self.control.wait(&mut [], short)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn connect(&mut self, address: SocketAddr, deadline: Instant) -> Result<TcpStream, Cut> {
        // From the address that the client knows, whichever others this machine has.
        let mut local = call::getsockname(self.control.stream)?;
        local.set_port(0);
        let socket = call::socket(Domain::for_address(address), Type::STREAM, 0)?;
        call::bind(&socket, local)?;
        call::fcntl(&socket, FcntlArg::F_SETFL(OFlag::O_RDWR | OFlag::O_NONBLOCK))?;
        let data: TcpStream = call::connect_begin(socket, address)?;
        let waited = self.wait(&data, POLLOUT, deadline).and_then(|()| {
            match call::getsockopt(&data, SO_ERROR)? {
                OptValue::Int(0) => Ok(()),
                OptValue::Int(errno) => Err(Cut::Connect(Errno::from_raw(errno))),
                _ => Err(Cut::Stalled),
            }
        });
        match waited {
            Ok(()) => Ok(data),
            Err(cut) => {
                call::close(data)?;
                Err(cut)
            }
        }
    }

    /// Waits until the socket is ready, and hears what the client says meanwhile.
    fn wait(&mut self, socket: &impl AsFd, events: i16, deadline: Instant) -> Result<(), Cut> {
        let fd = socket.as_fd().as_raw_fd();
        loop {
            // First: it may have come together with the command that began the transfer.
            self.hear()?;
            let left = deadline.checked_duration_since(Instant::now()).ok_or(Cut::Stalled)?;
            let mut list = [pollfd { fd, events, revents: 0 }, self.control.interest()];
            self.control.wait(&mut list, left)?;
            self.control.look(&list[1]).map_err(|_| Cut::Gone)?;
            if list[0].revents != 0 {
                return self.hear();
            }
        }
    }

    /// What the client has said that does not wait for the end of the transfer.
    fn hear(&mut self) -> Result<(), Cut> {
        if self.control.stopped() {
            return Err(Cut::Gone);
        }
        while let Some(line) = self.control.lines.out_of_turn() {
            if line.is("ABOR") {
                return Err(Cut::Abort);
            }
            let text = format!("213 Transfer in progress: {} bytes so far.", self.moved);
            self.control.reply(&[text.into_bytes()]).map_err(|_| Cut::Gone)?;
        }
        if self.control.ended && !self.control.lines.has("QUIT") {
            return Err(Cut::Gone);
        }
        Ok(())
    }

    /// Waits for the data connection, whose call would have waited itself.
    fn ready(&mut self, data: &TcpStream, events: i16) -> Result<(), Cut> {
        let deadline = Instant::now() + self.stall;
        self.wait(data, events, deadline)
    }

    /// Hears what the client says by now, and waits for nothing.
    fn hear_now(&mut self) -> Result<(), Cut> {
        let mut list = [self.control.interest()];
        self.control.wait(&mut list, Duration::ZERO)?;
        self.control.look(&list[0]).map_err(|_| Cut::Gone)?;
        self.hear()
    }

    /// Counts what has moved. Every 8 MiB it hears the client, who would go unheard where nothing ever
    /// has to wait, and returns true.
    fn count(&mut self, n: usize) -> Result<bool, Cut> {
        let before = self.moved;
        self.moved += n as u64;
        let due = before / OFTEN != self.moved / OFTEN;
        if due {
            self.hear_now()?;
        }
        Ok(due)
    }

    /// Sends the file from `offset` to its end, as it is; to `size` at least, which was announced.
    ///
    /// # Errors
    /// It was cut.
    pub fn send_file(
        &mut self,
        data: &TcpStream,
        file: &File,
        offset: u64,
        size: u64,
    ) -> Result<(), Cut> {
        if self.client.ip().is_loopback() {
            // Within one machine there is no network to measure: bbr, where it is the usual, would
            // spend half of the processor on it. Where there is no cubic, the usual will do.
            let _ = call::setsockopt(data, TCP_CONGESTION, "cubic");
        }
        let mut at = offset;
        loop {
            match call::sendfile(data, file, &mut at, PIECE) {
                // It became shorter meanwhile: what was sent must not look whole.
                Ok(0) if at < size => return Err(Cut::Disk(Errno::EIO)),
                Ok(0) => return Ok(()),
                Ok(n) => {
                    self.count(n)?;
                }
                Err(error) if error.would_block() => self.ready(data, POLLOUT)?,
                Err(error) if error.interrupted() => {}
                Err(error) if error.errno() == Errno::EIO => return Err(Cut::Disk(Errno::EIO)),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Sends the file as text: each line ends with CR LF on the wire. It has `size` bytes at least.
    ///
    /// # Errors
    /// It was cut.
    pub fn send_text(&mut self, data: &TcpStream, mut file: &File, size: u64) -> Result<(), Cut> {
        let (mut read, mut buf) = (vec![0; PIECE / 16], Vec::new());
        let mut at = 0;
        loop {
            let n = match file.read(&mut read) {
                Ok(n) => n,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            match n {
                // As in send_file.
                0 if at < size => return Err(Cut::Disk(Errno::EIO)),
                0 => return Ok(()),
                n => at += n as u64,
            }
            buf.clear();
            to_network(&read[..n], &mut buf);
            self.send(data, &buf)?;
        }
    }

    /// Sends a listing.
    ///
    /// # Errors
    /// It was cut.
    pub fn send_listing(&mut self, data: &TcpStream, listing: &mut Listing<'_>) -> Result<(), Cut> {
        let mut buf = Vec::new();
        loop {
            buf.clear();
            let more = listing.fill(&mut buf, PIECE / 16)?;
            self.send(data, &buf)?;
            if !more {
                return Ok(());
            }
        }
    }

    /// Sends all of it.
    ///
    /// # Errors
    /// It was cut.
    pub fn send(&mut self, data: &TcpStream, mut bytes: &[u8]) -> Result<(), Cut> {
        while !bytes.is_empty() {
            match call::send(data, bytes, MSG_NOSIGNAL) {
                Ok(n) => {
                    self.count(n)?;
                    bytes = &bytes[n..];
                }
                Err(error) if error.would_block() => self.ready(data, POLLOUT)?,
                Err(error) if error.interrupted() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Receives a file to its end, as it is: from the socket into a pipe, from the pipe into the file,
    /// without a copy in this program (splice needs a pipe at one of its ends).
    ///
    /// # Errors
    /// It was cut, or the disk took no more.
    pub fn receive_file(&mut self, data: &TcpStream, into: &Upload) -> Result<(), Cut> {
        let (outlet, inlet) = pipe2(OFlag::O_CLOEXEC)?;
        // A pipe has 64 KiB at first; where that is all it may have, it does.
        let _ = fcntl(&inlet, FcntlArg::F_SETPIPE_SZ(PIECE as i32));
        loop {
            let mut piped = match call::splice(data, &inlet, PIECE) {
                // An ABOR that came before this end says that it is not the file's.
                Ok(0) => return self.hear_now(),
                Ok(n) => n,
                Err(error) if error.would_block() => {
                    self.ready(data, POLLIN)?;
                    continue;
                }
                Err(error) if error.interrupted() => continue,
                Err(error) => return Err(error.into()),
            };
            let due = self.count(piped)?;
            while piped > 0 {
                match call::splice(&outlet, into, piped) {
                    Ok(0) => return Err(Cut::Disk(Errno::EIO)),
                    Ok(n) => piped -= n,
                    Err(error) if error.interrupted() => {}
                    Err(error) => return Err(Cut::Disk(error.errno())),
                }
            }
            if due {
                // The disk begins now, or all of the file would wait for the fsync at its end, which
                // is also the one that says what went wrong.
                let _ = call::sync_file_range(into, 0, 0, SYNC_FILE_RANGE_WRITE);
            }
        }
    }

    /// Receives a text to its end: lines that end with CR LF on the wire, and with LF here.
    ///
    /// # Errors
    /// It was cut, or the disk took no more.
    pub fn receive_text(&mut self, data: &TcpStream, into: &mut Upload) -> Result<(), Cut> {
        let (mut buf, mut lines) = (vec![0; PIECE / 16], FromNetwork::default());
        loop {
            match call::recv(data, &mut buf, 0) {
                Ok(0) => {
                    self.hear_now()?; // as above
                    return Ok(into.write_all(lines.rest())?);
                }
                Ok(n) => {
                    self.count(n)?;
                    into.write_all(lines.take(&buf[..n]))?;
                }
                Err(error) if error.would_block() => self.ready(data, POLLIN)?,
                Err(error) if error.interrupted() => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Ends a data connection: with FIN when everything went through it, otherwise with a reset.
///
/// # Errors
/// None that changes anything.
pub fn close(data: TcpStream, whole: bool) -> call::Result<()> {
    if !whole {
        call::setsockopt(&data, SO_LINGER, Some(Duration::ZERO))?;
    }
    call::close(data)
}

/// TYPE A: a line ends with LF here, with CR LF on the wire.
fn to_network(text: &[u8], wire: &mut Vec<u8>) {
    for &byte in text {
        if byte == b'\n' {
            wire.push(b'\r');
        }
        wire.push(byte);
    }
}

/// TYPE A: the way back. A carriage return may come at the end of one piece, its LF with the next.
#[derive(Debug, Default)]
struct FromNetwork {
    text: Vec<u8>,
    after_return: bool,
}

impl FromNetwork {
    fn take(&mut self, wire: &[u8]) -> &[u8] {
        self.text.clear();
        for &byte in wire {
            if std::mem::take(&mut self.after_return) && byte != b'\n' {
                self.text.push(b'\r');
            }
            match byte {
                b'\r' => self.after_return = true,
                byte => self.text.push(byte),
            }
        }
        &self.text
    }

    /// What was kept back for the next piece, and there is none.
    fn rest(&mut self) -> &[u8] {
        if std::mem::take(&mut self.after_return) { b"\r" } else { b"" }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn six_numbers_mean_the_address_they_were_made_of(ip: [u8; 4], port: u16) {
            let address = SocketAddrV4::new(ip.into(), port);
            prop_assert_eq!(read_six_numbers(&six_numbers(address)), Some(address));
        }

        #[test]
        fn eprt_takes_any_delimiter(ip: u128, port: u16, delimiter in "[!-~&&[^0-9a-f:]]") {
            let ip = Ipv6Addr::from_bits(ip);
            let d = delimiter;
            let told = read_eprt(&format!("{d}2{d}{ip}{d}{port}{d}"));
            // An address that ends like an IPv4 one has dots of its own.
            if d != "." {
                prop_assert_eq!(told, Ok(SocketAddr::new(ip.into(), port)));
            }
        }

        #[test]
        fn no_text_confuses_the_parsers(text in "\\PC{0,40}", numbers in "[0-9,|:.]{0,40}") {
            for text in [&text, &numbers] {
                let _ = read_eprt(text);
                if let Some(address) = read_six_numbers(text) {
                    prop_assert_eq!(text.split(',').count(), 6, "{:?} became {}", text, address);
                }
            }
        }

        #[test]
        fn text_survives_the_wire_in_any_pieces(text: Vec<u8>, cut in 1usize..9) {
            let mut wire = Vec::new();
            to_network(&text, &mut wire);
            let mut lines = FromNetwork::default();
            let mut back = Vec::new();
            for piece in wire.chunks(cut) {
                back.extend_from_slice(lines.take(piece));
            }
            back.extend_from_slice(lines.rest());
            prop_assert_eq!(back, text);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in
            ["", "1,2,3,4,5", "1,2,3,4,5,6,7", "1,2,3,4,5,256", "1,2,3,4,5,-1", "a,2,3,4,5,6"]
        {
            assert_eq!(read_six_numbers(text), None, "{text}");
        }
        for text in [
            "",
            "|",
            "|1|127.0.0.1|40000",
            "1|127.0.0.1|1|",
            "|1|::1|40000|",
            "|1|127.0.0.1|65536|",
            "|x|a|1|",
        ] {
            assert_eq!(read_eprt(text), Err(Eprt::Malformed), "{text}");
        }
        assert_eq!(read_eprt("|3|x|1|"), Err(Eprt::Family));
    }
}
