//! What the menu of our client does (`crates/ftp/src/client.rs`).

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::peer::Peer;
use super::site::content;
use super::stranger::Deed::{Leave, Usual};
use super::stranger::stranger;
use super::tool::{Ended, menu, on_a_terminal, tool};
use crate::common::{Said, finish, names_in, netplay, terminal};

const WHOLE_MENU: &str = "mkdir \"a b\"\ncd \"a b\"\npwd\nupload here there\nsize there\nlist\n\
    download there back\nrename there here\nverify here\nrm here\ncd ..\nrmdir \"a b\"\nquit\n";

#[track_caller]
fn the_whole_menu_works(to: SocketAddr) {
    let here = tempfile::tempdir().unwrap();
    let bytes = content(2_000_000);
    fs::write(here.path().join("here"), &bytes).unwrap();
    let Ended { code, out, err } = menu(here.path(), to, WHOLE_MENU);
    assert!(code == 0, "{out}\n{err}");
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
    for site in Peer::all() {
        the_whole_menu_works(site.server.address());
        assert!(names_in(site.root.path()).is_empty());
    }
}

#[test]
fn our_client_tells_what_could_not_be_done() {
    let said = Said::on("ftp_menu_errors");
    for site in Peer::all() {
        let here = tempfile::tempdir().unwrap();
        fs::write(site.path("a"), "one").unwrap();
        fs::write(here.path().join("a"), "two").unwrap();
        for line in [
            "download nothing",
            "verify a",
            "cd nowhere",
            "upload nothing",
            "frobnicate",
            "download ..",
        ] {
            let lines = format!("size a\n{line}\nsize a\n");
            // A script goes no further.
            let ended = menu(here.path(), site.server.address(), &lines).is(1, "3\n");
            ended.told_of_any(&said, line);
        }
        assert_eq!(names_in(here.path()), ["a"]);
    }
}

#[test]
fn tab_completes_names_of_the_server() {
    for site in Peer::all() {
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
        let Some((code, screen)) = on_a_terminal(here.path(), steps.as_flattened(), &menu) else {
            return;
        };
        assert_eq!(code, 0, "{screen}");
        assert!(site.path("x").exists(), "{screen}");
    }
}

#[test]
fn names_are_bytes_and_can_be_typed_as_they_are_shown() {
    let strange: &[&[u8]] =
        &[b"a\"b", b"a\\b", b" a ", b"-a", b"\xc4\xe3\xba\xc3", b"\xff\xfe", b"tab\there"];
    for site in Peer::all().into_iter().filter(|site| site.any_name) {
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

            let list = menu(here.path(), site.server.address(), "list\n");
            assert!(list.code == 0, "{list:?}");
            // The last column: in quotes, or one word.
            let line = list.out.lines().next().unwrap();
            let typed = line
                .find('"')
                .map_or_else(|| line.split(' ').next_back().unwrap(), |at| &line[at..]);
            let lines = format!(
                "size {typed}\ndownload {typed} again\nrename {typed} x\nrename x {typed}\nrm {typed}\n\
                 mkdir {typed}\ncd {typed}\npwd\ncd ..\nrmdir {typed}\n"
            );
            let Ended { code, out, err } = menu(here.path(), site.server.address(), &lines);
            let shown = out.lines().last().unwrap_or_default();
            let tail = &typed[usize::from(typed.starts_with('"'))..];
            assert!(
                code == 0 && out.starts_with("5\n") && shown.contains(tail),
                "{typed}: {out}\n{err}"
            );
            assert_eq!(fs::read(here.path().join("again")).unwrap(), b"hello");
            assert!(names_in(site.root.path()).is_empty());
        }
    }
}

/// The line editor takes Ctrl-C for a key, and reads none while the server is asked.
#[test]
fn ctrl_c_ends_a_question_of_tab_and_leaves_the_terminal_well() {
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
    let steps = ["> ", "size fo\t", "Tab: ask the server", "\x03", "ended", ""];
    let Some(mut python) = terminal(&steps) else { return };
    python.args(["sh", "-c", "trap : INT; \"$@\"; echo ended with $?; stty -a", "sh"]);
    python.args([env!("CARGO_BIN_EXE_netplay"), "ftp", "client", "-v", "127.0.0.1"]);
    python.args([&address.port().to_string(), "--user", "u", "--password", "p"]);
    let ended = finish(&mut python, b"");
    let screen = String::from_utf8_lossy(&ended.stdout);
    assert!(screen.contains("ended with 130"), "{ended:?}");
    for mode in ["icanon", "echo", "isig", "icrnl", "opost"] {
        let mode = format!(" {mode} ");
        assert!(screen.replace(['\r', '\n', ';'], " ").contains(&mode), "{mode}: {screen}");
    }
}
