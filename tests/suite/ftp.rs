//! What the ftp pages claim: to real clients, to those who try to get out of the root, and when
//! things go wrong.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{
    self, DEADLINE, Nobody, Server, connect, finish, have, names_in, netplay, private_mounts, skip,
    until,
};
use netplay::child::WITH_PARENT;
use netplay::examples::ftp::data::{read_six_numbers, six_numbers};
use nix::sys::signal::Signal;
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

// ---- a server with a root, and a client that says what it is told to

/// A server with a folder of its own. User `u`, password `p`.
struct Site {
    server: Server,
    root: TempDir,
}

impl Site {
    fn new(options: &[&str]) -> Site {
        Site::telling(&[&["-q"], options].concat())
    }

    /// One that tells its story on standard error.
    fn telling(options: &[&str]) -> Site {
        Site::run_by(netplay(), options)
    }

    /// One under strace, which does as it is told and writes to standard error what it sees. `None`,
    /// and loudly: there is no strace here.
    fn under_strace(told: &[&str]) -> Option<Site> {
        let traced = || finish(Command::new("strace").args(["-o", "/dev/null", "true"]), b"");
        if !have("strace") || !traced().status.success() {
            skip("no strace that may trace");
            return None;
        }
        let mut strace = Command::new("strace");
        strace.arg("-f").args(told).arg(env!("CARGO_BIN_EXE_netplay")).env(WITH_PARENT, "1");
        Some(Site::run_by(strace, &["-q"]))
    }

    fn run_by(mut server: Command, options: &[&str]) -> Site {
        let root = tempfile::tempdir().unwrap();
        server.args([
            "ftp",
            "server",
            "127.0.0.1",
            "0",
            "--user",
            "u",
            "--password",
            "p",
            "--root",
        ]);
        let server = Server::from(server.arg(root.path()).args(options));
        Site { server, root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// Everything in the root, sorted: what an upload should not leave would show.
    fn names(&self) -> Vec<String> {
        names_in(self.root.path())
    }

    fn port(&self) -> u16 {
        self.server.address().port()
    }

    /// A client that has heard the greeting.
    fn guest(&self) -> Ftp {
        Ftp::new(self.server.address())
    }

    /// A client that is logged in, with TYPE I.
    fn client(&self) -> Ftp {
        self.guest().logged_in()
    }

    fn client_v6(&self) -> Ftp {
        Ftp::new(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), self.port())).logged_in()
    }

    fn descriptors(&self) -> usize {
        descriptors(&self.server)
    }
}

fn descriptors(server: &Server) -> usize {
    fs::read_dir(format!("/proc/{}/fd", server.child.id())).unwrap().count()
}

fn threads(server: &Server) -> usize {
    fs::read_dir(format!("/proc/{}/task", server.child.id())).unwrap().count()
}

/// How many bytes of memory it has had at most (VmHWM).
fn memory(server: &Server) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap() * 1024
}

struct Ftp {
    control: BufReader<TcpStream>,
}

impl Ftp {
    fn new(address: SocketAddr) -> Ftp {
        Ftp::over(connect(address))
    }

    /// Goes, as a program does that is ended. A mere close may come late: a child that another test forks
    /// just now holds a copy of each descriptor until it runs its program.
    fn leave(self) {
        let _ = self.control.get_ref().shutdown(std::net::Shutdown::Both);
    }

    fn over(stream: TcpStream) -> Ftp {
        let mut ftp = Ftp { control: BufReader::new(stream) };
        ftp.expect(220);
        ftp
    }

    fn logged_in(mut self) -> Ftp {
        self.ask("USER u", 331);
        self.ask("PASS p", 230);
        self.ask("TYPE I", 200);
        self
    }

    fn stream(&self) -> &TcpStream {
        self.control.get_ref()
    }

    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.control.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    /// The next reply, all of its lines.
    fn reply(&mut self) -> String {
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
    fn expect(&mut self, code: u16) -> String {
        let reply = self.reply();
        assert!(reply.starts_with(&code.to_string()), "{code} was expected, not {reply:?}");
        reply
    }

    #[track_caller]
    fn ask(&mut self, command: &str, code: u16) -> String {
        self.send(format!("{command}\r\n"));
        let reply = self.reply();
        assert!(reply.starts_with(&code.to_string()), "{command}: {code}, not {reply:?}");
        reply
    }

    /// As [`ask`](Ftp::ask), with a name that is not UTF-8; a reply of one line.
    #[track_caller]
    fn ask_bytes(&mut self, command: &[u8], code: u16) -> Vec<u8> {
        self.send([command, b"\r\n"].concat());
        let mut reply = Vec::new();
        self.control.read_until(b'\n', &mut reply).unwrap();
        let shown = String::from_utf8_lossy(&reply);
        assert!(reply.starts_with(code.to_string().as_bytes()), "{code} was expected, not {shown}");
        reply
    }

    /// What the data connection of this command brings.
    #[track_caller]
    fn fetch_bytes(&mut self, command: &[u8]) -> Vec<u8> {
        let mut data = connect(self.passive());
        self.ask_bytes(command, 150);
        let mut bytes = Vec::new();
        data.read_to_end(&mut bytes).unwrap();
        self.expect(226);
        bytes
    }

    /// Whatever the answer is.
    fn try_to(&mut self, command: &str) -> String {
        self.send(format!("{command}\r\n"));
        self.reply()
    }

    /// Ends the transfer that is going on; with Telnet's Synch (RFC 854): IAC IP, then IAC as urgent
    /// data, then DM; and the command.
    #[track_caller]
    fn abort(&mut self, synch: bool) {
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
    fn ended(&mut self) {
        let mut rest = Vec::new();
        // A reset is an end, too.
        let _ = self.control.read_to_end(&mut rest);
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }

    /// The address that a passive data connection goes to.
    fn passive(&mut self) -> SocketAddr {
        let reply = self.ask("EPSV", 229);
        let port = reply.split("(|||").nth(1).unwrap().split('|').next().unwrap();
        let mut address = self.stream().peer_addr().unwrap();
        address.set_port(port.parse().unwrap());
        address
    }

    /// Opens a data connection and gives a command that uses it.
    #[track_caller]
    fn begin(&mut self, command: &str) -> TcpStream {
        let data = connect(self.passive());
        self.ask(command, 150);
        data
    }

    #[track_caller]
    fn fetch(&mut self, command: &str) -> Vec<u8> {
        let mut data = self.begin(command);
        let mut bytes = Vec::new();
        data.read_to_end(&mut bytes).unwrap();
        self.expect(226);
        bytes
    }

    #[track_caller]
    fn list(&mut self, command: &str) -> Vec<String> {
        let text = String::from_utf8(self.fetch(command)).unwrap();
        text.lines().map(String::from).collect()
    }

    #[track_caller]
    fn store(&mut self, command: &str, content: impl AsRef<[u8]>) {
        let mut data = self.begin(command);
        data.write_all(content.as_ref()).unwrap();
        drop(data);
        self.expect(226);
    }
}

/// Bytes in which no piece is like another.
fn content(len: usize) -> Vec<u8> {
    (0..len as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// More than the buffers of a connection hold.
const LARGE: usize = 32 << 20;

/// A connection from another address of this machine: as if from another host.
fn connect_from(ip: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((ip, 0)).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket.set_write_timeout(Some(DEADLINE)).unwrap();
    socket.into()
}

/// Closes with a reset.
fn reset(stream: TcpStream) {
    let stream = socket2::Socket::from(stream);
    stream.set_linger(Some(Duration::ZERO)).unwrap();
}

// ---- the protocol

#[test]
fn both_families_and_both_ways_carry_files() {
    let site = Site::new(&[]);
    let bytes = content(300_000);
    site.write("a", &bytes);
    for mut ftp in [site.client(), site.client_v6()] {
        assert_eq!(ftp.fetch("RETR a"), bytes);
        let own = ftp.stream().local_addr().unwrap().ip();
        let listener = TcpListener::bind((own, 0)).unwrap();
        let here = listener.local_addr().unwrap();
        let family = if here.is_ipv4() { 1 } else { 2 };
        ftp.ask(&format!("EPRT !{family}!{}!{}!", here.ip(), here.port()), 200);
        ftp.ask("RETR a", 150);
        let mut got = Vec::new();
        listener.accept().unwrap().0.read_to_end(&mut got).unwrap();
        ftp.expect(226);
        assert_eq!(got, bytes);
    }
}

#[test]
fn pasv_and_port_say_an_address_in_six_numbers() {
    let site = Site::new(&[]);
    site.write("a", "hello");
    let mut ftp = site.client();
    let reply = ftp.ask("PASV", 227);
    let six = reply.split(['(', ')']).nth(1).unwrap();
    let address = read_six_numbers(six).unwrap();
    assert_eq!(*address.ip(), Ipv4Addr::LOCALHOST);
    let mut data = connect(address.into());
    ftp.ask("RETR a", 150);
    let mut text = String::new();
    data.read_to_string(&mut text).unwrap();
    ftp.expect(226);
    assert_eq!(text, "hello");

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let SocketAddr::V4(here) = listener.local_addr().unwrap() else { unreachable!() };
    ftp.ask(&format!("PORT {}", six_numbers(here)), 200);
    ftp.ask("NLST", 150);
    let mut names = String::new();
    listener.accept().unwrap().0.read_to_string(&mut names).unwrap();
    ftp.expect(226);
    assert_eq!(names, "a\r\n");
}

#[test]
fn ipv6_keeps_to_its_family() {
    let site = Site::new(&[]);
    let mut ftp = site.client_v6();
    ftp.ask("PASV", 501);
    ftp.ask("PORT 127,0,0,1,156,64", 501);
    assert!(ftp.ask("EPSV 1", 522).contains("(2)"));
    assert!(ftp.ask("EPRT |1|127.0.0.1|40000|", 522).contains("(2)"));
    ftp.ask("EPSV 2", 229);
    let mut ftp = site.client();
    assert!(ftp.ask("EPSV 2", 522).contains("(1)"));
    assert!(ftp.ask("EPRT |2|::1|40000|", 522).contains("(1)"));
    ftp.ask("EPRT |3|x|40000|", 522);
    ftp.ask("EPRT |1|127.0.0.1|", 501);
    ftp.ask("EPSV 1", 229);
}

#[test]
fn epsv_all_ends_the_other_ways() {
    let site = Site::new(&[]);
    let mut ftp = site.client();
    ftp.ask("EPSV ALL", 200);
    ftp.ask("PASV", 501);
    ftp.ask("PORT 127,0,0,1,156,64", 501);
    ftp.ask("EPRT |1|127.0.0.1|40000|", 501);
    assert_eq!(ftp.fetch("NLST"), b"");
}

#[test]
fn names_and_folders_can_be_changed() {
    let site = Site::new(&[]);
    let mut ftp = site.client();
    assert!(ftp.ask("MKD a", 257).contains("\"/a\""));
    assert!(ftp.ask("XMKD /a/b \"c\"", 257).contains("\"/a/b \"\"c\"\"\""));
    ftp.ask("MKD a", 550);
    ftp.ask("CWD a/b \"c\"", 250);
    assert!(ftp.ask("PWD", 257).contains("\"/a/b \"\"c\"\"\""));
    ftp.store("STOR one", "1");
    ftp.ask("RNFR one", 350);
    ftp.ask("RNTO ../two", 250);
    ftp.ask("RNTO three", 503);
    ftp.ask("RNFR two", 550);
    ftp.ask("CDUP", 250);
    assert_eq!(site.read("a/two"), b"1");
    ftp.ask("RMD /a", 550);
    ftp.ask("DELE two", 250);
    ftp.ask("XRMD b \"c\"", 250);
    ftp.ask("XCUP", 250);
    ftp.ask("RMD a", 250);
    assert!(site.names().is_empty());
    ftp.ask("RMD /", 550);
    ftp.ask("DELE /", 550);
}

#[test]
fn a_rename_is_two_commands_right_behind_each_other() {
    let site = Site::new(&[]);
    site.write("a", "");
    let mut ftp = site.client();
    ftp.ask("RNFR a", 350);
    ftp.ask("NOOP", 200);
    ftp.ask("RNTO b", 503);
    assert_eq!(site.names(), ["a"]);
}

#[test]
fn text_is_converted_both_ways() {
    let site = Site::new(&[]);
    site.write("a", "one\ntwo\r\n");
    let mut ftp = site.client();
    ftp.ask("SIZE a", 213);
    ftp.ask("TYPE A N", 200);
    assert_eq!(ftp.fetch("RETR a"), b"one\r\ntwo\r\r\n");
    ftp.store("STOR b", "one\r\ntwo\r\r\nlone \r and last\r");
    assert_eq!(site.read("b"), b"one\ntwo\r\nlone \r and last\r");
    // A size that would not be what RETR brings is not told, nor counted from.
    ftp.ask("SIZE a", 550);
    ftp.ask("REST 1", 504);
    ftp.ask("TYPE L 8", 200);
    assert_eq!(ftp.ask("SIZE a", 213), "213 9\r\n");
}

#[test]
fn only_what_is_done_is_promised() {
    let site = Site::new(&[]);
    let mut ftp = site.client();
    for (command, code) in [
        ("TYPE E", 504),
        ("TYPE A T", 504),
        ("TYPE L 7", 504),
        ("TYPE X", 501),
        ("MODE S", 200),
        ("MODE B", 504),
        ("MODE C", 504),
        ("MODE x", 501),
        ("STRU F", 200),
        ("STRU R", 504),
        ("STRU P", 504),
        ("ALLO 5", 202),
        ("ACCT x", 202),
        ("SMNT x", 502),
        ("AUTH TLS", 502),
        ("PROT P", 503),
        ("PBSZ 0", 503),
        ("CCC", 533),
        ("SITE HELP", 214),
        ("SITE EXEC ls", 504),
        ("SYST", 215),
        ("HELP", 214),
        ("NOOP", 200),
        ("OPTS UTF8 ON", 200),
        ("OPTS X", 501),
        ("FOO", 500),
        ("", 500),
        ("RETR", 501),
        ("QUIT now", 501),
        ("RETR a", 550),
    ] {
        ftp.ask(command, code);
    }
    let features = ftp.ask("FEAT", 211);
    for feature in features.lines().filter_map(|line| line.strip_prefix(' ')) {
        let verb = feature.split(' ').next().unwrap();
        if !["TVFS", "UTF8"].contains(&verb) {
            let answer = ftp.try_to(&format!("{verb} 0"));
            assert!(!answer.starts_with("500") && !answer.starts_with("502"), "{verb}: {answer}");
        }
    }
    ftp.ask("REIN", 220);
    ftp.ask("PWD", 530);
    ftp.ask("QUIT", 221);
    ftp.ended();
}

#[test]
fn facts_can_be_chosen() {
    let site = Site::new(&[]);
    site.write("a", "12345");
    fs::create_dir(site.path("d")).unwrap();
    let mut ftp = site.client();
    ftp.ask("MFMT 20200102030405 a", 213);
    assert_eq!(ftp.ask("MDTM a", 213), "213 20200102030405\r\n");
    assert!(ftp.ask("MLST a", 250).contains(" type=file;size=5;modify=20200102030405;perm=adfrw;"));
    assert!(ftp.ask("OPTS MLST size;type;nonsense;", 200).contains("MLST OPTS type;size;"));
    assert!(ftp.ask("FEAT", 211).contains("MLST type*;size*;modify;perm;"));
    let mut lines = ftp.list("MLSD");
    lines.sort();
    assert_eq!(lines, ["type=dir; d", "type=file;size=5; a"]);
    ftp.ask("MLSD a", 501);
    assert!(ftp.ask("OPTS MLST", 200).contains("MLST OPTS \r\n"));
    assert!(ftp.ask("MLST d", 250).contains("\r\n  /d\r\n"));
    ftp.ask("MFMT 2020 a", 501);
}

/// The kernel puts the nearest time that the disk can hold in the place of one that it cannot.
#[test]
fn mfmt_answers_the_time_that_is_there() {
    let site = Site::new(&[]);
    site.write("a", "");
    let mut ftp = site.client();
    for (time, told) in [
        ("20200102030405", "20200102030405"),
        ("20200102030405.678", "20200102030405"),
        ("20161231235960", "20161231235959"), // a leap second
        ("20380119031408", "20380119031408"),
        ("00010101000000", "00010101000000"),
        ("99991231235959", "99991231235959"),
    ] {
        let before = ftp.ask("MDTM a", 213);
        let answer = ftp.try_to(&format!("MFMT {time} a"));
        let there = ftp.ask("MDTM a", 213);
        if answer.starts_with("550 The disk cannot hold that time") {
            assert_eq!(there, before, "{time}: what is refused changes nothing");
            assert!(time.starts_with("0001") || time.starts_with("9999"), "{time}");
        } else {
            assert_eq!(answer, format!("213 Modify={told}; /a\r\n"));
            assert_eq!(there, format!("213 {told}\r\n"));
        }
    }
}

#[test]
fn options_before_a_path_are_no_path() {
    let site = Site::new(&[]);
    fs::create_dir(site.path("d")).unwrap();
    site.write("d/x y", "1");
    let mut ftp = site.client();
    assert!(ftp.list("LIST -la d")[0].ends_with(" x y"));
    assert!(ftp.list("LIST -l -a")[0].ends_with(" d"));
    assert_eq!(ftp.list("NLST d"), ["d/x y"]);
    assert_eq!(ftp.list("NLST d/x y"), ["d/x y"]);
    ftp.ask("CWD d", 250);
    assert_eq!(ftp.list("NLST"), ["x y"]);
    let told = ftp.ask("STAT x y", 213);
    assert!(told.contains("1 ftp      ftp ") && told.contains(" x y\r\n"), "{told}");
}

#[test]
fn a_pattern_lists_the_names_that_are_like_it() {
    let site = Site::new(&[]);
    fs::create_dir(site.path("d")).unwrap();
    for name in ["d/a.txt", "d/b.txt", "d/c.md", "d/.d.txt", "b*d", "bad"] {
        site.write(name, "");
    }
    let mut ftp = site.client();
    let mut names = ftp.list("NLST d/*.txt");
    names.sort();
    assert_eq!(names, ["d/a.txt", "d/b.txt"]);
    assert!(ftp.list("LIST -l d/c.??")[0].ends_with(" c.md"));
    assert_eq!(ftp.list("NLST b*d"), ["b*d"]); // there is a file of this very name
    assert!(ftp.list("NLST *.none").is_empty());
    ftp.ask("NLST nowhere/*", 550);
    ftp.ask("NLST d/../../../*/..", 425); // a folder, and nothing was said of a data connection
}

/// strace makes the second getdents64 of each thread fail: in the middle of a listing.
#[test]
fn a_listing_that_the_disk_cuts_does_not_look_whole() {
    let failing = ["-e", "trace=getdents64", "-e", "inject=getdents64:error=EIO:when=2"];
    let Some(site) = Site::under_strace(&failing) else { return };
    for n in 0..2000 {
        site.write(&format!("more than the kernel tells of at once {n}"), "");
    }
    for verb in ["LIST", "NLST", "MLSD", "NLST *"] {
        let mut ftp = site.client();
        let mut data = ftp.begin(verb);
        assert!(data.read_to_end(&mut Vec::new()).is_err(), "{verb}: a reset ends it");
        ftp.expect(451);
        assert_eq!(ftp.list(verb).len(), 2000, "the next one is whole");
    }
    site.client().ask("STAT /", 451);
}

#[test]
fn a_transfer_goes_on_where_it_is_told_to() {
    let site = Site::new(&[]);
    site.write("a", "0123456789");
    let mut ftp = site.client();
    ftp.ask("REST 4", 350);
    assert_eq!(ftp.fetch("RETR a"), b"456789"); // the offset outlives EPSV
    assert_eq!(ftp.fetch("RETR a"), b"0123456789"); // and is used once
    ftp.ask("REST 4", 350);
    ftp.ask("RETR nothing", 550);
    assert_eq!(ftp.fetch("RETR a"), b"0123456789"); // it was for that command
    ftp.ask("REST 4", 350);
    ftp.ask("TYPE A", 200);
    assert_eq!(ftp.fetch("RETR a"), b"0123456789");
    ftp.ask("TYPE I", 200);
    ftp.ask("REST 10", 350);
    assert_eq!(ftp.fetch("RETR a"), b"");
    ftp.ask("REST 11", 350);
    ftp.ask("RETR a", 554);
    ftp.ask("REST 3", 350);
    ftp.store("STOR a", "abc");
    assert_eq!(site.read("a"), b"012abc");
    ftp.store("APPE a", "def");
    ftp.store("APPE new", "1");
    assert_eq!((site.read("a"), site.read("new")), (b"012abcdef".to_vec(), b"1".to_vec()));
    ftp.ask("REST 100", 350);
    ftp.ask("STOR a", 554);
    ftp.ask("REST x", 501);
    ftp.ask("REST -1", 501);
    ftp.ask("REST 99999999999999999999999", 501);
}

#[test]
fn offsets_go_beyond_4_gib() {
    let site = Site::new(&[]);
    let file = fs::File::create(site.path("sparse")).unwrap();
    file.set_len((5 << 30) - 3).unwrap();
    drop(file);
    fs::OpenOptions::new()
        .append(true)
        .open(site.path("sparse"))
        .unwrap()
        .write_all(b"end")
        .unwrap();
    let mut ftp = site.client();
    assert_eq!(ftp.ask("SIZE sparse", 213), format!("213 {}\r\n", 5u64 << 30));
    ftp.ask(&format!("REST {}", (5u64 << 30) - 3), 350);
    assert_eq!(ftp.fetch("RETR sparse"), b"end");
}

#[test]
fn stou_tells_the_name_it_chose() {
    let site = Site::new(&[]);
    let mut ftp = site.client();
    let mut data = connect(ftp.passive());
    let name = ftp.ask("STOU", 150).trim_end().strip_prefix("150 FILE: ").unwrap().to_owned();
    data.write_all(b"unique").unwrap();
    drop(data);
    ftp.expect(226);
    assert_eq!(site.read(&name), b"unique");
}

// ---- the control connection

#[test]
fn commands_may_come_in_any_case_in_pieces_and_many_at_once() {
    let site = Site::new(&[]);
    let mut ftp = site.guest();
    ftp.send("user u\npAsS p\r\nPW");
    ftp.expect(331);
    ftp.expect(230);
    ftp.send("D\r\nNOOP\r\nCDUP\n");
    ftp.expect(257);
    ftp.expect(200);
    ftp.expect(250);
    ftp.send(b"\xff\xfb\x01NO\xff\xf1OP\r\n");
    ftp.expect(200);
}

#[test]
fn whatever_is_said_is_answered() {
    let site = Site::new(&["--data-wait", "0.01"]);
    site.write("a", "hello");
    let verbs = [
        "ACCT", "NOOP", "SYST", "FEAT", "OPTS", "HELP", "SITE", "STAT", "PWD", "CWD", "CDUP",
        "TYPE", "MODE", "STRU", "ALLO", "REST", "PASV", "EPSV", "PORT", "EPRT", "ABOR", "LIST",
        "NLST", "MLSD", "MLST", "SIZE", "MDTM", "RETR", "STOR", "APPE", "STOU", "RNFR", "RNTO",
        "MKD", "MFMT", "AUTH",
    ];
    let arguments = [
        "",
        " ",
        " a",
        " .",
        " ..",
        " /",
        " -la",
        " I",
        " A N",
        " 1",
        " -1",
        " 4294967296",
        " ALL",
        " MLST ;",
        " UTF8",
        " 127,0,0,1,200,200",
        " 1,2,3,4,5,6",
        " |1|127.0.0.1|2|",
        " ||||",
        " 20200101000000 a",
        " a/b/../../..//c",
        " \"",
        " %n%s",
        " ☃",
        " 2020 ☃",
    ];
    let mut ftp = site.client();
    let mut chance = 1u64; // the same every time
    for _ in 0..1500 {
        chance =
            chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let verb = verbs[(chance >> 33) as usize % verbs.len()];
        let argument = arguments[(chance >> 45) as usize % arguments.len()];
        let reply = ftp.try_to(&format!("{verb}{argument}"));
        let second = match &reply[..3] {
            "150" => ftp.reply(),
            _ => reply.clone(),
        };
        assert!(reply.as_bytes()[0].is_ascii_digit(), "{verb}{argument}: {reply:?}");
        assert!(["2", "3", "4", "5"].contains(&&second[..1]), "{verb}{argument}: {second:?}");
    }
    ftp.ask("QUIT", 221);
    assert_eq!(site.read("a"), b"hello");
}

#[test]
fn it_can_keep_to_one_family() {
    let root = tempfile::tempdir().unwrap();
    let start = |args: &[&str]| {
        let mut command = netplay();
        command.args(["ftp", "server", "-q", "--anonymous"]).args(args).current_dir(&root);
        Server::from(&mut command)
    };
    let other = |server: &Server, ip: IpAddr| TcpStream::connect((ip, server.address().port()));
    let v4 = start(&["127.0.0.1", "0", "-4"]);
    assert!(other(&v4, Ipv6Addr::LOCALHOST.into()).is_err());
    let v6 = start(&["::1", "0"]);
    assert!(other(&v6, Ipv4Addr::LOCALHOST.into()).is_err());
    let every = start(&["0.0.0.0", "0"]);
    for ip in loopbacks() {
        Ftp::new(SocketAddr::new(ip, every.address().port()));
    }
}

/// Port 0 means one that is free in both families.
#[test]
fn the_port_is_the_same_in_both_families() {
    // Every port that the kernel may choose next is taken in one family: some of them, at least.
    let taken: Vec<TcpListener> =
        (0..2000).map_while(|_| TcpListener::bind("[::1]:0").ok()).collect();
    assert!(taken.len() > 100);
    for _ in 0..20 {
        let site = Site::new(&[]);
        site.client_v6().ask("QUIT", 221);
    }
}

#[test]
fn a_long_line_is_one_command_and_refused() {
    let site = Site::new(&[]);
    let mut ftp = site.guest();
    for _ in 0..64 {
        ftp.send([b'x'; 64 * 1024]);
    }
    ftp.send("\r\nNOOP\r\n");
    ftp.expect(500);
    ftp.expect(200);
}

#[test]
fn nothing_that_a_client_says_comes_back_raw() {
    let site = Site::telling(&["-v"]);
    let mut ftp = site.client();
    let nasty = b"\x1b[2J\x07\x08\0\x7f\xc2\x9b\xff\xff\x80";
    for verb in [
        "USERX", "CWD", "MKD", "RETR", "STOR", "SIZE", "OPTS", "SITE", "TYPE", "PORT", "EPRT",
        "REST", "MLST", "HELP", "\x1b",
    ] {
        let mut line = [verb.as_bytes(), b" ", nasty].concat();
        line.extend(b"\r\n");
        ftp.send(line);
        let reply = ftp.reply();
        let text = reply.replace("\r\n", "");
        assert!(!text.chars().any(char::is_control), "{verb}: {reply:?}");
        assert!(reply.starts_with('5') || reply.starts_with('2'), "{verb}: {reply:?}");
    }
    assert!(site.names().is_empty());
    ftp.ask("QUIT", 221);
    ftp.ended();
    let told = site.server.stop().stderr;
    assert!(told.contains("MLST"), "{told}");
    assert!(!told.replace('\n', "").chars().any(char::is_control), "{told:?}");
}

// ---- nobody where they do not belong

#[test]
fn nothing_opens_before_the_login() {
    let site = Site::new(&[]);
    let mut ftp = site.guest();
    for command in [
        "PASV",
        "EPSV",
        "PORT 127,0,0,1,156,64",
        "EPRT |1|127.0.0.1|40000|",
        "LIST",
        "NLST",
        "MLSD",
        "MLST",
        "RETR a",
        "STOR a",
        "APPE a",
        "STOU",
        "SIZE a",
        "MDTM a",
        "MFMT 20200101000000 a",
        "DELE a",
        "MKD a",
        "RMD a",
        "RNFR a",
        "RNTO a",
        "CWD a",
        "PWD",
        "STAT",
        "SITE HELP",
        "REST 1",
    ] {
        ftp.ask(command, 530);
    }
    ftp.ask("PASS p", 503);
}

#[test]
fn an_unknown_user_and_a_wrong_password_are_answered_alike_and_slowly() {
    let site = Site::new(&[]);
    let mut ftp = site.guest();
    let start = Instant::now();
    let known = (ftp.ask("USER u", 331), ftp.ask("PASS wrong", 530));
    let unknown = (ftp.ask("USER nobody", 331), ftp.ask("PASS p", 530));
    assert_eq!(known, unknown);
    assert!(start.elapsed() >= Duration::from_secs(1 + 2), "{:?}", start.elapsed());
    ftp.ask("USER anonymous", 331);
    ftp.ask("PASS guest@", 421);
    ftp.ended();
}

/// Says a wrong password, and does not wait for the answer.
fn guess(ftp: &mut Ftp) {
    ftp.ask("USER u", 331);
    ftp.send("PASS wrong\r\n");
}

#[test]
fn passwords_beside_a_guesser_are_compared_one_after_the_other() {
    let site = Site::telling(&[]);
    let guest = || Ftp::over(connect(site.server.address()));
    let mut guesser = guest();
    guess(&mut guesser);
    until("it was wrong", || site.server.stderr().contains("wrong name or password"));
    let mut guests: Vec<Ftp> = (0..50).map(|_| guest()).collect();
    guests.iter_mut().for_each(|ftp| drop(ftp.ask("USER u", 331)));
    let start = Instant::now();
    guests.iter_mut().for_each(|ftp| ftp.send("PASS wrong\r\n"));
    let wrong = || site.server.stderr().matches("wrong name or password").count();
    until("all were wrong", || wrong() == 51);
    // Each 20 ms behind the one before it; they themselves wait for up to half a minute.
    assert!(start.elapsed() >= Duration::from_millis(49 * 20), "{:?}", start.elapsed());
    site.client().ask("PWD", 257);
}

#[test]
fn guessers_are_slowed_down_and_who_knows_the_password_is_not() {
    let site = Site::new(&["--anonymous"]);
    let start = Instant::now();
    // Over three sessions, and answered as over one: after 1, 3 and 6 seconds.
    let mut guests: Vec<Ftp> = (0..3).map(|_| site.guest()).collect();
    let guessers: Vec<_> = guests
        .drain(..)
        .map(|mut ftp| {
            ftp.ask("USER u", 331);
            ftp.send("PASS wrong\r\n");
            std::thread::spawn(move || {
                ftp.expect(530);
                (start.elapsed(), ftp)
            })
        })
        .collect();
    // From the same host, and meanwhile.
    site.client().ask("PWD", 257);
    let mut anybody = site.guest();
    anybody.ask("USER anonymous", 331);
    anybody.ask("PASS me@", 230);
    let elsewhere = connect_from([127, 0, 0, 2], site.server.address());
    Ftp::over(elsewhere).logged_in().ask("PWD", 257);
    site.client_v6().ask("PWD", 257);
    let heard = start.elapsed();
    let mut answers: Vec<_> = guessers.into_iter().map(|guesser| guesser.join().unwrap()).collect();
    answers.sort_by_key(|(after, _)| *after);
    let last = answers.last().unwrap().0;
    assert!(heard < last, "{heard:?}, {last:?}");
    for ((after, _), at_least) in answers.iter().zip([1, 3, 6]) {
        assert!(*after >= Duration::from_secs(at_least), "{after:?} < {at_least} s");
    }
    // One that was wrong and then knows it is let in at once: no answer to a wrong one is so quick.
    let (_, mut ftp) = answers.pop().unwrap();
    ftp.ask("USER u", 331);
    ftp.ask("PASS p", 230);
}

/// Ends them, even if the test fails.
struct Guesses<'a>(&'a AtomicBool);

impl Drop for Guesses<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_hundred_guessers_without_a_pause_do_not_keep_out_the_password() {
    let site = Site::new(&["--max-clients", "4"]);
    let address = site.server.address();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for n in 0..100 {
            let over = &over;
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let Ok(mut stream) = TcpStream::connect(address) else { continue };
                    let _ = stream.write_all(b"USER u\r\nPASS wrong\r\n");
                    // Some leave at once, some take a short silence for an answer, some wait.
                    let patience = [1, 100, 1000][n % 3];
                    let _ = stream.set_read_timeout(Some(Duration::from_millis(patience)));
                    let _ = io::copy(&mut stream, &mut io::sink());
                }
            });
        }
        let guesses = Guesses(&over);
        for _ in 0..10 {
            let mut ftp = Ftp::new(address).logged_in();
            ftp.ask("QUIT", 221);
            ftp.ended();
        }
        drop(guesses);
    });
}

#[test]
fn at_a_crowded_door_who_waits_in_vain_makes_room() {
    let site = Site::telling(&["--max-clients", "4"]);
    let guest = || Ftp::over(connect(site.server.address()));
    let wrong = || site.server.stderr().matches("wrong name or password").count();
    // One after the other: the last four wait for a quarter of a minute and more.
    let mut guessers = Vec::new();
    for n in 1..=8 {
        guessers.push(guest());
        guess(guessers.last_mut().unwrap());
        until("it was wrong", || wrong() == n);
    }
    guessers.drain(..4).for_each(Ftp::leave);
    until("they have gone", || threads(&site.server) == 1 + 4);
    let mut silent: Vec<Ftp> = (0..256 - 4).map(|_| guest()).collect();
    let mut newcomers = Vec::new();
    // First those who wait for the answer to a wrong password; then, after a second, the silent.
    for n in 0..8 {
        until("there is room", || {
            let mut ftp = Ftp { control: BufReader::new(connect(site.server.address())) };
            let served = ftp.reply().starts_with("220");
            newcomers.extend(served.then_some(ftp));
            served
        });
        let mut gone = if n < 4 { guessers.remove(0) } else { silent.remove(0) };
        assert!(gone.reply().starts_with("421"), "{n}");
        gone.ended();
    }
    newcomers.pop().unwrap().logged_in();
}

#[test]
fn those_who_are_sent_away_from_the_door_have_no_place_any_more() {
    // Each from a host of its own, and none of them silent: they come as clients, and turn out to guess.
    let site = Site::telling(&[]);
    let count = 300;
    let mut guessers: Vec<TcpStream> = Vec::new();
    for n in 0..count {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let from = SocketAddr::from(([127, 1, (n / 250) as u8, (n % 250 + 1) as u8], 0));
        socket.bind(&from.into()).unwrap();
        socket.connect(&site.server.address().into()).unwrap();
        let mut stream = TcpStream::from(socket);
        stream.write_all(b"USER u\r\nPASS wrong\r\n").unwrap();
        guessers.push(stream);
        let wrong = || site.server.stderr().matches("wrong name or password").count();
        if n % 50 == 49 {
            until("they were wrong", || wrong() == n + 1);
        }
    }
    until("the door has let go of those who were too many", || threads(&site.server) <= 1 + 256);
    drop(guessers);

    // From one host, with a QUIT that waits behind the answer.
    let site = Site::telling(&[]);
    guess(&mut site.guest());
    let quitter = |_| {
        let mut stream = connect(site.server.address());
        stream.write_all(b"USER u\r\nPASS wrong\r\nQUIT\r\n").unwrap();
        stream
    };
    let guessers: Vec<TcpStream> = (0..300).map(quitter).collect();
    let taken = || site.server.stderr().matches("421 Others").count();
    until("some were sent away", || taken() > 20);
    until("and are gone", || threads(&site.server) <= 1 + 256);
    drop(guessers);
}

#[test]
fn a_guesser_who_leaves_waits_no_longer_and_delays_no_stop() {
    let site = Site::new(&[]);
    let mut ftp = site.guest();
    for code in [530, 530] {
        ftp.ask("USER u", 331);
        ftp.ask("PASS wrong", code);
    }
    // The third would be answered after three seconds; a stop is not kept waiting either.
    ftp.ask("USER u", 331);
    let start = Instant::now();
    ftp.send("PASS wrong\r\n");
    ftp.leave();
    until("its thread has ended", || threads(&site.server) == 1);
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    let mut ftp = site.guest();
    guess(&mut ftp);
    until("it is served", || threads(&site.server) == 2);
    let took = site.server.stop().took;
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn a_user_called_ftp_must_give_his_password() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path().to_str().unwrap();
    let own = ["--user", "ftp", "--password", "p", "--anonymous", "--root", root];
    let server = Server::start("ftp", &own);
    for (user, password, code) in
        [("ftp", "p", 230), ("ftp", "wrong", 530), ("anonymous", "wrong", 230)]
    {
        let mut ftp = Ftp::new(server.address());
        ftp.ask(&format!("USER {user}"), 331);
        ftp.ask(&format!("PASS {password}"), code);
    }
}

#[test]
fn anonymous_and_read_only_change_nothing() {
    let write =
        ["STOR b", "APPE a", "STOU", "DELE a", "MKD d", "RMD d", "RNFR a", "MFMT 20200101000000 a"];
    let site = Site::new(&["--anonymous"]);
    site.write("a", "hello");
    let mut ftp = site.guest();
    ftp.ask("USER anonymous", 331);
    ftp.ask("PASS me@", 230);
    let read_only = Site::new(&["--read-only"]);
    read_only.write("a", "hello");
    for mut ftp in [ftp, read_only.client()] {
        for command in write {
            ftp.ask(command, 550);
        }
        assert_eq!(ftp.fetch("RETR a"), b"hello");
        assert!(ftp.ask("MLST a", 250).contains("perm=r;"));
    }
    assert_eq!(site.names(), ["a"]);
}

#[test]
fn without_a_user_there_is_a_password_for_one_run() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("a"), "hello").unwrap();
    let server =
        Server::from(netplay().args(["ftp", "server", "0", "-q"]).current_dir(root.path()));
    until("the password is said", || server.stderr().contains(", who may read"));
    let said = server.stderr();
    let password = said.split("password ").nth(1).unwrap().split(',').next().unwrap();
    let mut ftp = Ftp::new(server.address());
    ftp.ask("USER netplay", 331);
    ftp.ask(&format!("PASS {password}"), 230);
    ftp.ask("TYPE I", 200);
    assert_eq!(ftp.fetch("RETR a"), b"hello");
    ftp.ask("DELE a", 550);
}

#[test]
fn nothing_outside_the_root_is_reached() {
    let site = Site::new(&[]);
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "12345").unwrap();
    fs::create_dir(outside.path().join("folder")).unwrap();
    let there = outside.path().to_str().unwrap();
    symlink(there, site.path("link")).unwrap();
    symlink(outside.path().join("secret"), site.path("file")).unwrap();
    symlink("../../../../../../../../", site.path("up")).unwrap();
    symlink("/proc/self/root", site.path("magic")).unwrap();
    let name = outside.path().file_name().unwrap().to_str().unwrap();
    let mut ftp = site.client();
    for path in [
        format!("{there}/secret"),
        "link/secret".into(),
        "link/../link/secret".into(),
        "file".into(),
        format!("../{name}/secret"),
        format!("../../../../../..{there}/secret"),
        format!("up{there}/secret"),
        format!("magic{there}/secret"),
        format!("/..{there}/secret"),
    ] {
        for verb in [
            "RETR",
            "SIZE",
            "MDTM",
            "MLST",
            "STAT",
            "CWD",
            "LIST",
            "NLST",
            "MLSD",
            "MFMT 20200101000000",
        ] {
            ftp.ask(&format!("{verb} {path}"), 550);
        }
    }
    for path in ["link/folder", "link/new", "up/tmp/netplay-new", "magic/tmp/netplay-new"] {
        for verb in ["MKD", "RMD", "DELE", "STOR", "APPE", "RNFR"] {
            ftp.ask(&format!("{verb} {path}"), 550);
        }
    }
    site.write("mine", "");
    ftp.ask("RNFR mine", 350);
    ftp.ask("RNTO link/mine", 550);
    assert_eq!(names_in(outside.path()), ["folder", "secret"]);
    // The links are only names: listings do not tell where they lead.
    let listing = ftp.list("LIST").join("\n");
    assert!(!listing.contains(name) && !listing.contains("->"), "{listing}");
    assert_eq!(ftp.list("NLST"), ["mine"]);
    // A link that leads outside can be replaced and removed: the link, not what it leads to.
    ftp.store("STOR file", "mine");
    ftp.ask("DELE link", 250);
    assert_eq!(fs::read(outside.path().join("secret")).unwrap(), b"12345");
    assert_eq!(site.read("file"), b"mine");
}

#[test]
fn links_inside_the_root_work() {
    let site = Site::new(&[]);
    fs::create_dir(site.path("d")).unwrap();
    site.write("d/a", "hello");
    symlink("d", site.path("link")).unwrap();
    symlink("../d/a", site.path("d/again")).unwrap();
    let mut ftp = site.client();
    assert_eq!(ftp.fetch("RETR link/again"), b"hello");
    ftp.store("STOR link/b", "new");
    assert_eq!(site.read("d/b"), b"new");
}

#[test]
fn a_link_swapped_in_between_leads_nowhere() {
    let site = Site::new(&[]);
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("a"), "secret").unwrap();
    for folder in ["real", "away"] {
        fs::create_dir(site.path(folder)).unwrap();
    }
    site.write("real/a", "public");
    symlink(outside.path(), site.path("evil")).unwrap();
    let over = &AtomicBool::new(false);
    let path = |name| site.root.path().join(name);
    let [real, away, evil] = ["real", "away/real", "evil"].map(path);
    thread::scope(|scope| {
        scope.spawn(move || {
            // real is now the folder, now a link to the outside.
            while !over.load(Ordering::Relaxed) {
                for (from, to) in [(&real, &away), (&evil, &real), (&real, &evil), (&away, &real)] {
                    fs::rename(from, to).unwrap();
                }
            }
        });
        let _over = Over(over); // also if an assertion fails: the scope waits for the thread
        let mut ftp = site.client();
        // Both answers, many times: who runs when is the scheduler's choice.
        let (mut served, mut refused) = (0, 0);
        until("the folder was there often, and often not", || {
            let address = ftp.passive();
            if ftp.try_to("MDTM real/a").starts_with("550") {
                refused += 1;
                return false;
            }
            let mut data = connect(address);
            if ftp.try_to("RETR real/a").starts_with("150") {
                let mut text = String::new();
                data.read_to_string(&mut text).unwrap();
                ftp.expect(226);
                assert_eq!(text, "public");
                served += 1;
            }
            served >= 30 && refused >= 30
        });
    });
}

/// Says that it is over when it ends, however it ends.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn fifos_and_devices_are_refused_and_nobody_hangs() {
    let site = Site::new(&[]);
    nix::unistd::mkfifo(&site.path("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(site.path("socket")).unwrap();
    let mut ftp = site.client();
    for name in ["fifo", "socket"] {
        for verb in ["RETR", "STOR", "APPE", "SIZE", "MDTM", "MLST", "CWD"] {
            ftp.ask(&format!("{verb} {name}"), 550);
        }
    }
    assert_eq!(ftp.list("LIST").len(), 2);
    assert!(ftp.list("NLST").is_empty());
}

#[test]
fn nobody_is_made_to_speak_to_others() {
    let site = Site::new(&[]);
    let victim = TcpListener::bind("127.0.0.2:0").unwrap();
    victim.set_nonblocking(true).unwrap();
    let port = victim.local_addr().unwrap().port();
    let (high, low) = (port / 256, port % 256);
    let mut ftp = site.client();
    ftp.ask(&format!("PORT 127,0,0,2,{high},{low}"), 504);
    ftp.ask(&format!("EPRT |1|127.0.0.2|{port}|"), 504);
    ftp.ask("PORT 127,0,0,1,0,25", 504);
    ftp.ask("EPRT |1|127.0.0.1|1023|", 504);
    ftp.ask("LIST", 425);
    assert!(victim.accept().is_err());
}

#[test]
fn a_stranger_gets_no_data_connection() {
    let site = Site::new(&[]);
    site.write("a", "for the client");
    let mut ftp = site.client();
    let address = ftp.passive();
    let mut stranger = connect_from([127, 0, 0, 2], address);
    let mut data = connect(address);
    ftp.ask("RETR a", 150);
    let mut text = String::new();
    data.read_to_string(&mut text).unwrap();
    assert_eq!(text, "for the client");
    ftp.expect(226);
    assert!(matches!(stranger.read(&mut [0; 1]), Ok(0) | Err(_)));
}

#[test]
fn passive_ports_are_of_the_range_and_given_back() {
    // A range that is free now; the kernel chose its first port.
    let low = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().min(65_500);
    let site = Site::new(&["--passive-ports", &format!("{low}-{}", low + 9)]);
    let mut ftp = site.client();
    let mut seen = std::collections::HashSet::new();
    for _ in 0..40 {
        let port = ftp.passive().port();
        assert!((low..low + 10).contains(&port), "{port}");
        seen.insert(port);
    }
    assert!(seen.len() > 2, "who saw one port knows the next: {seen:?}");
    for _ in 0..20 {
        assert!(ftp.list("NLST").is_empty());
    }
}

#[test]
fn passive_ports_are_nobodys_and_any_of_them() {
    let site = Site::new(&[]);
    let mut ftp = site.client();
    let ports: Vec<u16> = (0..8).map(|_| ftp.passive().port()).collect();
    // The kernel's own choice begins elsewhere: all eight up there happens once in a thousand.
    assert!(ports.iter().all(|&port| port >= 49152), "{ports:?}");
    assert!(ports.windows(2).any(|two| two[0].abs_diff(two[1]) > 100), "{ports:?}");
}

#[test]
fn a_newline_in_a_name_forges_no_line() {
    let site = Site::new(&[]);
    site.write("a\r\ntype=file;size=1; forged", "");
    site.write("b\n-rw-r--r-- 1 ftp ftp 1 Jan 1 1970 forged", "");
    let mut ftp = site.client();
    let long = ftp.list("LIST");
    assert_eq!(long.len(), 2, "{long:?}");
    assert!(long.iter().all(|line| line.starts_with("-rw-") && line.contains('?')), "{long:?}");
    assert!(ftp.list("NLST").is_empty());
    assert!(ftp.list("MLSD").is_empty());
    assert_eq!(ftp.ask("STAT .", 213).lines().count(), 4);
    ftp.send("MKD x\0y\r\n");
    ftp.expect(501);
    ftp.send("STOR a\rb\r\n");
    ftp.expect(501);
}

/// Names as a client in China, one in Russia and one who mistyped have made them; of the byte 255, Telnet
/// wants two.
#[test]
fn a_name_is_bytes() {
    let site = Site::new(&[]);
    for name in [
        &b"\xd6\xd0\xce\xc4.txt"[..],
        b"\xed\xec\xff",
        b"\xff\xff\xfd",
        b"\xff",
        b"a\tb\x1b[2J\x7f\x01",
        b"\xc2\x85 \xe2\x80\xae",
        b" a \"quoted\" \\ name; ",
        b"-la",
        b"*?[x]",
        "世界".as_bytes(),
    ] {
        let wire = |name: &[u8]| {
            name.split(|&byte| byte == 255).collect::<Vec<_>>().join(&b"\xff\xff"[..])
        };
        let say = |verb: &[u8], name: &[u8]| [verb, b" ", &wire(name)].concat();
        let path = site.root.path().join(OsStr::from_bytes(name));
        let shown = name.escape_ascii();
        let mut ftp = site.client();
        let mut data = connect(ftp.passive());
        ftp.ask_bytes(&say(b"STOR", name), 150);
        data.write_all(b"hello").unwrap();
        drop(data);
        ftp.expect(226);
        assert_eq!(fs::read(&path).unwrap(), b"hello", "{shown}");
        let line = [name, b"\r\n"].concat();
        assert!(ftp.fetch_bytes(b"LIST").ends_with(&[b" ", &*line].concat()), "{shown}");
        assert_eq!(ftp.fetch_bytes(b"NLST"), line, "{shown}");
        assert!(ftp.fetch_bytes(b"MLSD").ends_with(&[b"; ", &*line].concat()), "{shown}");
        assert_eq!(ftp.fetch_bytes(&say(b"RETR", name)), b"hello", "{shown}");
        assert_eq!(ftp.ask_bytes(&say(b"SIZE", name), 213), b"213 5\r\n");
        ftp.ask_bytes(&say(b"MDTM", name), 213);
        let there = ftp.ask_bytes(&say(b"MFMT 20200102030405", name), 213);
        assert_eq!(there, [b"213 Modify=20200102030405; /", &*wire(name), b"\r\n"].concat());
        ftp.ask_bytes(&say(b"MLST", name), 250);
        let fact = [b" type=file;size=5;modify=20200102030405;", &*wire(name)].concat();
        let mut told = Vec::new();
        ftp.control.read_until(b'\n', &mut told).unwrap();
        ftp.expect(250);
        assert!(
            told.starts_with(&fact[..40])
                && told.ends_with(&[b" /", &*wire(name), b"\r\n"].concat())
        );
        ftp.ask_bytes(&say(b"RNFR", name), 350);
        ftp.ask("RNTO other", 250);
        ftp.ask("RNFR other", 350);
        ftp.ask_bytes(&say(b"RNTO", name), 250);
        ftp.ask_bytes(&say(b"DELE", name), 250);
        let quoted = |name: &[u8]| {
            let quotes = name.split(|&byte| byte == b'"').collect::<Vec<_>>().join(&b"\"\""[..]);
            [b"257 \"/", &*wire(&quotes), b"\" is "].concat()
        };
        assert!(ftp.ask_bytes(&say(b"MKD", name), 257).starts_with(&quoted(name)), "{shown}");
        ftp.ask_bytes(&say(b"CWD", name), 250);
        assert!(ftp.ask_bytes(b"PWD", 257).starts_with(&quoted(name)), "{shown}");
        ftp.ask("CDUP", 250);
        ftp.ask_bytes(&say(b"RMD", name), 250);
        assert!(site.names().is_empty());
    }
    // A client that knows nothing of Telnet says one where there should be two.
    for name in [&b"\xff \xe0\xff"[..], b"\xff\xf9\xe8\xea"] {
        fs::write(site.root.path().join(OsStr::from_bytes(name)), "ya").unwrap();
        assert_eq!(site.client().fetch_bytes(&[b"RETR ", name].concat()), b"ya");
    }
}

/// A line that begins with l and has no target makes many a program give up the whole folder.
#[test]
fn a_link_is_listed_with_its_target_or_not_at_all() {
    let site = Site::new(&[]);
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir_all(site.path("d/e")).unwrap();
    site.write("d/a", "hello");
    for (to, name) in [
        ("a", "d/inside"),
        ("../d/e", "d/folder"),
        ("nowhere", "d/broken"),
        ("loop", "d/loop"),
        (".", "d/dot"),
        ("..", "d/e/up"),
        ("../../..", "d/e/out"),
        ("/etc/hostname", "d/absolute"),
        ("e/out/etc", "d/roundabout"),
        ("a\nb", "d/odd"),
    ] {
        symlink(to, site.path(name)).unwrap();
    }
    symlink(outside.path(), site.path("d/away")).unwrap();
    let mut ftp = site.client();
    let mut links: Vec<String> = ftp
        .list("LIST d")
        .into_iter()
        .filter(|line| line.starts_with('l'))
        .map(|line| line.split_whitespace().skip(8).collect::<Vec<_>>().join(" "))
        .collect();
    links.sort();
    assert_eq!(
        links,
        ["broken -> nowhere", "dot -> .", "folder -> ../d/e", "inside -> a", "loop -> loop"]
    );
    let all = ftp.list("LIST d").len() + ftp.list("LIST d/e").len();
    assert_eq!(all, 5 + 2 + 1, "beside them a, e, and the way up");
    // What is no link to them: which leads to a file or folder, and not back up for ever.
    let mut names = ftp.list("NLST d");
    names.sort();
    assert_eq!(names, ["d/a", "d/e", "d/folder", "d/inside"]);
    let mut facts = ftp.list("MLSD d");
    facts.retain(|line| line.starts_with("type=file;size=5;"));
    assert_eq!(facts.len(), 2, "a, and the link to it");
    assert!(ftp.list("NLST d/e").is_empty());
    assert_eq!(ftp.fetch("RETR d/dot/dot/inside"), b"hello");
}

#[test]
fn every_time_that_the_disk_holds_is_told() {
    let site = Site::new(&[]);
    let mut ftp = site.client();
    let folder = fs::create_dir(site.path("folder")).map(|()| "folder").unwrap();
    site.write("file", "");
    for name in ["file", folder] {
        for (time, told) in [
            ("19020101000000", "Jan  1  1902"),
            ("19691231235959", "Dec 31  1969"),
            ("19700101000000", "Jan  1  1970"),
            ("20380119031408", "Jan 19  2038"),
            ("21060207062816", "Feb  7  2106"),
        ] {
            let set = ftp.try_to(&format!("MFMT {time} {name}"));
            if time > "20380119031407" && set.starts_with("550 The disk cannot hold that time") {
                continue; // 32 bits of seconds
            }
            assert!(set.starts_with("213 "), "{set}");
            assert_eq!(ftp.ask(&format!("MDTM {name}"), 213), format!("213 {time}\r\n"));
            let listed = ftp.list("LIST");
            assert!(
                listed.iter().any(|line| line.ends_with(&format!(" {told} {name}"))),
                "{listed:?}"
            );
            let facts = ftp.list("MLSD");
            let fact = format!("modify={time};");
            assert!(facts.iter().any(|line| line.contains(&fact)), "{facts:?}");
        }
    }
    // Some disks hold more than a stamp of 14 digits can say.
    let later = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(300_000_000_000);
    let file = fs::File::open(site.path("file")).unwrap();
    if file.set_modified(later).is_ok() && file.metadata().unwrap().modified().unwrap() == later {
        ftp.ask("MDTM file", 550);
        let listed = ftp.list("LIST");
        assert!(listed.iter().any(|line| line.ends_with("  11476 file")), "{listed:?}");
        assert!(!ftp.ask("MLST file", 250).contains("modify"));
    }
}

#[test]
fn every_refusal_names_its_reason() {
    let site = Site::new(&[]);
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir_all(site.path("d/e")).unwrap();
    site.write("f", "hello");
    symlink("loop", site.path("loop")).unwrap();
    symlink(outside.path(), site.path("out")).unwrap();
    nix::unistd::mkfifo(&site.path("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let long = "x".repeat(256);
    let mut ftp = site.client();
    for (reason, commands) in [
        (
            "550 There is no such file or folder.",
            &[
                "RETR no",
                "SIZE no",
                "MDTM no",
                "MLST no",
                "CWD no",
                "DELE no",
                "RMD no",
                "RNFR no",
                "LIST no",
                "NLST no",
                "MLSD no",
                "STAT no",
                "MFMT 20200101000000 no",
                "STOR no/a",
                "APPE no/a",
                "MKD no/a",
                "CWD no/no",
                "RETR d/no",
            ][..],
        ),
        ("550 That is a folder.", &["RETR d", "SIZE d", "STOR d", "APPE d", "DELE d", "STOR /"]),
        (
            "550 That is no folder.",
            &["CWD f", "RMD f", "RETR f/a", "STOR f/a", "MKD f/a", "LIST f/a"],
        ),
        ("501 That is no folder", &["MLSD f"]),
        ("550 The folder is not empty.", &["RMD d"]),
        ("550 That name is taken.", &["MKD f", "MKD d", "MKD /"]),
        (
            "550 Its links lead in a circle.",
            &["RETR loop", "CWD loop", "SIZE loop/a", "STOR loop/a"],
        ),
        (
            "550 That leads out of what is served.",
            &[
                "CWD out",
                "RETR out/a",
                "STOR out/a",
                "MKD out/a",
                "LIST out",
                "MLST out",
                "SIZE out",
            ],
        ),
        (
            "550 That is neither a file nor a folder.",
            &["RETR fifo", "STOR fifo", "SIZE fifo", "MDTM fifo"],
        ),
        ("550 That is the folder that is served", &["RMD /", "DELE /"]),
        (
            "550 The server keeps such names for itself.",
            &["STOR .netplay-upload-1", "CWD .netplay-upload-1"],
        ),
        (
            "553 That name is too long.",
            &[
                &format!("STOR {long}"),
                &format!("MKD {long}"),
                &format!("RETR {long}"),
                &format!("CWD {long}"),
            ],
        ),
    ] {
        for command in commands {
            let answer = ftp.try_to(command);
            assert!(answer.starts_with(reason), "{command}: {reason} was expected, not {answer}");
        }
    }
    for (to, reason) in [
        ("d/e/f", "550 A folder cannot go into itself."),
        ("f", "550 That is no folder."),
        ("no/f", "550 There is no such file or folder."),
    ] {
        ftp.ask("RNFR d", 350);
        let answer = ftp.try_to(&format!("RNTO {to}"));
        assert!(answer.starts_with(reason), "{to}: {answer}");
    }
    ftp.ask("RNFR f", 350);
    assert!(ftp.try_to("RNTO d").starts_with("550 That is a folder."));
    assert_eq!(site.names(), ["d", "f", "fifo", "loop", "out"]);
}

/// An upload takes the place of the old file, and does not write into it: who runs it goes on running it.
#[test]
fn a_program_that_runs_can_be_replaced() {
    let site = Site::new(&[]);
    common::install(Path::new("/bin/sleep"), &site.path("program"));
    let mut runs = Command::new(site.path("program")).arg("60").spawn().unwrap();
    let writes = fs::File::options().append(true).open(site.path("program"));
    assert_eq!(writes.unwrap_err().kind(), std::io::ErrorKind::ExecutableFileBusy);
    let mut ftp = site.client();
    ftp.store("APPE program", b"more");
    ftp.store("STOR program", b"another");
    assert_eq!(site.read("program"), b"another");
    assert!(runs.try_wait().unwrap().is_none(), "it runs");
    runs.kill().unwrap();
    runs.wait().unwrap();
}

/// What the system answers where a quota is used up, or where a file cannot be removed while its program runs.
#[test]
fn a_quota_and_a_program_that_runs_are_told_as_such() {
    let told = ["-o", "/dev/null", "-e", "trace=mkdirat,unlinkat"];
    let faults = ["-e", "inject=mkdirat:error=EDQUOT", "-e", "inject=unlinkat:error=ETXTBSY"];
    let Some(site) = Site::under_strace(&[&told[..], &faults].concat()) else { return };
    site.write("f", "hello");
    let mut ftp = site.client();
    assert!(ftp.ask("MKD d", 552).contains("The quota of the disk is used up."));
    assert!(ftp.ask("DELE f", 450).contains("That is a program that runs: try later."));
    assert_eq!(site.names(), ["f"]);
}

/// Disks of their own, one of them for reading only.
#[test]
fn what_a_disk_does_not_let_happen_is_said_to_be_that() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().to_str().unwrap();
    for name in ["ro", "other"] {
        fs::create_dir(root.path().join(name)).unwrap();
    }
    fs::write(root.path().join("f"), "hello").unwrap();
    let script = format!(
        "mount -t tmpfs none '{folder}/ro' && echo hello >'{folder}/ro/f' && mkdir '{folder}/ro/d' && \
         mount -o remount,ro '{folder}/ro' && mount -t tmpfs none '{folder}/other' && exec \"$@\""
    );
    let Some(mut private) = private_mounts() else { return };
    let login = ["ftp", "server", "0", "-q", "--user", "u", "--password", "p", "--root", folder];
    let program = env!("CARGO_BIN_EXE_netplay");
    let server = Server::from(private.args(["sh", "-c", &script, "sh", program]).args(login));
    let mut ftp = Ftp::new(server.address()).logged_in();
    assert_eq!(ftp.fetch("RETR ro/f"), b"hello\n");
    let only_read = "550 That disk can only be read.";
    let commands =
        ["STOR ro/a", "APPE ro/f", "DELE ro/f", "MKD ro/a", "RMD ro/d", "MFMT 20200101000000 ro/f"];
    for (command, reason) in commands
        .map(|command| (command, only_read))
        .into_iter()
        .chain([("RMD other", "450 The system is using that")])
    {
        let answer = ftp.try_to(command);
        assert!(answer.starts_with(reason), "{command}: {answer}");
    }
    for (from, to, reason) in
        [("ro/f", "ro/g", only_read), ("f", "other/f", "550 That is on another disk.")]
    {
        ftp.ask(&format!("RNFR {from}"), 350);
        let answer = ftp.try_to(&format!("RNTO {to}"));
        assert!(answer.starts_with(reason), "{from} {to}: {answer}");
    }
}

#[test]
fn why_there_is_no_data_connection_is_said() {
    let site = Site::new(&["--data-wait", "0.2"]);
    site.write("a", "hello");
    let mut ftp = site.client();
    assert!(ftp.ask("RETR a", 425).contains("Say PASV or PORT first"));
    ftp.passive();
    ftp.ask("RETR a", 150);
    assert!(ftp.expect(425).contains("did not come in time"));
    // Nobody listens at this port any more.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    ftp.ask(&format!("PORT {}", six_numbers(address.to_string().parse().unwrap())), 200);
    ftp.ask("RETR a", 150);
    assert!(ftp.expect(425).contains("Connection refused"));
    assert!(ftp.ask("PORT 127,0,0,2,156,64", 504).contains("own address"));
    assert!(ftp.ask("PORT 127,0,0,1,0,21", 504).contains("1024"));
}

/// A folder in which a name can be found and not read, and others; told to one who is not root.
#[test]
fn what_the_server_has_no_permission_for_is_said_to_be_that() {
    let Some(nobody) = Nobody::new() else { return };
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name);
    let may = |name: &str, mode| {
        fs::set_permissions(path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    fs::create_dir(path("closed")).unwrap();
    fs::create_dir(path("drop")).unwrap();
    fs::write(path("secret"), "no").unwrap();
    fs::write(path("drop/old"), "old").unwrap();
    // For whoever they belong to as well: that may be who runs the server.
    may("closed", 0);
    may("drop", 0o333);
    may("secret", 0);
    may("", 0o555);
    let login =
        ["ftp", "server", "127.0.0.1", "0", "-q", "--user", "u", "--password", "p", "--root"];
    let server = Server::from(nobody.command().args(login).arg(root.path()));
    let mut ftp = Ftp::new(server.address()).logged_in();
    let denied = "550 The server has no permission for that.";
    for command in [
        "CWD closed",
        "RETR secret",
        "STOR new",
        "MKD new",
        "DELE secret",
        "LIST drop",
        "RETR closed/a",
    ] {
        let answer = ftp.try_to(command);
        assert!(answer.starts_with(denied), "{command}: {answer}");
    }
    // Into this one things can be put, though nobody may look around there.
    ftp.store("STOR drop/new", "hello");
    assert_eq!(fs::read(path("drop/new")).unwrap(), b"hello");
    ftp.ask("CWD drop", 250);
    assert_eq!(ftp.fetch("RETR old"), b"old");
    // So that who is not root can remove them.
    for name in ["", "closed", "drop"] {
        may(name, 0o755);
    }
}

#[test]
fn a_rest_survives_everything_but_its_transfer() {
    let site = Site::new(&[]);
    site.write("a", "0123456789");
    let mut ftp = site.client();
    ftp.ask("REST 7", 350);
    ftp.list("LIST");
    ftp.list("NLST");
    ftp.list("MLSD");
    for (command, code) in [("CWD .", 250), ("SIZE a", 213), ("STAT", 211), ("nonsense", 500)] {
        ftp.ask(command, code);
    }
    assert_eq!(ftp.fetch("RETR a"), b"789");
    assert_eq!(ftp.fetch("RETR a"), b"0123456789");
    ftp.ask("REST 7", 350);
    ftp.ask("ABOR", 226);
    assert_eq!(ftp.fetch("RETR a"), b"0123456789");
}

// ---- nothing is lost

#[test]
fn an_upload_is_unseen_until_it_is_whole() {
    let site = Site::new(&[]);
    site.write("a", "old");
    let mut ftp = site.client();
    let mut data = ftp.begin("STOR a");
    data.write_all(b"new and ").unwrap();
    until("the upload is on its way", || site.names().len() == 2);
    let mut other = site.client();
    assert_eq!(other.fetch("RETR a"), b"old");
    assert_eq!(other.list("NLST"), ["a"]);
    assert_eq!(other.list("LIST").len(), 1);
    let temporary = site.names()[0].clone();
    assert!(temporary.starts_with(".netplay-upload-"));
    for verb in ["RETR", "DELE", "STOR", "SIZE", "RNFR"] {
        other.ask(&format!("{verb} {temporary}"), 550);
    }
    data.write_all(b"longer").unwrap();
    drop(data);
    ftp.expect(226);
    assert_eq!(other.fetch("RETR a"), b"new and longer");
    assert_eq!(site.names(), ["a"]);
}

/// An upload of `a` that is half done.
fn half_an_upload(site: &Site, command: &str) -> (Ftp, TcpStream) {
    site.write("a", "old");
    let mut ftp = site.client();
    let mut data = ftp.begin(command);
    data.write_all(b"half").unwrap();
    until("the upload is on its way", || {
        let names = site.names();
        names.len() == 2 && site.read(&names[0]).ends_with(b"half")
    });
    (ftp, data)
}

#[track_caller]
fn only_the_old_version_is_there(site: &Site) {
    until("the upload is taken back", || site.names() == ["a"]);
    assert_eq!(site.read("a"), b"old");
}

#[test]
fn a_cut_upload_leaves_the_old_version_and_no_litter() {
    let site = Site::new(&[]);
    for command in ["STOR a", "APPE a", "STOU"] {
        let (mut ftp, data) = half_an_upload(&site, command);
        reset(data);
        ftp.expect(426);
        only_the_old_version_is_there(&site);
        ftp.ask("NOOP", 200);

        // The client goes, as a program does that is ended: both connections close.
        let (ftp, data) = half_an_upload(&site, command);
        ftp.leave();
        drop(data);
        only_the_old_version_is_there(&site);

        let (mut ftp, data) = half_an_upload(&site, command);
        ftp.ask("ABOR", 426);
        ftp.expect(226);
        only_the_old_version_is_there(&site);
        ftp.ask("PWD", 257);
        drop(data);
    }
}

#[test]
fn a_stop_does_not_wait_for_the_commands_that_wait() {
    let site = Site::new(&[]);
    for n in 0..2000 {
        site.write(&format!("{n}"), "");
    }
    site.write("last", "");
    let mut ftp = site.client();
    ftp.send(format!("{}DELE last\r\n", "STAT /\r\n".repeat(400)));
    ftp.expect(213);
    let Site { server, root } = site;
    let ended = server.stop_by(Signal::SIGTERM);
    assert!(ended.took < Duration::from_secs(2), "{:?}", ended.took);
    assert!(root.path().join("last").exists());
}

#[test]
fn a_stop_ends_an_upload_within_two_seconds_and_leaves_no_litter() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let site = Site::new(&[]);
        let (_ftp, _data) = half_an_upload(&site, "STOR a");
        site.write("large", content(LARGE));
        let mut reader = site.client();
        let _unread = reader.begin("RETR large");
        let mut waiting = site.client();
        waiting.passive();
        waiting.ask("LIST", 150);
        let Site { server, root } = site;
        let ended = server.stop_by(signal);
        assert!(ended.status.success(), "{:?} {}", ended.status, ended.stderr);
        assert!(ended.took < Duration::from_secs(2), "{:?}", ended.took);
        assert_eq!(names_in(root.path()), ["a", "large"]);
        assert_eq!(fs::read(root.path().join("a")).unwrap(), b"old");
    }
}

#[test]
fn a_stop_is_heard_beside_the_only_client() {
    let site = Site::new(&["--once"]);
    let _silent = site.client();
    let ended = site.server.stop();
    assert!(ended.status.success(), "{:?} {}", ended.status, ended.stderr);
    assert!(ended.took < Duration::from_secs(2), "{:?}", ended.took);
}

#[test]
fn two_appends_at_once_lose_nothing_that_was_confirmed() {
    for old in [None, Some("old")] {
        let site = Site::new(&[]);
        if let Some(old) = old {
            site.write("a", old);
        }
        let (mut first, mut second) = (site.client(), site.client());
        let (mut one, mut two) = (first.begin("APPE a"), second.begin("APPE a"));
        one.write_all(b"1").unwrap();
        two.write_all(b"2").unwrap();
        drop(one);
        first.expect(226);
        drop(two);
        second.expect(450);
        assert_eq!(site.read("a"), format!("{}1", old.unwrap_or_default()).as_bytes());
        assert_eq!(site.names(), ["a"]);
    }
}

#[test]
fn a_file_that_becomes_shorter_on_its_way_does_not_look_whole() {
    let site = Site::new(&[]);
    let mut ftp = site.client();
    for how in ["TYPE I", "TYPE A"] {
        site.write("a", content(LARGE));
        ftp.ask(how, 200);
        let mut data = ftp.begin("RETR a");
        fs::File::options().write(true).open(site.path("a")).unwrap().set_len(1).unwrap();
        assert!(data.read_to_end(&mut Vec::new()).is_err(), "{how}: a reset ends it");
        ftp.expect(451);
    }
}

#[test]
fn an_upload_is_on_the_disk_before_226_says_so() {
    let calls = "trace=?write,?writev,?pwrite64,?splice,?sendfile,?copy_file_range,?ftruncate,\
                 ?fsync,?fdatasync,?rename,?renameat,?renameat2,?link,?linkat,?sendto";
    let Some(site) = Site::under_strace(&["-y", "-e", calls, "-e", "signal=none"]) else { return };
    site.write("a", "old");
    let mut ftp = site.client();
    let folder = format!("<{}>", site.root.path().canonicalize().unwrap().display());
    for (how, verb) in ["TYPE I", "TYPE A"]
        .into_iter()
        .flat_map(|how| ["STOR a", "APPE a", "STOU"].map(|v| (how, v)))
    {
        ftp.ask(how, 200);
        let seen = site.server.stderr().len();
        ftp.store(verb, content(3_000_000));
        let told = || site.server.stderr()[seen..].to_owned();
        until("strace has told of the 226", || told().contains("\"226 It is done."));
        let mut steps: Vec<&str> = told().lines().filter_map(|line| step(line, &folder)).collect();
        steps.dedup();
        let right = ["bytes", "fsync of the file", "its name", "fsync of the folder", "226"];
        assert_eq!(steps, right, "{how}, {verb}:\n{}", told());
    }
}

/// What a line of strace does for an upload into this folder, if anything.
fn step(line: &str, folder: &str) -> Option<&'static str> {
    // [pid 4711] fsync(9</root/.netplay-upload-…>) = 0
    let (before, _) = line.split_once('(')?;
    let call = before.rsplit(' ').next()?;
    let temporary = line.contains("/.netplay-upload-");
    match call {
        _ if line.contains(" = -1 ") => None,
        "fsync" | "fdatasync" if temporary => Some("fsync of the file"),
        "fsync" if line.contains(folder) => Some("fsync of the folder"),
        _ if call.starts_with("rename") || call.starts_with("link") => Some("its name"),
        "sendto" if line.contains("\"226 ") => Some("226"),
        _ if temporary => Some("bytes"),
        _ => None,
    }
}

#[test]
fn a_limit_on_files_ends_an_upload_and_not_the_server() {
    let root = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_netplay");
    let server = Server::from(
        Command::new("sh")
            .args(["-c", "ulimit -f 100; exec \"$@\"", "sh", program, "ftp", "server", "0", "-q"])
            .args(["--root", root.path().to_str().unwrap(), "--user", "u", "--password", "p"]),
    );
    let mut ftp = Ftp::new(server.address()).logged_in();
    let mut data = ftp.begin("STOR large");
    let _ = data.write_all(&content(1 << 20));
    ftp.expect(552);
    ftp.store("STOR small", "fits");
    assert_eq!(names_in(root.path()), ["small"]);
}

#[test]
fn two_uploads_to_one_name_never_mix() {
    let site = Site::new(&[]);
    let versions = [vec![b'x'; 3 << 20], vec![b'y'; 2 << 20]];
    thread::scope(|scope| {
        for version in &versions {
            let mut ftp = site.client();
            scope.spawn(move || (0..5).for_each(|_| ftp.store("STOR a", version)));
        }
        let mut ftp = site.client();
        until("one version is there", || site.path("a").exists());
        for _ in 0..10 {
            let seen = ftp.fetch("RETR a");
            assert!(versions.contains(&seen), "{} bytes of both", seen.len());
        }
    });
    assert_eq!(site.names(), ["a"]);
}

#[test]
fn a_quit_during_an_upload_waits_for_its_end() {
    let site = Site::new(&[]);
    let (mut ftp, mut data) = half_an_upload(&site, "STOR a");
    ftp.send("QUIT\r\n");
    data.write_all(b" and the rest").unwrap();
    drop(data);
    ftp.expect(226);
    ftp.expect(221);
    ftp.ended();
    assert_eq!(site.read("a"), b"half and the rest");
}

#[test]
fn retr_sends_the_file_that_it_opened() {
    let site = Site::new(&[]);
    let old = content(LARGE);
    site.write("a", &old);
    let mut ftp = site.client();
    let mut data = ftp.begin("RETR a");
    let mut first = [0; 1];
    data.read_exact(&mut first).unwrap();
    site.client().store("STOR a", "new");
    let mut rest = Vec::new();
    data.read_to_end(&mut rest).unwrap();
    ftp.expect(226);
    assert_eq!([&first[..], &rest].concat(), old);
}

#[test]
fn abor_ends_a_transfer_at_once_and_the_session_goes_on() {
    let site = Site::new(&[]);
    site.write("large", content(LARGE));
    let mut ftp = site.client();
    ftp.ask("ABOR", 226);
    for telnet in [false, true] {
        let mut data = ftp.begin("RETR large");
        ftp.abort(telnet);
        // The end of a file that was cut does not look like the end of a file.
        let cut = data.read_to_end(&mut Vec::new());
        assert!(cut.is_err(), "{cut:?}");
        assert!(ftp.list("NLST").contains(&"large".to_owned()));
    }
    // While nobody has connected yet, too.
    ftp.passive();
    ftp.ask("RETR large", 150);
    ftp.ask("ABOR", 426);
    ftp.expect(226);
}

/// A transfer that goes on and on, and in which it is the client who waits: for TYPE A the server looks at
/// every byte. How the client's side ends comes later.
fn endless(site: &Site, verb: &str) -> (Ftp, thread::JoinHandle<io::Result<u64>>) {
    File::create(site.path("endless")).unwrap().set_len(1 << 40).unwrap();
    let mut ftp = site.client();
    ftp.ask("TYPE A", 200);
    let mut data = ftp.begin(&format!("{verb} endless"));
    let stores = verb == "STOR";
    let moving = thread::spawn(move || match stores {
        true => io::copy(&mut io::repeat(b'x'), &mut data),
        false => io::copy(&mut data, &mut io::sink()),
    });
    until("bytes move", || !ftp.ask("STAT", 213).contains(" 0 bytes"));
    (ftp, moving)
}

#[test]
fn a_transfer_that_never_has_to_wait_hears_abor() {
    let site = Site::new(&[]);
    for verb in ["RETR", "STOR"] {
        let (mut ftp, moving) = endless(&site, verb);
        let asked = Instant::now();
        ftp.ask("ABOR", 426);
        ftp.expect(226);
        assert!(asked.elapsed() < DEADLINE / 4, "{verb}: {:?}", asked.elapsed());
        let cut = moving.join().unwrap();
        assert!(cut.is_err(), "{verb}: {cut:?}");
    }
}

#[test]
fn an_upload_that_ends_behind_an_abor_is_not_whole() {
    let site = Site::new(&[]);
    for (kind, mib) in [("A", 2), ("I", 2), ("I", 7)] {
        let mut ftp = site.client();
        ftp.ask(&format!("TYPE {kind}"), 200);
        let mut data = ftp.begin("STOR a");
        // The server is still busy with these bytes when it is told that they are not all.
        data.write_all(&vec![b'x'; mib << 20]).unwrap();
        ftp.send("ABOR\r\n");
        drop(data);
        ftp.expect(426);
        ftp.expect(226);
        until("the upload is taken back", || site.names().is_empty());
    }
}

#[test]
fn a_transfer_that_never_has_to_wait_hears_the_stop() {
    for verb in ["RETR", "STOR"] {
        let site = Site::new(&[]);
        let (_ftp, _moving) = endless(&site, verb);
        let Site { server, root } = site;
        let ended = server.stop();
        assert!(ended.status.success(), "{:?} {}", ended.status, ended.stderr);
        assert!(ended.took < DEADLINE / 4, "{verb}: {:?}", ended.took);
        assert_eq!(names_in(root.path()), ["endless"]);
    }
}

#[test]
fn an_abor_behind_thousands_of_commands_is_heard_at_once() {
    let site = Site::new(&[]);
    site.write("large", content(LARGE));
    let mut ftp = site.client();
    for telnet in [false, true] {
        let mut data = ftp.begin("RETR large");
        ftp.send("NOOP\r\n".repeat(3000));
        assert!(ftp.ask("STAT", 213).contains("in progress"));
        ftp.abort(telnet);
        assert!(data.read_to_end(&mut Vec::new()).is_err(), "a reset ends it");
        // Whoever waits for a turn still gets it.
        (0..3000).for_each(|_| drop(ftp.expect(200)));
    }
    assert_eq!(ftp.list("NLST"), ["large"]);
}

#[test]
fn what_was_said_before_a_transfer_began_is_heard_at_once_too() {
    let site = Site::new(&["--data-wait", "1000"]);
    site.write("large", content(LARGE));
    let mut ftp = site.client();
    ftp.passive();
    ftp.send("RETR large\r\nSTAT\r\nSTAT\r\nABOR\r\n");
    for code in [150, 213, 213, 426, 226] {
        ftp.expect(code);
    }
    let _unread = ftp.begin("RETR large");
    ftp.send("STAT\r\n".repeat(3));
    (0..3).for_each(|_| drop(ftp.expect(213)));
}

/// How much memory it took for a client that says more and more while its transfer stands still, and
/// is reset after that, if it shall be.
fn memory_for_much_ahead(and_reset: bool) -> usize {
    let site = Site::new(&[]);
    let large = content(LARGE);
    site.write("large", &large);
    let mut ftp = site.client();
    let mut data = ftp.begin("RETR large"); // not read: no other command has its turn
    let before = memory(&site.server);
    let mut stream = ftp.stream().try_clone().unwrap();
    stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut sent = 0;
    // A line of nothing is the dearest to keep.
    while let Ok(n) = stream.write(&[b'\n'; 64 * 1024]) {
        sent += n;
        assert!(sent < 64 << 20, "the server takes lines for ever");
    }
    assert!(sent > 256 * 1024, "{sent}");
    if and_reset {
        reset(stream);
        ftp.leave();
        assert!(data.read_to_end(&mut Vec::new()).is_err(), "its transfer is over, too");
        until("the session is over", || threads(&site.server) == 1);
    } else {
        let mut bytes = Vec::new();
        data.read_to_end(&mut bytes).unwrap();
        assert!(bytes == large);
        ftp.expect(226);
        ftp.expect(500);
    }
    memory(&site.server) - before
}

#[test]
fn a_client_that_says_too_much_ahead_is_held_up() {
    let grown = memory_for_much_ahead(false);
    assert!(grown < 1 << 20, "{grown} bytes");
}

#[test]
fn what_a_client_said_that_was_reset_is_not_kept() {
    let grown = memory_for_much_ahead(true);
    assert!(grown < 1 << 20, "{grown} bytes");
}

#[test]
fn stat_is_answered_during_a_transfer() {
    let site = Site::new(&[]);
    let (mut ftp, data) = half_an_upload(&site, "STOR a");
    assert!(ftp.ask("STAT", 213).contains(" 4 bytes"));
    drop(data);
    ftp.expect(226);
}

#[test]
fn a_full_disk_is_an_error_and_leaves_no_litter() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().to_str().unwrap();
    let script = format!("mount -t tmpfs -o size=256k none '{folder}' && exec \"$@\"");
    let Some(mut private) = private_mounts() else { return };
    let program = env!("CARGO_BIN_EXE_netplay");
    let server = Server::from(private.args(["sh", "-c", &script, "sh"]).args([
        program,
        "ftp",
        "server",
        "0",
        "-q",
        "--root",
        folder,
        "--user",
        "u",
        "--password",
        "p",
    ]));
    let mut ftp = Ftp::new(server.address()).logged_in();
    ftp.store("STOR small", "fits");
    let mut data = ftp.begin("STOR large");
    let _ = data.write_all(&content(4 << 20));
    ftp.expect(452);
    assert_eq!(ftp.list("NLST"), ["small"]);
    ftp.store("STOR other", content(100_000));
}

// ---- it holds up

#[test]
fn a_data_connection_that_never_comes_is_given_up() {
    let site = Site::new(&["--data-wait", "0.2"]);
    let mut ftp = site.client();
    let address = ftp.passive();
    ftp.ask("LIST", 150);
    ftp.expect(425);
    assert!(TcpStream::connect(address).is_err(), "the port is still held");
    // Active: a port where nobody listens.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    ftp.ask(&format!("EPRT |1|127.0.0.1|{gone}|"), 200);
    ftp.ask("LIST", 150);
    ftp.expect(425);
    assert!(ftp.list("NLST").is_empty());
}

#[test]
fn a_reader_that_reads_nothing_is_cut_and_holds_up_nobody() {
    let site = Site::new(&["--stall-timeout", "0.3"]);
    site.write("large", content(LARGE));
    let mut ftp = site.client();
    let _unread = ftp.begin("RETR large");
    let mut other = site.client();
    assert_eq!(other.list("NLST"), ["large"]);
    ftp.expect(426);
    ftp.ask("NOOP", 200);
}

#[test]
fn a_writer_that_writes_nothing_is_cut() {
    let site = Site::new(&["--stall-timeout", "0.3"]);
    let (mut ftp, _data) = half_an_upload(&site, "STOR a");
    ftp.expect(426);
    only_the_old_version_is_there(&site);
}

#[test]
fn a_silent_client_is_told_to_go() {
    let site = Site::new(&["--idle-timeout", "0.3"]);
    let mut guest = site.guest();
    guest.send("NOO"); // half a command is no command
    guest.expect(421);
    guest.ended();
}

#[test]
fn a_client_that_reads_no_replies_is_given_up() {
    let site = Site::new(&["--stall-timeout", "0.3"]);
    let ftp = site.client();
    let mut stream = ftp.stream().try_clone().unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
    let lines = "HELP\r\n".repeat(10_000);
    let mut sent = 0;
    while stream.write_all(lines.as_bytes()).is_ok() {
        sent += lines.len();
        assert!(sent < 1 << 30, "the server takes lines for ever");
    }
    assert_eq!(site.client().list("NLST"), [""; 0]);
}

#[test]
fn more_clients_than_allowed_are_told_to_come_back() {
    let site = Site::new(&["--max-clients", "3", "--max-per-host", "2"]);
    let mut first = site.client();
    let second = site.client();
    let mut turned_away = Ftp { control: BufReader::new(connect(site.server.address())) };
    turned_away.expect(421);
    turned_away.ended();
    let _over_v6 = site.client_v6();
    let v6 = SocketAddr::new(Ipv6Addr::LOCALHOST.into(), site.port());
    let mut turned_away = Ftp { control: BufReader::new(connect(v6)) };
    turned_away.expect(421);
    first.ask("NOOP", 200);
    drop(second);
    until("the place is given back", || {
        let mut line = String::new();
        let mut stream = BufReader::new(connect(site.server.address()));
        stream.read_line(&mut line).unwrap();
        line.starts_with("220")
    });
}

#[test]
fn resets_and_hasty_clients_leave_nothing_behind() {
    let site = Site::new(&[]);
    site.write("a", content(100_000));
    site.client().ask("QUIT", 221);
    until("the first session is over", || site.descriptors() < 15);
    let before = site.descriptors();
    for round in 0..200 {
        let stream = connect(site.server.address());
        match round % 4 {
            0 => reset(stream),
            1 => drop(stream),
            2 => {
                let mut stream = stream;
                stream.write_all(b"USER u\r\nPASS p\r\nPASV\r\nRETR a\r\nLIST").unwrap();
                reset(stream);
            }
            _ => {
                let mut ftp = site.client();
                let data = ftp.begin("RETR a");
                reset(data);
                ftp.leave();
            }
        }
    }
    until("every descriptor is given back", || site.descriptors() <= before);
    assert_eq!(site.client().fetch("RETR a").len(), 100_000);
}

#[test]
fn thousands_of_clients_leave_nothing_behind() {
    let site = Site::new(&[]);
    site.client().ask("QUIT", 221);
    until("the first session is over", || threads(&site.server) == 1);
    let before = site.descriptors();
    for n in 0..2000 {
        let mut ftp = site.guest();
        if n % 2 == 0 {
            ftp.ask("QUIT", 221);
            ftp.ended();
        }
    }
    until("every session is over", || threads(&site.server) == 1);
    assert_eq!(site.descriptors(), before);

    // 200 at once: as many as may are served, all of them; the others are told to come back.
    let mut crowd: Vec<Ftp> =
        (0..200).map(|_| Ftp { control: BufReader::new(connect(site.server.address())) }).collect();
    let (mut served, mut refused) = (Vec::new(), 0);
    for mut ftp in crowd.drain(..) {
        match &ftp.reply()[..3] {
            "220" => served.push(ftp),
            "421" => {
                ftp.ended();
                refused += 1;
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!((served.len(), refused), (64, 136));
    served.iter_mut().for_each(|ftp| drop(ftp.ask("NOOP", 200)));
    drop(served);
    until("the crowd has gone", || threads(&site.server) == 1);
    assert_eq!(site.descriptors(), before);
    assert!(site.client().list("NLST").is_empty());
}

#[test]
fn without_descriptors_the_others_are_still_served() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("a"), "hello").unwrap();
    let script = "ulimit -n 24; exec \"$@\"";
    let server = Server::from(Command::new("sh").args(["-c", script, "sh"]).args([
        env!("CARGO_BIN_EXE_netplay"),
        "ftp",
        "server",
        "0",
        "-q",
        "--user",
        "u",
        "--password",
        "p",
        "--root",
        root.path().to_str().unwrap(),
    ]));
    let mut ftp = Ftp::new(server.address()).logged_in();
    let crowd: Vec<TcpStream> = (0..40).map(|_| connect(server.address())).collect();
    until("no descriptor is left", || {
        // A port that could be had is given back at once: the crowd shall have its descriptor.
        let port = ftp.try_to("EPSV");
        ftp.ask("ABOR", 226);
        port.starts_with("425")
    });
    drop(crowd);
    until("the crowd's are given back", || descriptors(&server) < 12);
    assert_eq!(ftp.fetch("RETR a"), b"hello");
}

// ---- real clients

/// Runs a client; its output, if it ends well.
#[track_caller]
fn works(command: &mut Command) -> String {
    let ended = finish(command, b"");
    let (out, err) =
        (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success(), "{command:?}: {}\n{out}\n{err}", ended.status);
    out.into_owned()
}

fn loopbacks() -> [IpAddr; 2] {
    [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
}

#[test]
fn python_ftplib_works() {
    if !have("python3") {
        return skip("no python3");
    }
    let site = Site::new(&[]);
    let script = r#"
import ftplib, io, sys
big = bytes(range(256)) * 20000
for host in "127.0.0.1", "::1":
    for passive in True, False:
        f = ftplib.FTP(timeout=20)
        assert f.connect(host, int(sys.argv[1])).startswith("220")
        f.login("u", "p")
        f.set_pasv(passive)
        f.mkd("d"); f.cwd("d"); assert f.pwd() == "/d"
        f.storbinary("STOR big", io.BytesIO(big))
        assert f.size("big") == len(big)
        got = io.BytesIO(); f.retrbinary("RETR big", got.write); assert got.getvalue() == big
        got = io.BytesIO(); f.retrbinary("RETR big", got.write, rest=1000); assert got.getvalue() == big[1000:]
        f.storlines("STOR text", io.BytesIO(b"one\ntwo\n"))
        lines = []; f.retrlines("RETR text", lines.append); assert lines == ["one", "two"]
        assert sorted(f.nlst()) == ["big", "text"], f.nlst()
        assert sorted(n for n, facts in f.mlsd() if facts["type"] == "file") == ["big", "text"]
        lines = []; f.retrlines("LIST", lines.append); assert len(lines) == 2
        f.voidcmd("TYPE I")
        conn = f.transfercmd("RETR big"); conn.recv(10)
        assert f.abort().startswith("426"); assert f.voidresp().startswith("226"); conn.close()
        assert f.voidcmd("NOOP").startswith("200")
        f.rename("big", "b"); f.delete("b"); f.delete("text"); f.cwd(".."); f.rmd("d")
        assert f.quit().startswith("221")
"#;
    works(Command::new("python3").args(["-c", script, &site.port().to_string()]));
    assert!(site.names().is_empty());
}

#[test]
fn curl_works() {
    if !have("curl") {
        return skip("no curl");
    }
    let site = Site::new(&[]);
    let here = tempfile::tempdir().unwrap();
    let bytes = content(1_000_000);
    fs::write(here.path().join("up"), &bytes).unwrap();
    for ip in loopbacks() {
        let url = format!("ftp://u:p@{}/", SocketAddr::new(ip, site.port()));
        let curl = |args: &[&str]| {
            works(
                Command::new("curl")
                    .args(["-sSg", "--max-time", "20"])
                    .args(args)
                    .current_dir(&here),
            )
        };
        for way in [&["--ftp-pasv"][..], &["--disable-epsv"], &["--ftp-port", "-"]] {
            let with = |args: &[&str]| curl(&[way, args].concat());
            with(&["-T", "up", &format!("{url}new/folder/a%20b"), "--ftp-create-dirs"]);
            assert_eq!(site.read("new/folder/a b"), bytes);
            with(&["-o", "down", &format!("{url}new/folder/a%20b")]);
            assert_eq!(fs::read(here.path().join("down")).unwrap(), bytes);
            fs::write(here.path().join("down"), &bytes[..400_000]).unwrap();
            with(&["-C", "-", "-o", "down", &format!("{url}new/folder/a%20b")]);
            assert_eq!(fs::read(here.path().join("down")).unwrap(), bytes);
            site.write("part", &bytes[..600_000]);
            with(&["-C", "-", "-T", "up", &format!("{url}part")]);
            assert_eq!(site.read("part"), bytes);
            assert!(with(&["-l", &url]).contains("part"));
            assert!(with(&[&url]).contains(" 1000000 "));
            assert!(with(&["-I", &format!("{url}part")]).contains("Content-Length: 1000000"));
            with(&[&url, "-Q", "DELE part", "-o", "/dev/null"]);
            assert!(!site.path("part").exists());
        }
    }
}

#[test]
fn lftp_works() {
    if !have("lftp") {
        return skip("no lftp");
    }
    let site = Site::new(&[]);
    let here = tempfile::tempdir().unwrap();
    let tree = here.path().join("tree");
    fs::create_dir_all(tree.join("deep/er")).unwrap();
    for i in 0..20 {
        fs::write(tree.join(format!("deep/file {i}")), content(i * 1000)).unwrap();
    }
    fs::write(tree.join("deep/er/big"), content(3_000_000)).unwrap();
    for ip in loopbacks() {
        let lftp = |script: &str| {
            let open = format!(
                "set cmd:fail-exit yes; set net:max-retries 1; set net:timeout 20; open -u u,p ftp://{}; ",
                SocketAddr::new(ip, site.port())
            );
            works(Command::new("lftp").args(["--norc", "-c", &(open + script)]).current_dir(&here))
        };
        let there = if ip.is_ipv4() { "v4" } else { "v6" };
        lftp(&format!("mirror -R -P 3 tree {there}; mirror -P 3 {there} back-{there}"));
        let back = here.path().join(format!("back-{there}"));
        works(Command::new("diff").args(["-r"]).arg(&tree).arg(&back));
        works(Command::new("diff").args(["-r"]).arg(&tree).arg(site.path(there)));
        fs::write(here.path().join("big"), &content(3_000_000)[..1_234_567]).unwrap();
        lftp(&format!("get -c {there}/deep/er/big; pget -n 4 {there}/deep/er/big -o pieces"));
        assert_eq!(fs::read(here.path().join("big")).unwrap(), content(3_000_000));
        assert_eq!(fs::read(here.path().join("pieces")).unwrap(), content(3_000_000));
        fs::remove_file(here.path().join("pieces")).unwrap();
        lftp(&format!(
            "set ftp:passive-mode no; put big -o {there}/active; ls {there}; rm -r {there}"
        ));
    }
    assert!(site.names().is_empty());
}

#[test]
fn ncftp_works() {
    if !have("ncftpget") || !have("ncftpput") || !have("ncftpls") {
        return skip("no ncftp");
    }
    let site = Site::new(&[]);
    let (here, port) = (tempfile::tempdir().unwrap(), site.port().to_string());
    let ncftp = |program: &str, args: &[&str]| {
        let mut command = Command::new(program);
        command.args(["-u", "u", "-p", "p", "-P", &port]).args(args);
        works(command.current_dir(&here).env("HOME", here.path()))
    };
    fs::create_dir_all(here.path().join("tree/deep")).unwrap();
    fs::write(here.path().join("tree/a b"), content(70_000)).unwrap();
    fs::write(here.path().join("tree/deep/x"), "x").unwrap();
    works(
        Command::new("touch")
            .args(["-d", "1965-03-04T05:06:07Z"])
            .arg(here.path().join("tree/a b")),
    );
    ncftp("ncftpput", &["-m", "-R", "127.0.0.1", "/new/folder", "tree"]);
    works(
        Command::new("diff")
            .arg("-r")
            .arg(here.path().join("tree"))
            .arg(site.path("new/folder/tree")),
    );
    let modified = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
    let there = modified(&site.path("new/folder/tree/a b"));
    assert_eq!(there, modified(&here.path().join("tree/a b")), "MFMT");
    symlink("tree/a b", site.path("new/folder/link")).unwrap();
    symlink("nowhere", site.path("new/folder/broken")).unwrap();
    let listed = ncftp("ncftpls", &["-l", "ftp://127.0.0.1/new/folder/"]);
    assert!(
        listed.contains("link -> tree/a b") && listed.contains("broken -> nowhere"),
        "{listed}"
    );
    fs::write(here.path().join("a b"), &content(70_000)[..1234]).unwrap();
    ncftp("ncftpget", &["-z", "127.0.0.1", ".", "new/folder/tree/a b", "new/folder/link"]);
    for name in ["a b", "link"] {
        assert_eq!(fs::read(here.path().join(name)).unwrap(), content(70_000), "{name}");
        assert_eq!(modified(&here.path().join(name)), there, "{name}");
    }
}

#[test]
fn busybox_works() {
    if !have("busybox") {
        return skip("no busybox");
    }
    let site = Site::new(&[]);
    let (here, port) = (tempfile::tempdir().unwrap(), site.port().to_string());
    let busybox = |applet: &str, args: &[&OsStr]| {
        let mut command = Command::new("busybox");
        command.args([applet, "-u", "u", "-p", "p", "-P", &port]);
        if applet == "ftpget" {
            command.arg("-c");
        }
        works(command.arg("127.0.0.1").args(args).current_dir(&here))
    };
    // A name of cp1251, with the byte 255 in it, said once.
    let name = OsStr::from_bytes(b"\xff\xf9\xe8\xea a");
    fs::write(here.path().join("up"), content(70_000)).unwrap();
    busybox("ftpput", &[name, OsStr::new("up")]);
    assert_eq!(fs::read(site.root.path().join(name)).unwrap(), content(70_000));
    fs::write(here.path().join("down"), &content(70_000)[..1234]).unwrap();
    busybox("ftpget", &[OsStr::new("down"), name]);
    assert_eq!(fs::read(here.path().join("down")).unwrap(), content(70_000));
}

#[test]
fn rclone_works() {
    if !have("rclone") {
        return skip("no rclone");
    }
    let site = Site::new(&[]);
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("conf"), "").unwrap();
    let obscured = works(Command::new("rclone").args(["obscure", "p"]));
    let conf = format!(
        "[there]\ntype = ftp\nhost = 127.0.0.1\nport = {}\nuser = u\npass = {obscured}\n",
        site.port()
    );
    fs::write(here.path().join("conf"), conf).unwrap();
    let rclone = |args: &[&str]| {
        let mut command = Command::new("rclone");
        command.args(["--config", "conf", "--retries", "1", "--low-level-retries", "1"]).args(args);
        works(command.current_dir(&here))
    };
    fs::create_dir_all(here.path().join("tree/deep er")).unwrap();
    fs::write(here.path().join("tree/a"), content(70_000)).unwrap();
    fs::write(here.path().join("tree/deep er/世界"), "").unwrap();
    works(
        Command::new("touch").args(["-d", "1965-03-04T05:06:07Z"]).arg(here.path().join("tree/a")),
    );
    rclone(&["sync", "tree", "there:up"]);
    let modified = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
    assert_eq!(modified(&site.path("up/a")), modified(&here.path().join("tree/a")), "MFMT");
    symlink("b", site.path("up/link")).unwrap();
    symlink("nowhere", site.path("up/broken")).unwrap();
    symlink("..", site.path("up/back")).unwrap();
    rclone(&["moveto", "there:up/a", "there:up/b"]);
    rclone(&["deletefile", "there:up/link"]);
    rclone(&["sync", "there:up", "tree"]);
    assert_eq!(names_in(&here.path().join("tree")), ["b", "deep er"]);
    assert_eq!(fs::read(here.path().join("tree/b")).unwrap(), content(70_000));
    assert_eq!(modified(&here.path().join("tree/b")), modified(&site.path("up/b")));
}

#[test]
fn wget_works() {
    if !have("wget") {
        return skip("no wget");
    }
    let site = Site::new(&[]);
    fs::create_dir_all(site.path("d/e")).unwrap();
    site.write("d/one", content(5000));
    site.write("d/e/two", content(70_000));
    let here = tempfile::tempdir().unwrap();
    for (i, ip) in loopbacks().into_iter().enumerate() {
        let url = format!("ftp://{}/d/", SocketAddr::new(ip, site.port()));
        let to = here.path().join(i.to_string());
        works(
            Command::new("wget")
                .args(["-q", "-r", "-nH", "-t", "1", "-T", "20", "--user=u", "--password=p", "-P"])
                .arg(&to)
                .arg(url),
        );
        works(Command::new("diff").arg("-r").arg(site.path("d")).arg(to.join("d")));
    }
}

#[test]
fn tnftp_works() {
    if !have("tnftp") {
        return skip("no tnftp");
    }
    let site = Site::new(&[]);
    let bytes = content(200_000);
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("up"), &bytes).unwrap();
    for ip in loopbacks() {
        for way in [&[][..], &["-A"]] {
            let script = "user u p\nmkdir d\ncd d\nput up\nrename up b\nget b down\nappend up b\nls\nsize b\n\
                          modtime b\nmget *\nmdelete z*\nascii\nput up text\nget text text\ndelete b\ndelete text\ncdup\nrmdir d\nquit\n";
            let mut tnftp = Command::new("tnftp");
            tnftp
                .args(["-n", "-i", "-v"])
                .args(way)
                .arg(ip.to_string())
                .arg(site.port().to_string());
            let ended = finish(tnftp.current_dir(&here), script.as_bytes());
            let said = String::from_utf8_lossy(&ended.stdout).into_owned();
            assert!(ended.status.success(), "{said}");
            assert_eq!(fs::read(here.path().join("down")).unwrap(), bytes, "{said}");
            assert_eq!(fs::read(here.path().join("b")).unwrap().len(), 400_000, "{said}");
            fs::remove_file(here.path().join("b")).unwrap();
            assert!(said.contains("400000") && said.contains("221 Goodbye"), "{said}");
            assert!(site.names().is_empty(), "{said}");
        }
    }
}

#[test]
fn the_demo_tells_both_connections() {
    let ended = common::run(&["ftp", "demo"], b"");
    let told = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success(), "{told}\n{}", String::from_utf8_lossy(&ended.stderr));
    for part in [
        "227 Entering Passive Mode (127,0,0,1,",
        " x 256 + ",
        "sendfile",
        "226 It is done.",
        "the same here and there",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn the_document_names_tests_that_are_there() {
    let document = include_str!("../../docs/ftp.md");
    let tests = concat!(
        include_str!("ftp.rs"),
        include_str!("ftp_client.rs"),
        include_str!("ftp_strangers.rs"),
        include_str!("../../src/examples/ftp/names.rs")
    );
    let named: Vec<&str> = document
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| name.contains('_') && !name.contains('/'))
        .collect();
    assert!(named.len() > 40, "{named:?}");
    for name in named {
        assert!(tests.contains(&format!("fn {name}(")), "docs/ftp.md names {name}");
    }
}
