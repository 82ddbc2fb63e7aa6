//! What the client leaves of the files here, and where it writes.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use super::stranger::Deed::{Leave, Usual};
use super::stranger::{GOT, stranger};
use super::tool::{Ended, get, menu, quiet, remarked, url};
use crate::common::{Said, finish, names_in, netplay, strace_may_trace, uncounted, until, wait};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

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
    let said = Said::on("ftp_server_sends_nothing");
    get(here.path(), address, &[]).is(1, "").told(&said, "get");
    get(here.path(), address, &["--continue"]).is(1, "").told(&said, "get --continue");
    menu(here.path(), address, "download f\n").is(1, "").told(&said, "the menu");
    assert_eq!(names_in(here.path()), [".f.part", "f", "f.part"]);
    for name in own {
        assert_eq!(fs::read(here.path().join(name)).unwrap(), b"precious");
    }
}

#[test]
fn only_an_ordinary_file_of_our_own_is_gone_on_from() {
    let (address, _) = stranger(b"hello", |_, _, _| Usual);
    let said = Said::on("ftp_part_of_others");
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
        get(here.path(), address, &["--continue"]).is(1, "").told(&said, kind);
        // Without --continue it is none of our business.
        let got = get(here.path(), address, &[]).is(0, GOT);
        got.told(&said, &format!("{kind}, from the start"));
        menu(here.path(), address, "download f g\n").is(0, GOT);
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
    get(here.path(), address, &[]).is(0, GOT);
    menu(here.path(), address, "download f g\n").is(0, GOT);
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
    let said = Said::on("ftp_nowhere_to_write");
    said.hide(&long, "[256 bytes]");
    for to in places.into_iter().chain([long.as_str()]) {
        get(here.path(), nobody, &["-o", to]).is(1, "").told(&said, &format!("-o {to}"));
    }
    get(here.path(), nobody, &[]).is(1, "").told(&said, "a folder has the name");
    let continued = ["-o", "-", "--continue"];
    get(here.path(), nobody, &continued).is(2, "").told(&said, &continued.join(" "));
    let two = [&url(nobody, "f"), "-o", "-"];
    get(here.path(), nobody, &two).is(2, "").told(&said, "two files, and -o -");
    assert!(Path::new("/dev/null").metadata().unwrap().rdev() > 0);
}

#[test]
fn a_url_without_a_name_for_the_file_is_a_usage_error() {
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("x"), "").unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let said = Said::on("ftp_url_without_a_name");
    for path in ["", "/", "/d/", "/.", "/d/.."] {
        let url = format!("ftp://u:p@{nobody}{path}");
        for get in [&["get", url.as_str()][..], &["get", &url, "-o", "x"], &["get", &url, "-o-"]] {
            quiet(here.path(), get).is(2, "").told(&said, &get[1..].join(" "));
        }
    }
    assert_eq!(names_in(here.path()), ["x"]);
}

/// The part's name is longer than that of the file by `.part`.
#[test]
fn a_name_as_long_as_a_name_may_be_is_fetched() {
    let said = Said::on("ftp_long_name");
    for name in ["x".repeat(255), "x".repeat(251), format!("x{}", "世".repeat(84))] {
        said.hide(&name, "[name]");
        let here = tempfile::tempdir().unwrap();
        let (address, _) = stranger(b"hello", |_, _, _| Usual);
        let url = format!("ftp://u:p@{address}/{name}");
        let got = format!("{name}: 5 bytes downloaded\n");
        quiet(here.path(), &["get", &url]).is(0, &got);
        menu(here.path(), address, &format!("download {name}\n")).is(0, &got);
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
        let ended = quiet(here.path(), &["get", &url]).is(1, "");
        said.hide(&names_in(here.path())[0], "[part]");
        ended.told(&said, &format!("{} bytes", name.len()));
        let (address, _) = stranger(b"hello", |_, _, _| Usual);
        let url = format!("ftp://u:p@{address}/{name}");
        quiet(here.path(), &["get", "--continue", &url]).is(0, &got);
        assert_eq!(names_in(here.path()), [name.as_str()]);
    }
}

#[test]
fn dev_stdout_is_standard_output() {
    let (address, _) = stranger(b"hello", |_, _, _| Usual);
    let here = tempfile::tempdir().unwrap();
    get(here.path(), address, &["-o", "/dev/stdout"]).is(0, "hello");
    assert!(Path::new("/dev/stdout").is_symlink());
}

/// Over FTP an empty name would be no name at all, which to a server is the folder.
#[test]
fn the_menu_sends_no_empty_name() {
    let said = Arc::new(Mutex::new(Vec::new()));
    let heard = said.clone();
    let (address, file) = stranger(b"hello", move |verb, name, _| {
        heard.lock().unwrap().push(format!("{verb} {}", String::from_utf8_lossy(name)));
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
    let words = Said::on("ftp_empty_name");
    for line in lines {
        menu(here.path(), address, &format!("{line}\n")).is(1, "").told(&words, line);
    }
    let usual = ["", "USER", "PASS", "TYPE", "QUIT"];
    let verb = |line: &String| line.split(' ').next().unwrap().to_owned();
    let others: Vec<_> = said.lock().unwrap().drain(..).collect();
    assert!(others.iter().all(|line| usual.contains(&verb(line).as_str())), "{others:?}");
    // A folder there takes the file under its own name, as a folder here does.
    menu(here.path(), address, "upload g d/\n").is(0, "g: 4 bytes uploaded\n");
    assert!(said.lock().unwrap().contains(&"STOR d/g".to_owned()), "{said:?}");
    assert_eq!(*file.lock().unwrap(), b"mine");
}

/// The menu writes where it is told to, and not beside it.
#[test]
fn a_download_of_the_menu_goes_to_the_path_that_was_typed() {
    let (address, _) = stranger(b"hello", |_, _, _| Usual);
    let here = tempfile::tempdir().unwrap();
    fs::create_dir(here.path().join("d")).unwrap();
    fs::write(here.path().join("g"), "precious").unwrap();
    menu(here.path(), address, "download f d/g\n").is(0, GOT);
    menu(here.path(), address, "download f d\n").is(0, GOT);
    let said = Said::on("ftp_menu_nowhere_to_write");
    for line in ["download f no/", "download f no/g"] {
        menu(here.path(), address, &format!("{line}\n")).is(1, "").told(&said, line);
    }
    assert_eq!(fs::read(here.path().join("g")).unwrap(), b"precious");
    assert_eq!(names_in(&here.path().join("d")), ["f", "g"]);
    assert_eq!(names_in(here.path()), ["d", "g"]);
}

/// What has the name when the file is whole is looked at as well as what had it in the beginning.
#[test]
fn what_appears_while_a_download_runs_is_replaced_only_if_it_is_a_file() {
    let said = Said::on("ftp_fifo_in_the_way");
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
        output.is(1, "").told(&said, client);
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
    let said = Said::on("ftp_two_of_one_name");
    for other in ["/f", "/d/f", "/%66"] {
        let other = format!("ftp://u:p@{nobody}{other}");
        get(here.path(), nobody, &[&other]).is(2, "").told(&said, &other);
    }
    let folder = format!("ftp://u:p@{nobody}/");
    let put = quiet(here.path(), &["put", "a/f", "b/f", &folder]);
    put.is(2, "").told(&said, "put a/f b/f");
}

#[test]
fn standard_output_is_the_payload_and_nothing_else() {
    let (address, _) = stranger(b"hello\xff\0", |_, _, _| Usual);
    let here = tempfile::tempdir().unwrap();
    let mut command = netplay();
    command.args(["ftp", "get", "-q", "-o", "-", &url(address, "f")]).current_dir(here.path());
    let output = finish(&mut command, b"");
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(0), &b"hello\xff\0"[..]));
    assert!(names_in(here.path()).is_empty());
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut command = netplay();
    command.args(["ftp", "get", "-q", "-o", "-", &url(address, "f")]).current_dir(here.path());
    let output = command.stdout(Stdio::from(full)).stdin(Stdio::null()).output().unwrap();
    Ended::of(&output).is(1, "").told(&Said::on("ftp_full_output"), "/dev/full");
}

#[test]
fn a_signal_ends_a_download_and_says_what_it_leaves() {
    let said = Said::on("ftp_signal");
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
                "get" => command.arg(url(address, "f")),
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
            said.add(&format!("{client}, after {after} bytes"), &remarked(&err));
            assert_eq!(names_in(here.path()).len(), usize::from(left), "{client} {after}");
        }
    }
}

/// The file is made, and its lock is only now asked for: the signal waits until the file would be removed.
#[test]
fn a_signal_at_the_birth_of_a_part_leaves_no_part() {
    if !strace_may_trace() {
        return;
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
    strace.arg(env!("CARGO_BIN_EXE_netplay")).args(["ftp", "get", "-q", &url(address, "f")]);
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
        Ended::of(&finish(&mut shell, b""))
    };
    let cut = limited(&["get", "-q", &url(address, "f")]);
    let said = Said::on("ftp_file_too_large");
    // A shell counts in blocks of its own.
    said.add("get", &uncounted(&remarked(&cut.is(1, "").err)));
    assert_eq!(names_in(here.path()), ["f.part"]);
    fs::remove_file(here.path().join("f.part")).unwrap();
    let port = address.port().to_string();
    let cut = limited(&["client", "-q", "127.0.0.1", &port, "-m", "download f"]);
    cut.is(1, "").told(&said, "the menu");
    assert!(names_in(here.path()).is_empty());
}
