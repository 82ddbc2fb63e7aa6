//! What the FTP client claims: that its menu works (`src/examples/ftp/client.rs`); and, of `get` and
//! `put`, exit codes, whole files, and how they go on where a transfer was cut (`get_put.rs`). The
//! server is ours, pyftpdlib or vsftpd: a claim that needs a server holds for each.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, SystemTime};

use crate::common::{self, DEADLINE, Server, finish, have, names_in, netplay, skip};
use tempfile::TempDir;

// ---- servers and clients

/// A server with a folder of its own. User `ftp`, password `p`.
struct Site {
    server: Server,
    root: TempDir,
    /// Whether Tab can learn from it what is a folder: MLSD is younger than some servers.
    mlsd: bool,
    /// Whether a name may be bytes that are no UTF-8, and control characters.
    any_name: bool,
    /// What it reads before each session.
    _settings: Option<TempDir>,
}

type Start = fn(IpAddr) -> Site;

const PYFTPDLIB: &str = r#"
import sys
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer
FTPHandler.authorizer = DummyAuthorizer()
FTPHandler.authorizer.add_user("ftp", "p", sys.argv[2], perm="elradfmwMT")
server = FTPServer((sys.argv[1], 0), FTPHandler)
host, port = server.address[:2]
print("ready: tcp", f"[{host}]:{port}" if ":" in host else f"{host}:{port}", flush=True)
server.serve_forever()
"#;

/// vsftpd cannot be given port 0, but a connection that somebody else has accepted, as inetd does.
const INETD: &str = r#"
import socket, subprocess, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
listener = socket.create_server((sys.argv[1], 0), family=family)
host, port = listener.getsockname()[:2]
print("ready: tcp", f"[{host}]:{port}" if ":" in host else f"{host}:{port}", flush=True)
while True:
    with listener.accept()[0] as peer:
        subprocess.Popen(sys.argv[2:], stdin=peer, stdout=peer, stderr=peer)
"#;

impl Site {
    fn ours(ip: IpAddr) -> Site {
        let root = tempfile::tempdir().unwrap();
        let mut command = netplay();
        command.args(["ftp", "server", &ip.to_string(), "0", "-q", "--user", "ftp"]);
        let server = Server::from(command.args(["--password", "p", "--root"]).arg(root.path()));
        Site { server, root, mlsd: true, any_name: true, _settings: None }
    }

    fn pyftpdlib(ip: IpAddr) -> Site {
        let root = tempfile::tempdir().unwrap();
        let mut python = Command::new("python3");
        let server = Server::from(python.args(["-c", PYFTPDLIB, &ip.to_string()]).arg(root.path()));
        Site { server, root, mlsd: true, any_name: false, _settings: None }
    }

    fn vsftpd(ip: IpAddr) -> Site {
        let root = tempfile::tempdir().unwrap();
        // It reads no settings but those of whoever runs it, and these are of whoever has the source.
        let place = tempfile::tempdir().unwrap();
        let (settings, passwords) = (place.path().join("conf"), place.path().join("passwords"));
        fs::write(&settings, include_str!("../peers/vsftpd.conf")).unwrap();
        fs::write(&passwords, "p\n").unwrap();
        let mut python = Command::new("python3");
        python.args(["-c", INETD, &ip.to_string(), "vsftpd"]).arg(settings);
        python.args(["-olisten=NO", "-olisten_ipv6=NO", "-osecure_email_list_enable=YES"]);
        python.arg(format!("-oemail_password_file={}", passwords.display()));
        let server = Server::from(python.arg(format!("-oanon_root={}", root.path().display())));
        Site { server, root, mlsd: false, any_name: true, _settings: Some(place) }
    }

    /// Ours, pyftpdlib and vsftpd, over IPv4 and IPv6.
    fn all() -> Vec<Site> {
        let pyftpdlib = Command::new("python3").args(["-c", "import pyftpdlib"]).output();
        let pyftpdlib = pyftpdlib.is_ok_and(|found| found.status.success());
        let peers: [(&str, bool, Start); 3] = [
            ("netplay", true, Site::ours),
            ("pyftpdlib", pyftpdlib, Site::pyftpdlib),
            ("vsftpd", have("vsftpd") && have("python3"), Site::vsftpd),
        ];
        let mut sites = Vec::new();
        for (name, there, start) in peers {
            if there {
                sites.extend(loopbacks().map(start));
            } else {
                skip(&format!("no {name}"));
            }
        }
        sites
    }

    fn one() -> Site {
        Site::ours(Ipv4Addr::LOCALHOST.into())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn url(&self, path: &str) -> String {
        url(self.server.address(), path)
    }
}

fn loopbacks() -> [IpAddr; 2] {
    [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
}

fn url(address: SocketAddr, path: &str) -> String {
    format!("ftp://ftp:p@{address}/{path}")
}

/// How a tool ended: its exit code, what it printed, what it told.
struct Ended {
    code: i32,
    out: String,
    err: String,
}

fn tool(here: &Path, args: &[&str]) -> Ended {
    let mut command = netplay();
    command.args(["ftp"]).args(args).args(["--timeout", "20"]).current_dir(here);
    command.env("TERM", "xterm"); // there is no terminal, whatever this says
    let ended = finish(&mut command, b"");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    Ended { code: ended.status.code().unwrap(), out: text(&ended.stdout), err: text(&ended.stderr) }
}

impl Ended {
    #[track_caller]
    fn well(self, out: &str) -> Ended {
        assert_eq!((self.code, self.out.as_str()), (0, out), "{}", self.err);
        self
    }

    #[track_caller]
    fn badly(self, code: i32, why: &str) -> Ended {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        assert!(self.err.contains(why), "{why}: {}", self.err);
        self
    }
}

/// Bytes in which no piece is like another.
fn content(len: usize) -> Vec<u8> {
    (0..len as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// A server for one session over IPv4 that ends all of it, without a word, after so many bytes of a
/// transfer: as if the network was gone. Uploads leave the part that came. A file that is not so long
/// arrives, and is longer then.
fn cutter(root: &Path, after: u64) -> (SocketAddr, thread::JoinHandle<()>) {
    odd(root, after, Odd { hangs: false, tells_sizes: true })
}

/// What else is odd about it.
#[derive(Clone, Copy)]
struct Odd {
    /// It does not end what it cuts: nothing more comes, and it waits for the client to go.
    hangs: bool,
    tells_sizes: bool,
}

fn odd(root: &Path, after: u64, odd: Odd) -> (SocketAddr, thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, root) = (listener.local_addr().unwrap(), root.to_owned());
    let session = move || {
        let control = listener.accept().unwrap().0;
        control.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut lines = BufReader::new(control.try_clone().unwrap()).lines();
        let say = |text: String| (&control).write_all(format!("{text}\r\n").as_bytes()).unwrap();
        let mut data = None;
        say("220 hello".into());
        while let Some(Ok(line)) = lines.next() {
            let (verb, name) = line.split_once(' ').unwrap_or((&line, ""));
            let path = root.join(name);
            match verb {
                "PASV" => {
                    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                    let [high, low] = listener.local_addr().unwrap().port().to_be_bytes();
                    say(format!("227 (127,0,0,1,{high},{low})"));
                    data = Some(listener);
                }
                "SIZE" if path.exists() && odd.tells_sizes => {
                    say(format!("213 {}", path.metadata().unwrap().len()))
                }
                "MDTM" if path.exists() => say(format!("213 {}", mdtm(&path))),
                "SIZE" | "MDTM" => say("550 no".into()),
                "RETR" | "STOR" => {
                    let data = data.take().unwrap().accept().unwrap().0;
                    say("150 here it comes".into());
                    if verb == "RETR" {
                        let mut bytes = File::open(&path).unwrap().take(after);
                        if std::io::copy(&mut bytes, &mut &data).unwrap() < after {
                            drop(data);
                            let mut file = File::options().append(true).open(path).unwrap();
                            file.write_all(b"more").unwrap();
                            say("226 there it is".into());
                            continue;
                        }
                    } else {
                        let mut file = File::create(path).unwrap();
                        std::io::copy(&mut (&data).take(after), &mut file).unwrap();
                    }
                    if odd.hangs {
                        let gone = lines.next();
                        assert!(gone.is_none_or(|line| line.is_err()), "the client has gone");
                    }
                    return;
                }
                _ => say("200 so be it".into()),
            }
        }
    };
    (address, thread::spawn(session))
}

fn mdtm(path: &Path) -> String {
    let time = path.metadata().unwrap().modified().unwrap();
    chrono::DateTime::<chrono::Utc>::from(time).format("%Y%m%d%H%M%S").to_string()
}

// ---- the menu

/// The client with a folder of its own, and what it prints for these lines.
#[track_caller]
fn menu(to: SocketAddr, local: &Path, lines: &str) -> (bool, String, String) {
    let (host, port) = (to.ip().to_string(), to.port().to_string());
    let args = [
        "ftp",
        "client",
        &host,
        &port,
        "-q",
        "--timeout",
        "20",
        "--user",
        "ftp",
        "--password",
        "p",
    ];
    let ended = finish(netplay().args(args).current_dir(local), lines.as_bytes());
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    (ended.status.success(), text(&ended.stdout), text(&ended.stderr))
}

const WHOLE_MENU: &str = "mkdir \"a b\"\ncd \"a b\"\npwd\nupload here there\nsize there\nlist\n\
    download there back\nrename there here\nverify here\nrm here\ncd ..\nrmdir \"a b\"\nquit\n";

#[track_caller]
fn the_whole_menu_works(to: SocketAddr) {
    let here = tempfile::tempdir().unwrap();
    let bytes = content(2_000_000);
    fs::write(here.path().join("here"), &bytes).unwrap();
    let (done, out, err) = menu(to, here.path(), WHOLE_MENU);
    assert!(done, "{out}\n{err}");
    let lines: Vec<&str> = out.lines().collect();
    // vsftpd names the folder as the machine does: with what is above it.
    assert!(lines[0].starts_with('"') && lines[0].ends_with("/a b\""), "{out}");
    assert_eq!(lines[1..3], ["here: 2000000 bytes uploaded", "2000000"]);
    assert!(lines[3].contains(" 2000000 ") && lines[3].ends_with(" there"), "{out}");
    assert_eq!(
        lines[4..],
        ["there: 2000000 bytes downloaded", "here: 2000000 bytes, the same here and there"]
    );
    assert_eq!(fs::read(here.path().join("back")).unwrap(), bytes);
    assert_eq!(names_in(here.path()), ["back", "here"]);
}

#[test]
fn our_client_does_what_its_menu_says() {
    for site in Site::all() {
        the_whole_menu_works(site.server.address());
        assert!(names_in(site.root.path()).is_empty());
    }
}

#[test]
fn our_client_tells_what_could_not_be_done() {
    for site in Site::all() {
        let here = tempfile::tempdir().unwrap();
        fs::write(site.path("a"), "one").unwrap();
        fs::write(here.path().join("a"), "two").unwrap();
        for (line, why) in [
            ("download nothing", "the server says: 550"),
            ("verify a", "not the same"),
            ("cd nowhere", "the server says: 550"),
            ("upload nothing", "cannot read nothing"),
            ("frobnicate", "not on the menu"),
            ("download ..", "no name for a file"),
        ] {
            let lines = format!("size a\n{line}\nsize a\n");
            let (done, out, err) = menu(site.server.address(), here.path(), &lines);
            assert!(!done && out == "3\n", "{line}: a script goes no further: {out}\n{err}");
            assert!(err.contains(why), "{line}: {err}");
        }
        assert_eq!(names_in(here.path()), ["a"]);
    }
}

// ---- get and put

#[test]
fn get_and_put_carry_files_over_both_families() {
    for site in Site::all() {
        let here = tempfile::tempdir().unwrap();
        let bytes = content(2_000_000);
        fs::write(here.path().join("a b"), &bytes).unwrap();
        fs::write(here.path().join("empty"), "").unwrap();
        let put = tool(here.path(), &["put", "a b", &site.url("x%20%25y")]);
        put.well("a b: 2000000 bytes uploaded\n");
        assert_eq!(fs::read(site.path("x %y")).unwrap(), bytes);
        fs::create_dir(site.path("sub")).unwrap();
        let quiet = tool(here.path(), &["put", "a b", "empty", &site.url("sub/"), "-q"]);
        quiet.well("a b: 2000000 bytes uploaded\nempty: 0 bytes uploaded\n");
        assert_eq!(fs::read(site.path("sub/a b")).unwrap(), bytes);
        assert_eq!(fs::read(site.path("sub/empty")).unwrap(), b"");

        let get = tool(here.path(), &["get", &site.url("x%20%25y"), "-o", "back"]);
        get.well("back: 2000000 bytes downloaded\n");
        assert_eq!(fs::read(here.path().join("back")).unwrap(), bytes);
        fs::create_dir(here.path().join("in")).unwrap();
        let both = [&site.url("sub/a%20b")[..], &site.url("sub/empty")];
        let get = tool(here.path(), &["get", both[0], both[1], "-o", "in"]);
        let get = get.well("in/a b: 2000000 bytes downloaded\nin/empty: 0 bytes downloaded\n");
        assert_eq!(get.err.matches("PASS").count(), 1, "one session: {}", get.err);
        assert_eq!(fs::read(here.path().join("in/a b")).unwrap(), bytes);
        assert_eq!(names_in(&here.path().join("in")), ["a b", "empty"]);
        let whole = |path: &Path| path.metadata().unwrap().modified().unwrap();
        let seconds = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let times = [here.path().join("back"), site.path("x %y")].map(|path| whole(&path));
        assert_eq!(seconds(times[0]).as_secs(), seconds(times[1]).as_secs(), "the file's own time");
    }
}

#[test]
fn a_cut_download_goes_on_where_it_was_cut() {
    for site in Site::all() {
        let here = tempfile::tempdir().unwrap();
        let bytes = content(1_000_000);
        fs::write(site.path("a"), &bytes).unwrap();
        let (address, session) = cutter(site.root.path(), 300_000);
        tool(here.path(), &["get", &url(address, "a")]).badly(1, "closed the connection");
        session.join().unwrap();
        assert_eq!(names_in(here.path()), ["a.part"], "no half file has the name of the whole");
        assert_eq!(fs::read(here.path().join("a.part")).unwrap(), bytes[..300_000]);

        let get = tool(here.path(), &["get", "--continue", &site.url("a")]);
        let get = get.well("a: 1000000 bytes downloaded\n");
        assert!(get.err.contains("REST 234464"), "64 KiB are compared: {}", get.err);
        assert_eq!(fs::read(here.path().join("a")).unwrap(), bytes);
        assert_eq!(names_in(here.path()), ["a"]);
    }
}

#[test]
fn a_cut_upload_goes_on_where_it_was_cut() {
    for site in Site::all() {
        let here = tempfile::tempdir().unwrap();
        let bytes = content(1_000_000);
        fs::write(here.path().join("a"), &bytes).unwrap();
        let (address, session) = cutter(site.root.path(), 300_000);
        assert_eq!(tool(here.path(), &["put", "a", &url(address, "a")]).code, 1);
        session.join().unwrap();
        assert_eq!(fs::read(site.path("a")).unwrap(), bytes[..300_000]);

        let put = tool(here.path(), &["put", "--continue", "a", &site.url("a")]);
        let put = put.well("a: 1000000 bytes uploaded\n");
        assert!(put.err.contains("APPE a") && put.err.contains("REST 234464"), "{}", put.err);
        assert_eq!(fs::read(site.path("a")).unwrap(), bytes);
        let put = tool(here.path(), &["put", "--continue", "a", &site.url("a")]);
        let put = put.well("a: 1000000 bytes uploaded\n");
        assert!(!put.err.contains("STOR"), "it is there already: {}", put.err);
    }
}

#[test]
fn a_file_that_changed_since_the_cut_is_fetched_from_the_start() {
    let (old, new) = (content(500_000), content(500_001)[1..].to_vec());
    for site in Site::all() {
        // Another time, and the same bytes at the cut; the same time, and other bytes there.
        for (other_time, have) in [(true, &new), (false, &old)] {
            let here = tempfile::tempdir().unwrap();
            fs::write(site.path("a"), &new).unwrap();
            let day = |n: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(n * 86_400);
            let set = |path: &Path, time| {
                File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
            };
            set(&site.path("a"), day(10_000));
            let mut part = have[..100_000].to_vec();
            part[0] ^= u8::from(other_time);
            fs::write(here.path().join("a.part"), part).unwrap();
            set(&here.path().join("a.part"), day(if other_time { 9_999 } else { 10_000 }));
            let get = tool(here.path(), &["get", "--continue", &site.url("a")]);
            let get = get.well("a: 500000 bytes downloaded\n");
            assert!(get.err.contains("fetched from the start"), "{}", get.err);
            assert_eq!(fs::read(here.path().join("a")).unwrap(), new);
            assert_eq!(names_in(here.path()), ["a"]);
        }
    }
}

#[test]
fn a_file_that_changes_while_it_is_fetched_is_not_called_whole() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(there.path().join("a"), content(10_000)).unwrap();
    let (address, session) = cutter(there.path(), 20_000);
    tool(here.path(), &["get", &url(address, "a")]).badly(1, "changed while it was fetched");
    session.join().unwrap();
    assert!(names_in(here.path()).is_empty(), "nothing to go on from");
}

#[test]
fn a_file_that_is_no_start_of_ours_is_sent_from_the_start() {
    let bytes = content(300_000);
    for site in Site::all() {
        let here = tempfile::tempdir().unwrap();
        fs::write(here.path().join("a"), &bytes).unwrap();
        for there in [content(200_001)[1..].to_vec(), content(400_000)] {
            fs::write(site.path("a"), there).unwrap();
            let put = tool(here.path(), &["put", "--continue", "a", &site.url("a")]);
            let put = put.well("a: 300000 bytes uploaded\n");
            assert!(put.err.contains("sent from the start"), "{}", put.err);
            assert_eq!(fs::read(site.path("a")).unwrap(), bytes);
        }
    }
}

#[test]
fn what_did_not_work_is_an_exit_code_and_a_sentence() {
    for site in Site::all() {
        let here = tempfile::tempdir().unwrap();
        fs::write(here.path().join("a"), "a").unwrap();
        fs::write(site.path("there"), "there").unwrap();
        let wrong = site.url("there").replace("ftp:p@", "ftp:wrong@");
        tool(here.path(), &["get", &wrong]).badly(1, "the server says: 530");
        tool(here.path(), &["get", &site.url("nothing")]).badly(1, "the server says: 550");
        tool(here.path(), &["put", "nothing", &site.url("x")]).badly(1, "cannot read nothing");
        tool(here.path(), &["put", "a", &site.url("no/where")]).badly(1, "the server says: 5");
        tool(here.path(), &["put", ".", &site.url("x")]).badly(1, "no ordinary file");
        tool(here.path(), &["get", &site.url("")]).badly(2, "no name for a file");
        let no_password = site.url("there").replace(":p@", "@");
        tool(here.path(), &["get", &no_password]).badly(1, "user ftp needs a password");
        assert_eq!(names_in(here.path()), ["a"], "nothing of it stays");
        assert_eq!(names_in(site.root.path()), ["there"]);

        // The others arrive all the same.
        let get = tool(here.path(), &["get", &site.url("nothing"), &site.url("there")]);
        let get = get.badly(1, "1 of 2 files did not arrive");
        assert_eq!(get.out, "there: 5 bytes downloaded\n");
        fs::write(here.path().join("password"), "p\n").unwrap();
        tool(here.path(), &["get", &no_password, "--password-file", "password"])
            .well("there: 5 bytes downloaded\n");
    }
}

/// What `location` does not read is refused where the command line is read.
#[test]
fn a_url_that_cannot_be_used_is_a_usage_error() {
    let here = tempfile::tempdir().unwrap();
    for url in ["http://h/a", "h/a", "ftp://h/a%00", "ftp://h/a%0d%0aDELE%20b", "ftp://h/a\nb"] {
        tool(here.path(), &["get", url]).badly(2, "invalid value");
        tool(here.path(), &["put", "a", url]).badly(2, "invalid value");
    }
    tool(here.path(), &["get"]).badly(2, "<URL>...");
    tool(here.path(), &["put", "ftp://h/a"]).badly(2, "<URL>");
}

/// Runs a command in a terminal of its own and types these lines, each when its prompt is seen:
/// the exit code, and the screen.
fn on_a_terminal(here: &Path, steps: &[&str], args: &[&str]) -> (i32, String) {
    on_a_terminal_of_type("xterm", here, steps, args)
}

fn on_a_terminal_of_type(kind: &str, here: &Path, steps: &[&str], args: &[&str]) -> (i32, String) {
    let mut python = Command::new("python3");
    python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/terminal.py")).args(steps);
    python.arg("--").arg(env!("CARGO_BIN_EXE_netplay")).args(args).current_dir(here);
    let ended = finish(python.env("LC_ALL", "C.UTF-8").env("TERM", kind), b"");
    let screen = String::from_utf8_lossy(&ended.stdout).into_owned();
    (ended.status.code().unwrap(), screen + &String::from_utf8_lossy(&ended.stderr))
}

#[test]
fn a_password_is_asked_for_and_not_shown() {
    if !have("python3") {
        return skip("no python3");
    }
    let site = Site::one();
    let here = tempfile::tempdir().unwrap();
    fs::write(site.path("a"), "hello").unwrap();
    let (host, port) = (site.server.address().ip().to_string(), site.server.port());
    let asked = "password of ftp: ";
    let menu = ["ftp", "client", &host, &port, "-q", "--user", "ftp"];
    let (code, screen) =
        on_a_terminal(here.path(), &[asked, "p\n", "> ", "size a\r", "> ", "quit\r"], &menu);
    assert!(code == 0 && screen.contains("\n5\r\n"), "{screen}");
    let get = ["ftp", "get", "-q", &site.url("a").replace(":p@", "@")];
    let (code, screen) = on_a_terminal(here.path(), &[asked, "p\n"], &get);
    assert_eq!((code, screen.as_str()), (0, "password of ftp: \r\na: 5 bytes downloaded\r\n"));
    assert_eq!(fs::read(here.path().join("a")).unwrap(), b"hello");
    let (code, screen) = on_a_terminal(here.path(), &[asked, "secret\n"], &get);
    assert!(code == 1 && screen.contains("530") && !screen.contains("secret"), "{screen}");
    let (code, screen) = on_a_terminal(here.path(), &[asked, "half\x03"], &get);
    assert_eq!((code, screen.as_str()), (130, "password of ftp: \r\n"));
}

#[test]
fn tab_completes_names_of_the_server() {
    if !have("python3") {
        return skip("no python3");
    }
    for site in Site::all() {
        let here = tempfile::tempdir().unwrap();
        fs::create_dir(site.path("folder")).unwrap();
        fs::write(site.path("folder/a long name"), "hello").unwrap();
        fs::write(here.path().join("mine.txt"), "").unwrap();
        let (host, port) = (site.server.address().ip().to_string(), site.server.port());
        let menu = ["ftp", "client", &host, &port, "-q", "--user", "ftp", "--password", "p"];
        let steps = [
            ["> ", "size fo\t"],
            if site.mlsd { ["folder/", "a\t"] } else { ["folder", "/a\t"] },
            ["a long name\"", "\r"],
            ["\n5\r\n", ""],
            ["> ", "up\t"],
            ["upload ", "mi\t"],
            ["mine.txt", " x\r"],
            ["uploaded", ""],
            ["> ", "quit\r"],
        ];
        let (code, screen) = on_a_terminal(here.path(), steps.as_flattened(), &menu);
        assert_eq!(code, 0, "{screen}");
        assert!(site.path("x").exists(), "{screen}");
    }
}

// ---- the bar

/// What can be read in the end on a screen to which all of this was written.
fn left_of(screen: &str) -> String {
    let mut lines = String::new();
    for line in screen.split('\n') {
        let (mut shown, mut column) = (Vec::new(), 0);
        for part in line.split_inclusive('\r') {
            // Clearing the line, or what is right of the cursor, which is in the first column then.
            let fresh = part.split("\x1b[2K").last().unwrap().split("\x1b[K").last().unwrap();
            if fresh.len() < part.len() {
                shown.clear();
            }
            for c in fresh.trim_end_matches('\r').chars() {
                shown.resize(shown.len().max(column + 1), ' ');
                shown[column] = c;
                column += 1;
            }
            if part.ends_with('\r') {
                column = 0;
            }
        }
        lines += String::from_iter(shown).trim_end();
        lines.push('\n');
    }
    lines
}

/// A folder here and a site, with a file `a` of 1,000,000 bytes in both.
fn two_of_a(site: Site) -> (TempDir, Site) {
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("a"), content(1_000_000)).unwrap();
    fs::write(site.path("a"), content(1_000_000)).unwrap();
    (here, site)
}

#[test]
fn a_bar_shows_a_transfer_on_a_terminal_and_leaves_nothing() {
    if !have("python3") {
        return skip("no python3");
    }
    for site in Site::all() {
        let (here, site) = two_of_a(site);
        let (host, port) = (site.server.address().ip().to_string(), site.server.port());
        let menu = ["ftp", "client", &host, &port, "--user", "ftp", "--password", "p"];
        let typed = |line| vec!["> ", line, "\r\na: ", "", "> ", "quit\r"];
        let url = site.url("a");
        let part = here.path().join("b.part");
        fs::write(&part, &content(1_000_000)[..300_000]).unwrap();
        let time = site.path("a").metadata().unwrap().modified().unwrap();
        let time = time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(time);
        File::options().write(true).open(&part).unwrap().set_modified(time).unwrap();
        for (steps, args, first) in [
            (vec![], &["ftp", "get", &url][..], " ] 0 B of 976.56 KiB"),
            (vec![], &["ftp", "get", "--ascii", &url], "-] 0 B of 976.56 KiB"),
            // 64 KiB are fetched once more.
            (
                vec![],
                &["ftp", "get", &url, "--continue", "--ascii", "-o", "b"],
                "-] 228.97 KiB of 976.56 KiB",
            ),
            (vec![], &["ftp", "put", "a", &url], " ] 0 B of 976.56 KiB"),
            (typed("download a\r"), &menu, " ] 0 B of 976.56 KiB"),
            (typed("upload a\r"), &menu, " ] 0 B of 976.56 KiB"),
            (typed("verify a\r"), &menu, " ] 0 B of 976.56 KiB"),
        ] {
            let (code, screen) = on_a_terminal(here.path(), &steps, args);
            assert!(code == 0 && screen.contains(first), "{args:?}: {first}: {screen}");
            let left = left_of(&screen);
            assert!(!left.contains(" of 976.56 KiB"), "{args:?}: {left}");
            for whole in ["connected to", "the end", "given back"] {
                assert!(left.contains(whole), "{args:?}: {whole}: {left}");
            }
        }
    }
}

#[test]
fn a_story_beside_a_bar_counts_the_calls_that_move_bytes() {
    if !have("python3") {
        return skip("no python3");
    }
    let (here, site) = two_of_a(Site::one());
    let large = content(20_000_000);
    fs::write(site.path("a"), &large).unwrap();
    let received = |told: &str| told.matches(" 65,536 bytes: ").count();
    let url = site.url("a");
    let (_, screen) = on_a_terminal(here.path(), &[], &["ftp", "get", &url]);
    assert!(received(&screen) <= 3 && screen.contains("-- ... recv "), "{screen}");
    // Where a story is written to a file, each call has its line.
    let get = tool(here.path(), &["get", &url]).well("a: 20000000 bytes downloaded\n");
    assert!(received(&get.err) > 3 && !get.err.contains("-- ... recv "), "{}", get.err);
}

#[test]
fn no_bar_where_it_cannot_be_shown_or_is_not_wanted() {
    if !have("python3") {
        return skip("no python3");
    }
    let (here, site) = two_of_a(Site::one());
    let url = site.url("a");
    let on = |kind, args: &[&str]| on_a_terminal_of_type(kind, here.path(), &[], args);
    fs::write(here.path().join("password"), "p\n").unwrap();
    let bare = url.replace(":p@", "@");
    let quiet = on("xterm", &["ftp", "get", &bare, "-q", "--password-file", "password"]);
    assert_eq!(quiet, (0, "a: 1000000 bytes downloaded\r\n".to_owned()));
    let (code, dumb) = on("dumb", &["ftp", "get", &url]);
    let piped = tool(here.path(), &["get", &url]).well("a: 1000000 bytes downloaded\n");
    for told in [dumb, piped.err] {
        assert!(code == 0 && told.contains("RETR"), "{told}");
        assert!(!told.contains("KiB") && !told.contains('\x1b'), "{told}");
    }
    // The bar has no colours: whoever wants none can have it all the same.
    let (_, plain) = on("xterm", &["ftp", "get", &url, "--color", "never"]);
    assert!(plain.contains(" of 976.56 KiB") && !plain.contains("\x1b[0"), "{plain}");
}

#[test]
fn ctrl_c_takes_the_bar_along() {
    if !have("python3") {
        return skip("no python3");
    }
    for (tells_sizes, shown) in [(true, "-] 1000 B of 976.56 KiB"), (false, "- 1000 B")] {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(there.path().join("a"), content(1_000_000)).unwrap();
        // One recv brings these bytes. When the bar has them, nothing else is about to be written:
        // with Ctrl-C a terminal forgets what it has not shown yet.
        let (address, session) = odd(there.path(), 1000, Odd { hangs: true, tells_sizes });
        let get = ["ftp", "get", "--ascii", &url(address, "a")];
        let (code, screen) = on_a_terminal(here.path(), &[shown, "\x03"], &get);
        session.join().unwrap();
        let left = left_of(&screen);
        assert!(code == 130 && left.ends_with("\n\n"), "{code}: {left}\n{screen}");
        assert!(!left.contains(shown) && !left.contains("^C"), "{left}");
        // 80 columns are taken for granted where the terminal does not say.
        let bar = screen.split("^C").next().unwrap().rsplit(['\r', '\n']).next().unwrap();
        let bar = bar.trim_start_matches("\x1b[2K");
        assert!(
            !bar.is_empty() && bar.chars().count() + 2 < 80,
            "^C has room behind the bar: {bar:?}"
        );
    }
}

#[test]
fn there_is_room_for_64_clients_unless_told_otherwise() {
    let help = |example| tool_help(&[example, "server", "--help"]);
    assert!(help("ftp").contains("come back later [default: 64]"), "{}", help("ftp"));
    assert!(help("poll").contains("listener's queue [default: 256]"), "{}", help("poll"));
    let site = Site::one();
    let greeting = || {
        let mut stream = site.server.connect();
        let mut code = [0; 3];
        stream.read_exact(&mut code).unwrap();
        (stream, code)
    };
    let guests: Vec<_> = (0..64).map(|_| greeting()).collect();
    assert!(guests.iter().all(|(_, code)| code == b"220"));
    assert_eq!(&greeting().1, b"421");
}

/// A help page, each paragraph in one line.
fn tool_help(args: &[&str]) -> String {
    let text = String::from_utf8(common::run(args, b"").stdout).unwrap();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn two_downloads_do_not_write_to_one_part() {
    let site = Site::one();
    let here = tempfile::tempdir().unwrap();
    fs::write(site.path("a"), "a").unwrap();
    let part = File::create(here.path().join("a.part")).unwrap();
    let lock = nix::fcntl::Flock::lock(part, nix::fcntl::FlockArg::LockExclusive).unwrap();
    tool(here.path(), &["get", "--continue", &site.url("a")]).badly(1, "another download");
    tool(here.path(), &["get", &site.url("a")]).well("a: 1 bytes downloaded\n");
    assert_eq!(names_in(here.path()), ["a", "a.part"]);
    drop(lock);
    tool(here.path(), &["get", "--continue", &site.url("a")]).well("a: 1 bytes downloaded\n");
    assert_eq!(names_in(here.path()), ["a"]);
}

#[test]
fn names_are_bytes_and_can_be_typed_as_they_are_shown() {
    let strange: &[&[u8]] =
        &[b"a\"b", b"a\\b", b" a ", b"-a", b"\xc4\xe3\xba\xc3", b"\xff\xfe", b"tab\there"];
    for site in Site::all().into_iter().filter(|site| site.any_name) {
        for (name, file) in strange.iter().map(|name| (name, OsStr::from_bytes(name))) {
            let here = tempfile::tempdir().unwrap();
            fs::write(here.path().join(file), "hello").unwrap();
            let in_url: String = name.iter().map(|byte| format!("%{byte:02x}")).collect();
            let mut put = netplay();
            put.args(["ftp", "put", "-q", "--timeout", "20"]).arg(Path::new(".").join(file));
            let put = finish(put.arg(site.url("")).current_dir(here.path()), b"");
            assert!(put.status.success(), "{name:?}: {put:?}");
            assert_eq!(fs::read(site.root.path().join(file)).unwrap(), b"hello");
            fs::remove_file(here.path().join(file)).unwrap();
            let get = tool(here.path(), &["get", "-q", &site.url(&in_url)]);
            assert!(get.code == 0 && here.path().join(file).exists(), "{name:?}: {}", get.err);

            let (done, list, err) = menu(site.server.address(), here.path(), "list\n");
            assert!(done, "{err}");
            // The last column: in quotes, or one word.
            let line = list.lines().next().unwrap();
            let typed = line
                .find('"')
                .map_or_else(|| line.split(' ').next_back().unwrap(), |at| &line[at..]);
            let lines = format!(
                "size {typed}\ndownload {typed} again\nrename {typed} x\nrename x {typed}\nrm {typed}\n\
                 mkdir {typed}\ncd {typed}\npwd\ncd ..\nrmdir {typed}\n"
            );
            let (done, out, err) = menu(site.server.address(), here.path(), &lines);
            let shown = out.lines().last().unwrap_or_default();
            let tail = &typed[usize::from(typed.starts_with('"'))..];
            assert!(
                done && out.starts_with("5\n") && shown.contains(tail),
                "{typed}: {out}\n{err}"
            );
            assert_eq!(fs::read(here.path().join("again")).unwrap(), b"hello");
            assert!(names_in(site.root.path()).is_empty());
        }
    }
}
