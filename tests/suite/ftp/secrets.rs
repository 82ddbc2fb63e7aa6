//! No password is told: in no story, record, picture or error, of server or client, however it comes.

use std::fmt::{Debug, Write as _};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::thread;

use crate::common::{DEADLINE, Server, finish, have, netplay, run, skip, terminal};
use netplay::call;
use netplay_ftp::telnet::Passwords;
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// What is in none of the other words, and not in a port.
const SECRET: &str = "Zq9hidden7";

fn hidden(text: &str, what: &str) {
    let shown = text.lines().find(|line| line.contains("Zq9") || line.contains("den7"));
    assert_eq!(shown, None, "the password is in {what}");
}

/// A server of the user `bob`, who has the secret, with a story in every detail and a trace.
struct Site {
    server: Server,
    folder: tempfile::TempDir,
}

impl Site {
    fn new(more: &[&str]) -> Site {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("root")).unwrap();
        fs::write(folder.path().join("root/f.txt"), "hi\n").unwrap();
        fs::write(folder.path().join("password"), SECRET).unwrap();
        let mut command = netplay();
        command.args(["ftp", "server", "127.0.0.1", "0", "--root", "root", "--user", "bob"]);
        command.args(["--password-file", "password", "-vv", "--trace", "trace"]).args(more);
        let server = Server::from(command.current_dir(folder.path()));
        Site { server, folder }
    }

    /// Says these pieces, a segment each, and hears the session's end.
    fn say(&self, pieces: &[&[u8]]) -> String {
        let stream = TcpStream::connect(self.server.address()).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut replies = BufReader::new(stream);
        let mut all = String::new();
        replies.read_line(&mut all).unwrap();
        for piece in pieces {
            replies.get_mut().write_all(piece).unwrap();
        }
        replies.read_to_string(&mut all).unwrap();
        all
    }

    /// Everything that the server has told: its streams, its trace, and pictures of that.
    fn told(self) -> Vec<(String, String)> {
        let out = self.server.stdout();
        let ended = self.server.stop();
        let trace = self.folder.path().join("trace");
        let records = fs::read_to_string(&trace).unwrap();
        let mut told = vec![
            ("standard output".to_owned(), out),
            ("the story".to_owned(), ended.stderr),
            ("the trace".to_owned(), records),
        ];
        for format in ["svg", "html", "md", "txt", "json"] {
            let to = self.folder.path().join(format!("picture.{format}"));
            let drawn = run(&["draw", trace.to_str().unwrap(), "-o", to.to_str().unwrap()], b"");
            if drawn.status.success() {
                told.push((format!("the picture.{format}"), fs::read_to_string(to).unwrap()));
            }
        }
        assert!(told.len() > 5, "no pictures");
        told
    }
}

/// The records of the calls that moved these bytes, as they are shown.
fn showing<'a>(records: &'a [Value], data: &str) -> Vec<&'a Value> {
    records.iter().filter(|record| record["data"].as_str() == Some(data)).collect()
}

fn records(trace: &str) -> Vec<Value> {
    trace.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_server_tells_no_password_however_it_comes() {
    let site = Site::new(&[]);
    let quit: &[u8] = b"QUIT\r\n";
    let whole = format!("USER bob\r\nPASS {SECRET}\r\nPWD\r\nQUIT\r\n");
    for cut in [1, 3, 7, 200] {
        let pieces: Vec<&[u8]> = whole.as_bytes().chunks(cut).collect();
        assert!(site.say(&pieces).contains("\n230 "), "cut by {cut}");
    }
    let lower = format!("user bob\npass {SECRET}\n");
    assert!(site.say(&[lower.as_bytes(), quit]).contains("\n230 "));
    // Wrong passwords are secrets as well: most are the right one of another account, or nearly.
    let wrong = format!("USER bob\r\nPASS {SECRET}x\r\nACCT {SECRET}\r\n");
    assert!(site.say(&[wrong.as_bytes(), quit]).contains("\n530 "));
    let too_early =
        format!("PASS {SECRET}\r\nPASS  {SECRET}\r\n \tPASS {SECRET}\r\nPASS{SECRET}\r\n");
    site.say(&[too_early.as_bytes(), quit]);
    let endless = format!("PASS {}\r\n", SECRET.repeat(1000));
    site.say(&[endless.as_bytes(), quit]);
    let telnet =
        [b"USER bob\r\nPA\xff\xf1S\xff\xfd\x01S\xff\xfa\x18PA\xff\xf0 ", SECRET.as_bytes()];
    assert!(site.say(&[&telnet.concat(), b"\r\n", quit]).contains("\n230 "));
    // Option 0 and a return, where Telnet has them: no part of the line, and no end of it.
    for noise in [&b"\xff\xfb\0"[..], b"\xff\xfa\0\xff\xf0", b"\xff\xfa\x18\r\n\xff\xf0"] {
        let line = [b"USER bob\r\nPA", noise, b"SS ", SECRET.as_bytes(), b"\r\nQUIT\r\n"].concat();
        assert!(site.say(&[&line]).contains("\n230 "), "{noise:x?}");
        let inside = [b"\xff\xfa\x18", noise, SECRET.as_bytes(), b"\xff\xf0\r\nQUIT\r\n"].concat();
        site.say(&[&inside[..3], &inside[3 + noise.len()..]]);
    }
    for line in
        ["P.ASS ", "USER bob PASS ", "user bob\t", "USER bob ", "SITE PASS ", "RETR ftp://bob:"]
    {
        for cut in [1, 4, 100] {
            let line = format!("{line}{SECRET}\r\nQUIT\r\n");
            site.say(&line.as_bytes().chunks(cut).collect::<Vec<_>>());
        }
    }
    site.say(&[&[b"PASS \xfe\0", SECRET.as_bytes(), b"\r\0\r\n"].concat(), quit]);
    // Cut off in the middle: the next client has the same descriptor, and begins anew.
    let stream = TcpStream::connect(site.server.address()).unwrap();
    (&stream).write_all(format!("PASS {}", &SECRET[..5]).as_bytes()).unwrap();
    drop(stream);
    site.say(&[b"NOOP not hidden\r\n", quit]);

    let told = site.told();
    for (what, text) in &told {
        hidden(text, what);
    }
    let records = records(&told[2].1);
    let shown = showing(
        &records,
        &format!("USER bob\\r\\nPASS {}\\r\\nPWD\\r\\nQUIT\\r\\n", "*".repeat(10)),
    );
    assert!(!shown.is_empty(), "the one in one piece");
    assert_eq!((&shown[0]["hidden"], &shown[0]["bytes"]), (&10.into(), &whole.len().into()));
    let args = shown[0]["args"].as_str().unwrap();
    assert!(args.contains(r#""USER bob\r\nPASS **********\r\nPWD\r\n"..., "#), "{args}");
    let open = showing(&records, "NOOP not hidden\\r\\nQUIT\\r\\n").len()
        + showing(&records, "NOOP not hidden\\r\\n").len();
    assert_eq!(open, 1, "what is no password is shown");
    assert!(records.iter().any(|record| record["hidden"] == 4096), "and counted where it is not");
}

#[test]
fn secrets_are_shown_to_who_asks_for_them() {
    let site = Site::new(&["--show-secrets"]);
    let line = format!("USER bob\r\nPASS {SECRET}\r\nQUIT\r\n");
    site.say(&[line.as_bytes()]);
    let told = site.told();
    assert!(told[1].1.contains(SECRET) && told[2].1.contains(SECRET));
    assert!(!told[2].1.contains("\"hidden\""));
}

/// A server that repeats what it is told, once with each reply.
fn parrot() -> (String, thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serve = move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"220 hello\r\n").unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        while let Some(Ok(line)) = lines.next() {
            let code = if line.starts_with("USER") { "331" } else { "500" };
            for piece in
                format!("{code}-no:\r\n {line}\r\n{code} {line}, really\r\n").into_bytes().chunks(7)
            {
                if stream.write_all(piece).is_err() {
                    return;
                }
            }
        }
    };
    (address, thread::spawn(serve))
}

#[test]
fn a_client_tells_no_password_and_none_that_comes_back() {
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("secret"), SECRET).unwrap();
    fs::write(here.path().join("short"), "Zq9").unwrap();
    let site = Site::new(&[]);
    let place = site.server.address().to_string();
    let (host, port) = place.split_once(':').unwrap();
    let tell = |args: &[&str], input: &[u8]| {
        let trace = here.path().join("trace");
        let _ = fs::remove_file(&trace);
        let mut command = netplay();
        command.args(["ftp"]).args(args).args(["-vv", "--trace", "trace"]);
        let ended = finish(command.current_dir(here.path()), input);
        let err = String::from_utf8_lossy(&ended.stderr).into_owned();
        for (what, text) in [
            ("the story", err.clone()),
            ("standard output", String::from_utf8_lossy(&ended.stdout).into_owned()),
            ("the trace", fs::read_to_string(&trace).unwrap_or_default()),
        ] {
            hidden(&text, &format!("{what} of {args:?}"));
        }
        (ended.status.code(), err)
    };

    let url = format!("ftp://bob:{SECRET}@{place}/f.txt");
    let (code, err) = tell(&["get", &url], b"");
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("PASS **********\\r\\n\" (10 hidden)"), "{err}");
    assert!(err.contains("warning: ") && err.contains("--password-file"), "{err}");
    let (code, err) = tell(&["get", &url.replace('@', "x@")], b"");
    assert_eq!(code, Some(1), "{err}");
    let menu = ["client", host, port, "--user", "bob"];
    let by_file = [&menu[..], &["--password-file", "secret"]].concat();
    let (code, err) = tell(&by_file, b"list\n");
    assert!(code == Some(0) && !err.contains("warning: "), "{err}");
    let (code, err) = tell(&[&menu[..], &["--password", SECRET]].concat(), b"list\n");
    assert!(code == Some(0) && err.contains("warning: "), "{err}");
    for line in ["quote PASS ", "pass ", "user bob ", "account "] {
        let (code, err) = tell(&by_file, format!("{line}{SECRET}\n").as_bytes());
        assert!(code == Some(1) && err.contains(&format!("{line}**********")), "{err}");
    }

    for (secret, shown) in [("secret", "PASS **********, really"), ("short", "PASS ***, really")] {
        let (place, serving) = parrot();
        let (host, port) = place.split_once(':').unwrap();
        let (code, err) =
            tell(&["client", host, port, "--user", "bob", "--password-file", secret], b"list\n");
        assert!(code == Some(1) && err.contains(shown), "{err}");
        serving.join().unwrap();
    }
}

#[test]
fn an_error_that_quotes_a_url_does_not_quote_its_password() {
    let closed = format!("127.0.0.1:{}", {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    });
    for url in [
        format!("ftp://bob:{SECRET}@host/a?b"),
        format!("ftp://bob:{SECRET}@host/a;type=a"),
        format!("http://bob:{SECRET}@host/a"),
        format!("bob:{SECRET}@host/a"),
        format!("ftp://bob:{SECRET}"),
        format!("ftp://bob:{SECRET}/a"),
        format!("ftp://bob:a/{SECRET}@host/a"),
        format!("ftp://bob:{SECRET}@host:99999/a"),
        format!("ftp://bob:{SECRET}@{closed}/a"),
        format!("ftp://bob:{SECRET}@{closed}/a b\\"),
    ] {
        for args in [
            &["ftp", "get", &url][..],
            &["ftp", "put", "Cargo.toml", &url],
            &["ftp", "put", &url, &url],
            &["ftp", "client", &url],
            &["ftp", &url],
            &[&url],
        ] {
            let ended = run(args, b"");
            assert!(!ended.status.success(), "{args:?}");
            hidden(&String::from_utf8_lossy(&ended.stderr), &format!("the error of {args:?}"));
        }
    }
}

#[test]
fn a_password_typed_at_the_prompt_does_not_come_back_with_the_arrow_keys() {
    if !have("python3") {
        return skip("no python3");
    }
    let site = Site::new(&[]);
    let (host, port) = (site.server.address().ip().to_string(), site.server.port());
    let password = site.folder.path().join("password");
    let menu = [
        "ftp",
        "client",
        &host,
        &port,
        "-q",
        "--user",
        "bob",
        "--password-file",
        password.to_str().unwrap(),
    ];
    let steps = [
        ["> ", "size f.txt\r"],
        ["\n3\r\n", ""],
        ["> ", "pass geheim\r"],
        ["pass ******", ""],
        ["> ", "\x1b[A\r"],
        ["\n3\r\n", ""],
        ["> ", "quit\r"],
    ];
    let Some(mut python) = terminal(steps.as_flattened()) else { return };
    python.arg(env!("CARGO_BIN_EXE_netplay")).args(menu);
    let ended = finish(&mut python, b"");
    let screen = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success(), "{screen}{}", String::from_utf8_lossy(&ended.stderr));
}

// ---- the door, and a subscriber that knows nothing of this crate

/// Everything that every event says.
#[derive(Clone, Default)]
struct Foreign(Arc<Mutex<String>>);

impl Subscriber for Foreign {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
        self.0.lock().unwrap().push('\n');
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

impl Visit for Foreign {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0.lock().unwrap(), "{}={value:?} ", field.name()).unwrap();
    }
}

#[test]
fn a_foreign_subscriber_sees_no_password() {
    let foreign = Foreign::default();
    let said = foreign.0.clone();
    let (client, mut server) = UnixStream::pair().unwrap();
    call::hide(&client, Passwords::told()); // nothing listens yet
    call::send(&client, b"PASS Zq", 0).unwrap();
    tracing::subscriber::with_default(foreign, || {
        call::send(&client, format!("{}\r\nNOOP\r\n", &SECRET[2..]).as_bytes(), 0).unwrap();
        call::send(&client, format!("PASS {SECRET}\r\n").as_bytes(), 0).unwrap();
        server.write_all(format!("500 {SECRET}?\r\n").as_bytes()).unwrap();
        let mut buf = [0; 100];
        call::recv(&client, &mut buf, 0).unwrap();
        // A send that fails, and one that is cut, still have all of the bytes in their arguments.
        client.set_nonblocking(true).unwrap();
        let long = format!("PASS {}\r\n", SECRET.repeat(100_000));
        let sent = call::send(&client, long.as_bytes(), 0).unwrap();
        assert!(sent < long.len(), "all of it had room");
        assert!(call::send(&client, &long.as_bytes()[sent..], 0).unwrap_err().would_block());
        call::close(client).unwrap();
    });
    let said = said.lock().unwrap();
    hidden(&said, "an event");
    assert!(said.contains("PASS **********\\\\r\\\\n"), "{said}");
    assert!(said.contains("********\\\\r\\\\nNOOP"), "{said}");
    assert!(said.contains("hidden=10 "), "{said}");
}
