//! A server of ours with a folder of its own, and a client that says what it is told to.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::common::{DEADLINE, Server, connect, names_in, netplay, strace_may_trace};
use netplay::child::WITH_PARENT;
use tempfile::TempDir;

/// A server with a folder of its own. User `u`, password `p`.
pub struct Site {
    pub server: Server,
    pub root: TempDir,
}

impl Site {
    pub fn new(options: &[&str]) -> Site {
        Site::telling(&[&["-q"], options].concat())
    }

    /// One that tells its story on standard error.
    pub fn telling(options: &[&str]) -> Site {
        Site::run_by(netplay(), options)
    }

    /// One under strace, which does as it is told and writes to standard error what it sees. `None`,
    /// and loudly: there is no strace here.
    pub fn under_strace(told: &[&str]) -> Option<Site> {
        if !strace_may_trace() {
            return None;
        }
        let mut strace = Command::new("strace");
        strace.arg("-f").args(told).arg(env!("CARGO_BIN_EXE_netplay")).env(WITH_PARENT, "1");
        Some(Site::run_by(strace, &["-q"]))
    }

    pub fn run_by(program: Command, options: &[&str]) -> Site {
        let root = tempfile::tempdir().unwrap();
        let server = Server::of("ftp").run_by(program).aloud();
        let server = server.args(["--user", "u", "--password", "p", "--root"]).arg(root.path());
        let server = server.args(options).start();
        Site { server, root }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// Everything in the root, sorted: what an upload should not leave would show.
    pub fn names(&self) -> Vec<String> {
        names_in(self.root.path())
    }

    pub fn port(&self) -> u16 {
        self.server.address().port()
    }

    /// A client that has heard the greeting.
    pub fn guest(&self) -> Ftp {
        Ftp::new(self.server.address())
    }

    /// A client that is logged in, with TYPE I.
    pub fn client(&self) -> Ftp {
        self.guest().logged_in()
    }

    pub fn client_v6(&self) -> Ftp {
        Ftp::new(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), self.port())).logged_in()
    }

    pub fn descriptors(&self) -> usize {
        descriptors(&self.server)
    }
}

pub fn descriptors(server: &Server) -> usize {
    fs::read_dir(format!("/proc/{}/fd", server.child.id())).unwrap().count()
}

pub fn threads(server: &Server) -> usize {
    fs::read_dir(format!("/proc/{}/task", server.child.id())).unwrap().count()
}

/// How many bytes of memory it has had at most (VmHWM).
pub fn memory(server: &Server) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap() * 1024
}

pub struct Ftp {
    pub control: BufReader<TcpStream>,
}

impl Ftp {
    pub fn new(address: SocketAddr) -> Ftp {
        Ftp::over(connect(address))
    }

    /// Goes, as a program does that is ended. A mere close may come late: a child that another test forks
    /// just now holds a copy of each descriptor until it runs its program.
    pub fn leave(self) {
        let _ = self.control.get_ref().shutdown(std::net::Shutdown::Both);
    }

    pub fn over(stream: TcpStream) -> Ftp {
        let mut ftp = Ftp { control: BufReader::new(stream) };
        ftp.expect(220);
        ftp
    }

    pub fn logged_in(mut self) -> Ftp {
        self.ask("USER u", 331);
        self.ask("PASS p", 230);
        self.ask("TYPE I", 200);
        self
    }

    pub fn stream(&self) -> &TcpStream {
        self.control.get_ref()
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.control.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    /// The next reply, all of its lines.
    pub fn reply(&mut self) -> String {
        let mut text = String::new();
        loop {
            let start = text.len();
            assert!(self.control.read_line(&mut text).unwrap() > 0, "the end came after {text:?}");
            let (line, first) = (&text[start..], &text[..4]);
            if line.len() > 3 && line[..3] == first[..3] && &line[3..4] == " " {
                return text;
            }
            assert_eq!(&first[3..], "-", "{text:?}");
        }
    }

    #[track_caller]
    pub fn expect(&mut self, code: u16) -> String {
        let reply = self.reply();
        assert!(reply.starts_with(&code.to_string()), "{code} was expected, not {reply:?}");
        reply
    }

    #[track_caller]
    pub fn ask(&mut self, command: &str, code: u16) -> String {
        self.send(format!("{command}\r\n"));
        let reply = self.reply();
        assert!(reply.starts_with(&code.to_string()), "{command}: {code}, not {reply:?}");
        reply
    }

    /// As [`ask`](Ftp::ask), with a name that is not UTF-8; a reply of one line.
    #[track_caller]
    pub fn ask_bytes(&mut self, command: &[u8], code: u16) -> Vec<u8> {
        self.send([command, b"\r\n"].concat());
        let mut reply = Vec::new();
        self.control.read_until(b'\n', &mut reply).unwrap();
        let shown = String::from_utf8_lossy(&reply);
        assert!(reply.starts_with(code.to_string().as_bytes()), "{code} was expected, not {shown}");
        reply
    }

    /// What the data connection of this command brings.
    #[track_caller]
    pub fn fetch_bytes(&mut self, command: &[u8]) -> Vec<u8> {
        let mut data = connect(self.passive());
        self.ask_bytes(command, 150);
        let mut bytes = Vec::new();
        data.read_to_end(&mut bytes).unwrap();
        self.expect(226);
        bytes
    }

    /// Whatever the answer is.
    pub fn try_to(&mut self, command: &str) -> String {
        self.send(format!("{command}\r\n"));
        self.reply()
    }

    /// Ends the transfer that is going on; with Telnet's Synch (RFC 854): IAC IP, then IAC as urgent
    /// data, then DM; and the command.
    #[track_caller]
    pub fn abort(&mut self, synch: bool) {
        if synch {
            self.send(b"\xff\xf4");
            let flags = nix::sys::socket::MsgFlags::MSG_OOB;
            nix::sys::socket::send(self.stream().as_raw_fd(), b"\xff", flags).unwrap();
            self.send(b"\xf2");
        }
        self.ask("ABOR", 426);
        self.expect(226);
    }

    /// The end of the connection, and nothing before it.
    #[track_caller]
    pub fn ended(&mut self) {
        let mut rest = Vec::new();
        // A reset is an end, too.
        let _ = self.control.read_to_end(&mut rest);
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }

    /// The address that a passive data connection goes to.
    pub fn passive(&mut self) -> SocketAddr {
        let reply = self.ask("EPSV", 229);
        let port = reply.split("(|||").nth(1).unwrap().split('|').next().unwrap();
        let mut address = self.stream().peer_addr().unwrap();
        address.set_port(port.parse().unwrap());
        address
    }

    /// Opens a data connection and gives a command that uses it.
    #[track_caller]
    pub fn begin(&mut self, command: &str) -> TcpStream {
        let data = connect(self.passive());
        self.ask(command, 150);
        data
    }

    #[track_caller]
    pub fn fetch(&mut self, command: &str) -> Vec<u8> {
        let mut data = self.begin(command);
        let mut bytes = Vec::new();
        data.read_to_end(&mut bytes).unwrap();
        self.expect(226);
        bytes
    }

    #[track_caller]
    pub fn list(&mut self, command: &str) -> Vec<String> {
        let text = String::from_utf8(self.fetch(command)).unwrap();
        text.lines().map(String::from).collect()
    }

    #[track_caller]
    pub fn store(&mut self, command: &str, content: impl AsRef<[u8]>) {
        let mut data = self.begin(command);
        data.write_all(content.as_ref()).unwrap();
        drop(data);
        self.expect(226);
    }
}

/// Bytes in which no piece is like another.
pub fn content(len: usize) -> Vec<u8> {
    (0..len as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// More than the buffers of a connection hold.
pub const LARGE: usize = 32 << 20;

/// A connection from another address of this machine: as if from another host.
pub fn connect_from(ip: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((ip, 0)).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket.set_write_timeout(Some(DEADLINE)).unwrap();
    socket.into()
}

/// Closes with a reset.
pub fn reset(stream: TcpStream) {
    let stream = socket2::Socket::from(stream);
    stream.set_linger(Some(Duration::ZERO)).unwrap();
}
