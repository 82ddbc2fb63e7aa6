//! What the FTP client does with a server that is a stranger: one that lies, drips, never ends, or is only
//! older than the others. Its files and its own are at stake: what it says, what it leaves, and how long it
//! takes. The server here says what a test tells it to.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{finish, have, names_in, netplay, skip, until, wait};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// What a test makes of a command.
enum Deed {
    /// What a good server does.
    Usual,
    /// All of it was done.
    Done,
    /// The server closes the control connection.
    Leave,
}

use Deed::{Done, Leave, Usual};

/// A session, as the server sees it.
struct Session {
    control: TcpStream,
    listener: Option<TcpListener>,
    rest: usize,
    file: Arc<Mutex<Vec<u8>>>,
}

impl Session {
    fn say(&mut self, text: &str) -> Deed {
        let _ = self.control.write_all(format!("{text}\r\n").as_bytes());
        Done
    }

    fn data(&mut self) -> TcpStream {
        self.listener.take().unwrap().accept().unwrap().0
    }

    /// Begins a download, and sends so much of it.
    fn send(&mut self, bytes: &[u8]) {
        self.say("150 here it comes");
        self.data().write_all(bytes).unwrap();
    }

    fn passive(&mut self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        self.listener = Some(listener);
        port
    }

    fn pasv(&mut self, before: &str, behind: &str) -> Deed {
        let [high, low] = self.passive().to_be_bytes();
        self.say(&format!("{before}127,0,0,1,{high},{low}{behind}"))
    }

    fn usual(&mut self, verb: &str) {
        let bytes = || self.file.lock().unwrap().clone();
        match verb {
            "" => self.say("220 hello"),
            "USER" => self.say("331 and?"),
            "PASS" => self.say("230 come in"),
            "FEAT" => self.say("211-these\r\n REST STREAM\r\n211 end"),
            "SIZE" => {
                let size = bytes().len();
                self.say(&format!("213 {size}"))
            }
            "MDTM" => self.say("213 20200203040506"),
            "PASV" => self.pasv("227 here (", ")"),
            "RETR" => {
                let bytes = bytes();
                self.say("150 here it comes");
                let from = std::mem::take(&mut self.rest);
                let _ = self.data().write_all(&bytes[from..]);
                self.say("226 there it is")
            }
            "STOR" | "APPE" => {
                self.say("150 go on");
                let mut bytes = Vec::new();
                let _ = self.data().read_to_end(&mut bytes);
                let mut file = self.file.lock().unwrap();
                if verb == "STOR" {
                    file.clear();
                }
                file.extend(bytes);
                drop(file);
                self.say("226 I have it")
            }
            "QUIT" => self.say("221 bye"),
            "MLST" => self.say("502 not here"),
            "RNFR" => self.say("350 and now?"),
            _ => self.say("200 so be it"),
        };
    }
}

/// A server with one file, for any number of sessions. `does` is asked first; the greeting is the verb "".
fn stranger(
    file: &[u8],
    does: impl Fn(&str, &[u8], &mut Session) -> Deed + Send + Sync + 'static,
) -> (SocketAddr, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let file = Arc::new(Mutex::new(file.to_vec()));
    let (held, does) = (file.clone(), Arc::new(does));
    thread::spawn(move || {
        while let Ok((control, _)) = listener.accept() {
            let (file, does) = (held.clone(), does.clone());
            thread::spawn(move || {
                let mut lines = BufReader::new(control.try_clone().unwrap());
                let mut session = Session { control, listener: None, rest: 0, file };
                let mut line = Vec::new();
                loop {
                    let text = line.strip_suffix(b"\r\n").unwrap_or(&line);
                    let at = text.iter().position(|&byte| byte == b' ').unwrap_or(text.len());
                    let verb = String::from_utf8_lossy(&text[..at]).into_owned();
                    let name = text.get(at + 1..).unwrap_or_default();
                    match does(&verb, name, &mut session) {
                        Usual if verb == "REST" => {
                            session.rest = String::from_utf8_lossy(name).parse().unwrap();
                            session.say("350 from there");
                        }
                        Usual => session.usual(&verb),
                        Done => {}
                        Leave => return,
                    }
                    line.clear();
                    if lines.read_until(b'\n', &mut line).unwrap_or(0) == 0 {
                        return;
                    }
                }
            });
        }
    });
    (address, file)
}

fn url(address: SocketAddr) -> String {
    format!("ftp://u:p@{address}/f")
}

fn tool(here: &Path, args: &[&str]) -> Output {
    let mut command = netplay();
    finish(command.args(["ftp"]).args(args).arg("-q").current_dir(here), b"")
}

fn get(here: &Path, to: SocketAddr, args: &[&str]) -> Output {
    tool(here, &[&["get", &url(to)], args].concat())
}

fn menu(here: &Path, to: SocketAddr, lines: &str) -> Output {
    let port = to.port().to_string();
    let args = ["ftp", "client", "-q", "127.0.0.1", &port, "--user", "u", "--password", "p"];
    finish(netplay().args(args).current_dir(here), lines.as_bytes())
}

#[track_caller]
fn ended(output: &Output, code: i32, out: &str, err: &str) {
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{stdout}\n{stderr}");
    assert!(stdout == out && stderr.contains(err), "{out:?} {err:?}: {stdout}\n{stderr}");
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const GOT: &str = "f: 5 bytes downloaded\n";

// ---- a server that never ends

#[test]
fn what_has_no_end_is_given_up() {
    let here = tempfile::tempdir().unwrap();
    let cases: [(&[u8], &str); 3] = [
        (&[b'A'; 4096], "a line of the server has no end"),
        (&[&b"220-"[..], &[b'A'; 2000], b"\r\n"].concat(), "reply has no end"),
        (b"220-x\r\n", "reply has no end"),
    ];
    for (piece, why) in cases {
        let piece = piece.to_vec();
        let (address, _) = stranger(b"", move |verb, _, session| {
            while verb.is_empty() && session.control.write_all(&piece).is_ok() {}
            Leave
        });
        ended(&get(here.path(), address, &[]), 1, "", why);
    }
}

#[test]
fn a_timeout_holds_for_a_whole_reply_however_it_drips() {
    let here = tempfile::tempdir().unwrap();
    for spot in ["", "USER", "SIZE", "RETR"] {
        let (address, _) = stranger(b"hello", move |verb, _, session| {
            if verb != spot {
                return Usual;
            }
            session.control.set_nodelay(true).unwrap();
            // A byte at a time, until the client has gone.
            while session.control.write_all(b"2").is_ok() {
                thread::sleep(Duration::from_millis(20));
            }
            Leave
        });
        let begun = Instant::now();
        ended(&get(here.path(), address, &["--timeout", "1"]), 1, "", "not whole after 1 s");
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(9), "{spot}: {took:?}");
        assert!(names_in(here.path()).is_empty());
    }
}

#[test]
fn a_silent_server_is_given_up_wherever_it_falls_silent() {
    let here = tempfile::tempdir().unwrap();
    for spot in ["", "PASS", "PASV", "RETR", "226"] {
        let (address, _) = stranger(b"hello", move |verb, _, session| {
            if verb == "RETR" && spot == "226" {
                session.send(b"hel");
                return Done;
            }
            if verb == spot { Done } else { Usual }
        });
        let ended = get(here.path(), address, &["--timeout", "0.5"]);
        assert_eq!(ended.status.code(), Some(1), "{spot}: {ended:?}");
    }
}

#[test]
fn more_bytes_than_were_announced_are_not_taken() {
    for client in ["get", "-o -", "menu"] {
        let here = tempfile::tempdir().unwrap();
        let taken = Arc::new(Mutex::new(None));
        let told = taken.clone();
        let (address, _) = stranger(b"hello", move |verb, _, session| {
            if verb != "RETR" {
                return Usual;
            }
            session.say("150 here it comes");
            let (mut data, mut n) = (session.data(), 0);
            while n < 300_000_000 && data.write_all(&[b'Z'; 65536]).is_ok() {
                n += 65536;
            }
            *told.lock().unwrap() = Some(n);
            session.say("226 that was it")
        });
        let output = match client {
            "get" => get(here.path(), address, &[]),
            "menu" => menu(here.path(), address, "download f\n"),
            _ => get(here.path(), address, &["-o", "-"]),
        };
        ended(&output, 1, "", "more bytes than it said");
        until("the server has noticed", || taken.lock().unwrap().is_some());
        assert!(taken.lock().unwrap().unwrap() < 50_000_000, "{taken:?}");
        assert!(names_in(here.path()).is_empty(), "{client}");
    }
}

// ---- the files here

#[test]
fn nothing_is_touched_before_the_server_agrees_to_send() {
    let here = tempfile::tempdir().unwrap();
    let own = ["f", "f.part", ".f.part"];
    for name in own {
        fs::write(here.path().join(name), "precious").unwrap();
    }
    let (address, _) = stranger(b"hello world", |verb, _, session| match verb {
        "RETR" => session.say("550 no"),
        "SIZE" | "MDTM" => session.say("550 no"),
        _ => Usual,
    });
    ended(&get(here.path(), address, &[]), 1, "", "the server says: 550 no");
    ended(&get(here.path(), address, &["--continue"]), 1, "", "f.part is left, with 8 bytes");
    ended(&menu(here.path(), address, "download f\n"), 1, "", "the server says: 550 no");
    assert_eq!(names_in(here.path()), [".f.part", "f", "f.part"]);
    for name in own {
        assert_eq!(fs::read(here.path().join(name)).unwrap(), b"precious");
    }
}

#[test]
fn only_an_ordinary_file_of_our_own_is_gone_on_from() {
    let (address, _) = stranger(b"hello", |_, _, _| Usual);
    for kind in ["link", "dangling", "second name", "folder", "fifo"] {
        let here = tempfile::tempdir().unwrap();
        let (part, victim) = (here.path().join("f.part"), here.path().join("victim"));
        fs::write(&victim, "pre").unwrap();
        match kind {
            "link" => std::os::unix::fs::symlink("victim", &part).unwrap(),
            "dangling" => std::os::unix::fs::symlink("elsewhere", &part).unwrap(),
            "second name" => fs::hard_link(&victim, &part).unwrap(),
            "folder" => fs::create_dir(&part).unwrap(),
            _ => nix::unistd::mkfifo(&part, nix::sys::stat::Mode::S_IRWXU).unwrap(),
        }
        let before = part.symlink_metadata().unwrap();
        ended(&get(here.path(), address, &["--continue"]), 1, "", "cannot go on behind f.part");
        // Without --continue it is none of our business.
        ended(&get(here.path(), address, &[]), 0, GOT, "f.part is left as it is");
        ended(&menu(here.path(), address, "download f g\n"), 0, GOT, "");
        assert_eq!(fs::read(&victim).unwrap(), b"pre", "{kind}");
        let after = part.symlink_metadata().unwrap();
        assert_eq!((before.ino(), before.mode()), (after.ino(), after.mode()), "{kind}");
        assert_eq!(names_in(here.path()), ["f", "f.part", "g", "victim"], "{kind}");
    }
}

#[test]
fn a_link_is_replaced_and_what_it_leads_to_is_left_alone() {
    let (address, _) = stranger(b"hello", |_, _, _| Usual);
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("victim"), "precious").unwrap();
    for name in ["f", "g"] {
        std::os::unix::fs::symlink("victim", here.path().join(name)).unwrap();
    }
    ended(&get(here.path(), address, &[]), 0, GOT, "");
    ended(&menu(here.path(), address, "download f g\n"), 0, GOT, "");
    assert_eq!(fs::read(here.path().join("victim")).unwrap(), b"precious");
    for name in ["f", "g"] {
        assert_eq!(fs::read(here.path().join(name)).unwrap(), b"hello");
        assert!(!here.path().join(name).is_symlink());
    }
}

#[test]
fn a_place_that_cannot_be_written_is_refused_before_anything_is_asked() {
    let here = tempfile::tempdir().unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    fs::create_dir(here.path().join("f")).unwrap();
    nix::unistd::mkfifo(&here.path().join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    std::os::unix::fs::symlink("/dev/null", here.path().join("null")).unwrap();
    std::os::unix::fs::symlink("/proc/self/fd/1", here.path().join("open")).unwrap();
    let long = "x".repeat(256);
    let places = ["no/where", "f/../fifo", "null", "/dev/null", "/proc/x", "no/", "no/.", "open"];
    for to in places.into_iter().chain([long.as_str()]) {
        ended(&get(here.path(), nobody, &["-o", to]), 1, "", "cannot write to ");
    }
    ended(&get(here.path(), nobody, &[]), 1, "", "no ordinary file");
    ended(&get(here.path(), nobody, &["-o", "-", "--continue"]), 2, "", "--continue");
    ended(&get(here.path(), nobody, &[&url(nobody), "-o", "-"]), 2, "", "several files");
    assert!(Path::new("/dev/null").metadata().unwrap().rdev() > 0);
}

#[test]
fn a_url_without_a_name_for_the_file_is_a_usage_error() {
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("x"), "").unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for path in ["", "/", "/d/", "/.", "/d/.."] {
        let url = format!("ftp://u:p@{nobody}{path}");
        for get in [&["get", url.as_str()][..], &["get", &url, "-o", "x"], &["get", &url, "-o-"]] {
            ended(&tool(here.path(), get), 2, "", "is no name for a file");
        }
    }
    assert_eq!(names_in(here.path()), ["x"]);
}

/// The part's name is longer than that of the file by `.part`.
#[test]
fn a_name_as_long_as_a_name_may_be_is_fetched() {
    for name in ["x".repeat(255), "x".repeat(251), format!("x{}", "世".repeat(84))] {
        let here = tempfile::tempdir().unwrap();
        let (address, _) = stranger(b"hello", |_, _, _| Usual);
        let url = format!("ftp://u:p@{address}/{name}");
        let got = format!("{name}: 5 bytes downloaded\n");
        ended(&tool(here.path(), &["get", &url]), 0, &got, "");
        ended(&menu(here.path(), address, &format!("download {name}\n")), 0, &got, "");
        assert_eq!(names_in(here.path()), [name.as_str()]);
        fs::remove_file(here.path().join(&name)).unwrap();
        let (address, _) = stranger(b"hello", |verb, _, session| {
            if verb == "RETR" {
                session.send(b"hel");
                session.say("426 no more")
            } else {
                Usual
            }
        });
        let url = format!("ftp://u:p@{address}/{name}");
        ended(&tool(here.path(), &["get", &url]), 1, "", ".part is left, with 3 bytes");
        let (address, _) = stranger(b"hello", |_, _, _| Usual);
        let url = format!("ftp://u:p@{address}/{name}");
        ended(&tool(here.path(), &["get", "--continue", &url]), 0, &got, "");
        assert_eq!(names_in(here.path()), [name.as_str()]);
    }
}

#[test]
fn dev_stdout_is_standard_output() {
    let (address, _) = stranger(b"hello", |_, _, _| Usual);
    let here = tempfile::tempdir().unwrap();
    ended(&get(here.path(), address, &["-o", "/dev/stdout"]), 0, "hello", "");
    assert!(Path::new("/dev/stdout").is_symlink());
}

/// Over FTP an empty name would be no name at all, which to a server is the folder.
#[test]
fn the_menu_sends_no_empty_name() {
    let said = Arc::new(Mutex::new(Vec::new()));
    let heard = said.clone();
    let (address, file) = stranger(b"hello", move |verb, name, _| {
        heard.lock().unwrap().push(format!("{verb} {}", text(name)));
        Usual
    });
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("g"), "mine").unwrap();
    let lines = [
        "list \"\"",
        "download \"\" x",
        "download f \"\"",
        "upload g \"\"",
        "verify \"\"",
        "cd \"\"",
        "mkdir \"\"",
        "rm \"\"",
        "rmdir \"\"",
        "rename f \"\"",
        "rename \"\" f",
        "size \"\"",
    ];
    for line in lines {
        ended(&menu(here.path(), address, &format!("{line}\n")), 1, "", "\"\" is no name");
    }
    let usual = ["", "USER", "PASS", "TYPE", "QUIT"];
    let verb = |line: &String| line.split(' ').next().unwrap().to_owned();
    let others: Vec<_> = said.lock().unwrap().drain(..).collect();
    assert!(others.iter().all(|line| usual.contains(&verb(line).as_str())), "{others:?}");
    // A folder there takes the file under its own name, as a folder here does.
    ended(&menu(here.path(), address, "upload g d/\n"), 0, "g: 4 bytes uploaded\n", "");
    assert!(said.lock().unwrap().contains(&"STOR d/g".to_owned()), "{said:?}");
    assert_eq!(*file.lock().unwrap(), b"mine");
}

/// The line editor takes Ctrl-C for a key, and reads none while the server is asked.
#[test]
fn ctrl_c_ends_a_question_of_tab_and_leaves_the_terminal_well() {
    if !have("python3") {
        return skip("no python3");
    }
    let (address, _) = stranger(b"", |verb, _, session| {
        if verb != "MLSD" {
            return Usual;
        }
        session.say("150 here it comes");
        let mut data = session.data();
        data.set_nodelay(true).unwrap();
        while data.write_all(b"type=file; x\r\n").is_ok() {
            thread::sleep(Duration::from_millis(20)); // a listing that trickles, and never ends
        }
        Leave
    });
    let mut python = Command::new("python3");
    python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/terminal.py"));
    python.args(["> ", "size fo\t", "Tab: what is there?", "\x03", "ended", ""]);
    python.args(["--", "sh", "-c", "trap : INT; \"$@\"; echo ended with $?; stty -a", "sh"]);
    python.args([env!("CARGO_BIN_EXE_netplay"), "ftp", "client", "-v", "127.0.0.1"]);
    python.args([&address.port().to_string(), "--user", "u", "--password", "p"]);
    let ended = finish(python.env("TERM", "xterm"), b"");
    let screen = text(&ended.stdout);
    assert!(screen.contains("ended with 130"), "{ended:?}");
    for mode in ["icanon", "echo", "isig", "icrnl", "opost"] {
        let mode = format!(" {mode} ");
        assert!(screen.replace(['\r', '\n', ';'], " ").contains(&mode), "{mode}: {screen}");
    }
}

/// The menu writes where it is told to, and not beside it.
#[test]
fn a_download_of_the_menu_goes_to_the_path_that_was_typed() {
    let (address, _) = stranger(b"hello", |_, _, _| Usual);
    let here = tempfile::tempdir().unwrap();
    fs::create_dir(here.path().join("d")).unwrap();
    fs::write(here.path().join("g"), "precious").unwrap();
    ended(&menu(here.path(), address, "download f d/g\n"), 0, GOT, "");
    ended(&menu(here.path(), address, "download f d\n"), 0, GOT, "");
    ended(&menu(here.path(), address, "download f no/\n"), 1, "", "cannot write to no/");
    ended(&menu(here.path(), address, "download f no/g\n"), 1, "", "cannot write to no/g");
    assert_eq!(fs::read(here.path().join("g")).unwrap(), b"precious");
    assert_eq!(names_in(&here.path().join("d")), ["f", "g"]);
    assert_eq!(names_in(here.path()), ["d", "g"]);
}

/// What has the name when the file is whole is looked at as well as what had it in the beginning.
#[test]
fn what_appears_while_a_download_runs_is_replaced_only_if_it_is_a_file() {
    for client in ["get", "menu"] {
        let here = tempfile::tempdir().unwrap();
        let fifo = here.path().join("f");
        let (address, _) = stranger(b"hello", move |verb, _, _| {
            if verb == "RETR" {
                nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
            }
            Usual
        });
        let output = match client {
            "get" => get(here.path(), address, &[]),
            _ => menu(here.path(), address, "download f\n"),
        };
        ended(&output, 1, "", "cannot write to f: it is no ordinary file");
        let there = here.path().join("f").symlink_metadata().unwrap();
        assert!(!there.is_file(), "{client}");
        let left: &[&str] = if client == "get" { &["f", "f.part"] } else { &["f"] };
        assert_eq!(names_in(here.path()), left, "{client}");
    }
}

#[test]
fn two_files_of_one_name_are_a_usage_error() {
    let here = tempfile::tempdir().unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for other in ["/f", "/d/f", "/%66"] {
        let other = format!("ftp://u:p@{nobody}{other}");
        ended(&get(here.path(), nobody, &[&other]), 2, "", "two files would both become f");
    }
    let folder = format!("ftp://u:p@{nobody}/");
    let put = tool(here.path(), &["put", "a/f", "b/f", &folder]);
    ended(&put, 2, "", "two files would both become f");
}

#[test]
fn standard_output_is_the_payload_and_nothing_else() {
    let (address, _) = stranger(b"hello\xff\0", |_, _, _| Usual);
    let here = tempfile::tempdir().unwrap();
    let output = get(here.path(), address, &["-o", "-"]);
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(0), &b"hello\xff\0"[..]));
    assert!(names_in(here.path()).is_empty());
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut command = netplay();
    command.args(["ftp", "get", "-q", "-o", "-", &url(address)]).current_dir(here.path());
    let output = command.stdout(Stdio::from(full)).stdin(Stdio::null()).output().unwrap();
    ended(&output, 1, "", "cannot write to standard output: No space left on device");
}

#[test]
fn a_signal_ends_a_download_and_says_what_it_leaves() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        for (client, after) in [("get", 3), ("get", 0), ("client", 3)] {
            let here = tempfile::tempdir().unwrap();
            let (address, _) = stranger(b"hello", move |verb, _, session| {
                if verb != "RETR" {
                    return Usual;
                }
                session.say("150 here it comes");
                let mut data = session.data();
                data.write_all(&b"hello"[..after]).unwrap();
                // Until the client has gone.
                let _ = data.read(&mut [0]);
                Leave
            });
            let port = address.port().to_string();
            let mut command = netplay();
            command.args(["ftp", client, "-q"]).current_dir(here.path());
            match client {
                "get" => command.arg(url(address)),
                _ => command.args(["127.0.0.1", &port, "-m", "download f"]),
            };
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            until("its file is there", || {
                let mut files = fs::read_dir(here.path()).unwrap();
                files.any(|file| {
                    file.unwrap().metadata().is_ok_and(|file| file.len() == after as u64)
                })
            });
            kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
            let status = wait(&mut child);
            assert_eq!(status.signal(), Some(signal as i32), "{client} {after}");
            let mut err = String::new();
            child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
            let left = client == "get" && after > 0;
            assert_eq!(err.contains("f.part is left"), left, "{err}");
            assert_eq!(names_in(here.path()).len(), usize::from(left), "{client} {after}");
        }
    }
}

/// The file is made, and its lock is only now asked for: the signal waits until the file would be removed.
#[test]
fn a_signal_at_the_birth_of_a_part_leaves_no_part() {
    let traced = || finish(Command::new("strace").args(["-o", "/dev/null", "true"]), b"");
    if !have("strace") || !traced().status.success() {
        return skip("no strace that may trace");
    }
    let here = tempfile::tempdir().unwrap();
    let (address, _) = stranger(b"hello", |verb, _, session| {
        if verb != "RETR" {
            return Usual;
        }
        session.say("150 here it comes");
        let _ = session.data().read(&mut [0]); // until the client has gone
        Leave
    });
    let mut strace = Command::new("strace");
    strace.args([
        "-o",
        "/dev/null",
        "-e",
        "trace=flock",
        "-e",
        "inject=flock:signal=SIGTERM:when=1",
    ]);
    strace.arg(env!("CARGO_BIN_EXE_netplay")).args(["ftp", "get", "-q", &url(address)]);
    let output = finish(strace.current_dir(here.path()), b"");
    assert_eq!(output.status.signal(), Some(Signal::SIGTERM as i32), "{output:?}");
    assert_eq!(names_in(here.path()), [""; 0]);
}

#[test]
fn a_limit_on_the_size_of_files_is_a_sentence() {
    let (address, _) = stranger(&[7; 100_000], |_, _, _| Usual);
    let here = tempfile::tempdir().unwrap();
    let limited = |args: &[&str]| {
        let mut shell = Command::new("sh");
        shell.args([
            "-c",
            "ulimit -f 16; exec \"$0\" \"$@\"",
            env!("CARGO_BIN_EXE_netplay"),
            "ftp",
        ]);
        shell.args(args).current_dir(here.path());
        finish(&mut shell, b"")
    };
    let cut = limited(&["get", "-q", &url(address)]);
    ended(&cut, 1, "", "File too large");
    assert!(text(&cut.stderr).contains("f.part is left, with "), "{cut:?}");
    assert_eq!(names_in(here.path()), ["f.part"]);
    fs::remove_file(here.path().join("f.part")).unwrap();
    let port = address.port().to_string();
    let cut = limited(&["client", "-q", "127.0.0.1", &port, "-m", "download f"]);
    ended(&cut, 1, "", "File too large");
    assert!(names_in(here.path()).is_empty());
}

// ---- success is said when it is true

#[test]
fn an_upload_goes_on_to_the_whole_file_whatever_the_server_does() {
    let whole: Vec<u8> =
        (0..200_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    type Odd = fn(&str, &[u8], &mut Session) -> Deed;
    let odd: [(&str, Odd, &str); 8] = [
        ("a good one", |_, _, _| Usual, ""),
        (
            "REST is answered and forgotten, and FEAT does not list it",
            |verb, _, session| match verb {
                "FEAT" => session.say("211-\r\n SIZE\r\n211 end"),
                "REST" => session.say("350 of course"),
                _ => Usual,
            },
            "sent from the start",
        ),
        (
            "there is no FEAT",
            |verb, _, session| if verb == "FEAT" { session.say("500 what?") } else { Usual },
            "sent from the start",
        ),
        (
            "APPE replaces",
            |verb, _, session| {
                if verb == "APPE" {
                    session.usual("STOR");
                    return Done;
                }
                Usual
            },
            "sent from the start",
        ),
        (
            "APPE puts zeros where the start was",
            |verb, _, session| {
                if verb == "APPE" {
                    session.file.lock().unwrap().fill(0);
                }
                Usual
            },
            "not this file: it is sent from the start",
        ),
        (
            "no APPE, and REST is kept",
            |verb, _, session| match verb {
                "APPE" => session.say("502 no"),
                "STOR" if session.rest > 0 => {
                    let rest = std::mem::take(&mut session.rest);
                    session.file.lock().unwrap().truncate(rest);
                    session.usual("APPE");
                    Done
                }
                _ => Usual,
            },
            "",
        ),
        (
            "no APPE, and STOR forgets REST",
            |verb, _, session| if verb == "APPE" { session.say("502 no") } else { Usual },
            "sent from the start",
        ),
        (
            "nothing can be read",
            |verb, _, session| if verb == "RETR" { session.say("550 no") } else { Usual },
            "cannot be compared (the server says: 550 no)",
        ),
    ];
    for (what, does, told) in odd {
        for had in [5, 100_000] {
            let here = tempfile::tempdir().unwrap();
            fs::write(here.path().join("f"), &whole).unwrap();
            let (address, file) = stranger(&whole[..had], does);
            let put = tool(here.path(), &["put", "--continue", "f", &url(address)]);
            let told = if had == 5 && what.contains("FEAT") { "" } else { told };
            ended(&put, 0, "f: 200000 bytes uploaded\n", told);
            assert!(*file.lock().unwrap() == whole, "{what}, {had}");
        }
    }
}

#[test]
fn what_cannot_be_proven_is_said_in_the_result() {
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("f"), "hello world").unwrap();
    // It keeps every second byte, and tells no sizes, or wrong ones.
    for (reply, code, told) in
        [("550 no", 0, "not proven"), ("213 7", 1, "the server says that it has 7")]
    {
        let (address, _) = stranger(
            b"",
            move |verb, _, session| {
                if verb == "SIZE" { session.say(reply) } else { Usual }
            },
        );
        for put in [
            tool(here.path(), &["put", "f", &url(address)]),
            menu(here.path(), address, "upload f\n"),
        ] {
            let all = text(&put.stdout) + &text(&put.stderr);
            assert!(put.status.code() == Some(code) && all.contains(told), "{all}");
        }
    }
    // The end of what was there can be seen before, but not afterwards.
    let looks = Mutex::new(0);
    let (address, _) = stranger(b"hello", move |verb, _, session| {
        if verb != "RETR" {
            return Usual;
        }
        *looks.lock().unwrap() += 1;
        if *looks.lock().unwrap() == 1 { Usual } else { session.say("550 no more") }
    });
    let put = tool(here.path(), &["put", "--continue", "f", &url(address)]);
    assert!(
        put.status.success() && text(&put.stdout).contains("not proven that its first 5"),
        "{put:?}"
    );
}

#[test]
fn a_download_goes_on_only_where_rest_is_announced() {
    let whole: Vec<u8> = (0..200_000u32).map(|i| (i % 251) as u8).collect();
    let here = tempfile::tempdir().unwrap();
    let part = here.path().join("f.part");
    fs::write(&part, &whole[..100_000]).unwrap();
    let time = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_580_702_706);
    File::options().write(true).open(&part).unwrap().set_modified(time).unwrap();
    let (address, _) = stranger(&whole, |verb, _, session| match verb {
        "FEAT" => session.say("211-\r\n SIZE\r\n211 end"),
        "REST" => session.say("350 of course"),
        _ => Usual,
    });
    let got = get(here.path(), address, &["--continue"]);
    ended(&got, 0, "f: 200000 bytes downloaded\n", "FEAT lists no REST STREAM");
    assert!(fs::read(here.path().join("f")).unwrap() == whole);
}

#[test]
fn a_server_that_leaves_behind_the_last_byte_has_sent_everything() {
    for (bytes, last, code) in [
        (5, Some("226 bye"), 0),
        (5, None, 0),
        (4, Some("226 bye"), 1),
        (4, None, 1),
        (5, Some("426 cut"), 1),
    ] {
        let here = tempfile::tempdir().unwrap();
        let (address, _) = stranger(b"hello", move |verb, _, session| {
            if verb != "RETR" {
                return Usual;
            }
            session.send(&b"hello"[..bytes]);
            last.map(|last| session.say(last));
            Leave
        });
        let out = if code == 0 { GOT } else { "" };
        ended(&get(here.path(), address, &[]), code, out, "");
        ended(&menu(here.path(), address, "download f g\n"), code, out, "");
        let left: &[&str] = if code == 0 { &["f", "g"] } else { &["f.part"] };
        let there = names_in(here.path());
        assert!(there == left || code != 0 && there.is_empty(), "{bytes} {last:?}: {there:?}");
    }
}

#[test]
fn fewer_bytes_than_were_announced_are_no_change_of_the_file() {
    for bytes in [3, 0] {
        let here = tempfile::tempdir().unwrap();
        let (address, _) = stranger(b"hello", move |verb, _, session| {
            if verb != "RETR" {
                return Usual;
            }
            session.send(&b"hello"[..bytes]);
            session.say("226 that was it")
        });
        let said = format!("{bytes} bytes came, but the server says that it has 5");
        let left: &[&str] = if bytes > 0 { &["f.part"] } else { &[] };
        ended(&get(here.path(), address, &["-o", "-"]), 1, &"hello"[..bytes], &said);
        ended(&get(here.path(), address, &[]), 1, "", &said);
        assert_eq!(names_in(here.path()), left);
        ended(&menu(here.path(), address, "download f\n"), 1, "", &said);
        assert_eq!(names_in(here.path()), left);
    }
}

// ---- servers that are only different

#[test]
fn every_shape_of_greeting_and_of_passive_reply_is_understood() {
    let here = tempfile::tempdir().unwrap();
    type Odd = fn(&str, &[u8], &mut Session) -> Deed;
    let odd: [Odd; 7] = [
        |verb, _, session| match verb {
            "" => session.say(
                "120 ready in 0 minutes\r\n120-soon\r\n120 now\r\n220-hello\r\n 220 x\r\n220 hello",
            ),
            _ => Usual,
        },
        |verb, _, session| if verb == "PASV" { session.pasv("227 =", "") } else { Usual },
        |verb, _, session| {
            if verb == "PASV" { session.pasv("227 at 5 (", "). 3, 4 ok") } else { Usual }
        },
        |verb, _, session| if verb == "USER" { session.say("230 no password") } else { Usual },
        |verb, _, session| match verb {
            "PASV" => session.say("502 no"),
            "EPSV" => {
                let port = session.passive();
                session.say(&format!("229 Extended (|||{port}|)"))
            }
            _ => Usual,
        },
        |verb, _, session| match verb {
            "PASV" => session.say("227 ask EPSV"),
            "EPSV" => {
                let port = session.passive();
                session.say(&format!("229 Extended (!!!{port}!)"))
            }
            _ => Usual,
        },
        // Everybody may answer in several lines.
        |verb, _, session| match verb {
            "USER" => session.say("331-a\r\n331-b\r\n 331 c\r\n331 d"),
            _ => Usual,
        },
    ];
    for does in odd {
        let (address, _) = stranger(b"hello", does);
        ended(&get(here.path(), address, &[]), 0, GOT, "");
    }
}

#[test]
fn a_refusal_comes_in_the_words_of_the_server() {
    let here = tempfile::tempdir().unwrap();
    for (verb, reply) in [
        ("", "421 too many of you"),
        ("USER", "530 not you"),
        ("PASS", "530 not so"),
        ("TYPE", "504 only text"),
        ("PASV", "500 where?"),
        ("RETR", "450 not now"),
        ("RETR", "450 not yet done"), // it ends as the password of a guest begins, which is netplay@
    ] {
        let (address, _) = stranger(b"hello", move |said, _, session| match said {
            "EPSV" => session.say("522 no"),
            said if said == verb => session.say(reply),
            _ => Usual,
        });
        ended(&get(here.path(), address, &[]), 1, "", &format!("the server says: {reply}"));
    }
}

#[test]
fn the_time_is_set_or_it_is_said_that_it_is_not() {
    for (told, seconds, nanos) in [
        ("19010101000000", -2_177_452_800, 0),
        ("19691231235959.25", -1, 250_000_000),
        ("20200203040506", 1_580_702_706, 0),
        ("20200203040506.123", 1_580_702_706, 123_000_000),
        ("21000101000000", 4_102_444_800, 0),
        ("99991231235959", 253_402_300_799, 0),
        ("20201301000000", 0, 0),
    ] {
        for file in [&b"hello"[..], b""] {
            for facts in [false, true] {
                let here = tempfile::tempdir().unwrap();
                let (address, _) = stranger(file, move |verb, _, session| match verb {
                    "MDTM" if facts => session.say("502 no"),
                    "MDTM" => session.say(&format!("213 {told}")),
                    "MLST" => {
                        session.say(&format!("250-\r\n type=file;modify={told}; f\r\n250 end"))
                    }
                    _ => Usual,
                });
                let got = get(here.path(), address, &[]);
                assert!(got.status.success(), "{got:?}");
                let file = here.path().join("f").metadata().unwrap();
                let set = (file.mtime(), file.mtime_nsec());
                let said = text(&got.stdout).contains("; its time ");
                assert!(said != (set == (seconds, nanos)), "{told}: {set:?} {got:?}");
            }
        }
    }
}

#[test]
fn names_go_over_the_wire_as_bytes() {
    let here = tempfile::tempdir().unwrap();
    let said = Arc::new(Mutex::new(Vec::new()));
    let heard = said.clone();
    let (address, _) = stranger(b"hello", move |verb, name, _| {
        heard.lock().unwrap().push([verb.as_bytes(), b" ", name].concat());
        Usual
    });
    let mut command = netplay();
    command.args(["ftp", "get", "-q"]).current_dir(here.path());
    command.arg(OsStr::from_bytes(&[url(address).as_bytes(), b"%c4\xe3%01%22"].concat()));
    let got = finish(&mut command, b"");
    assert_eq!(text(&got.stdout), "f\\xc4\\xe3\\x01\\\": 5 bytes downloaded\n", "{got:?}");
    assert!(here.path().join(OsStr::from_bytes(b"f\xc4\xe3\x01\"")).exists());
    let lines = b"rm \"\\xc4\\xe3\"\nrename \xc4\xe3 \"a\\\\b \\\"\"\nmkdir \\xff\nrm a\\nb\n";
    let port = address.port().to_string();
    let args = ["ftp", "client", "-q", "127.0.0.1", &port];
    ended(&finish(netplay().args(args), lines), 1, "", "no name has a line end in it");
    let said = said.lock().unwrap();
    for command in [
        &b"RETR f\xc4\xe3\x01\""[..],
        b"DELE \xc4\xe3",
        b"RNFR \xc4\xe3",
        b"RNTO a\\b \"",
        b"MKD \xff\xff", // Telnet's own byte
    ] {
        assert!(said.iter().any(|said| said == command), "{command:?}");
    }
}

/// Telnet's own byte is sent twice to a server that reads Telnet, and to the others as it is.
#[test]
fn the_byte_255_arrives_as_it_is_meant() {
    let here = tempfile::tempdir().unwrap();
    for (reply, wire) in [("200 fine", &b"is \xff\xff"[..]), ("500 what?", b"is \xff")] {
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = said.clone();
        let (address, _) = stranger(b"", move |verb, name, session| {
            if verb == "DELE" {
                heard.lock().unwrap().extend_from_slice(name);
            }
            if verb.ends_with("NOOP") { session.say(reply) } else { Usual }
        });
        ended(&menu(here.path(), address, "rm \"is \\xff\"\n"), 0, "", "");
        assert_eq!(*said.lock().unwrap(), wire);
    }
}
