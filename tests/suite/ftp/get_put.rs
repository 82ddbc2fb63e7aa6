//! `get` and `put` (`crates/ftp/src/get_put.rs`): exit codes and whole files. A claim that needs a server
//! holds for ours, pyftpdlib and vsftpd.

use std::fs::{self, File};
use std::path::Path;
use std::time::SystemTime;

use super::peer::Peer;
use super::site::content;
use super::stranger::cutter;
use super::tool::{on_a_terminal, quiet, tool, url};
use crate::common::{Said, names_in};

#[test]
fn get_and_put_carry_files_over_both_families() {
    for site in Peer::all() {
        let here = tempfile::tempdir().unwrap();
        let bytes = content(2_000_000);
        fs::write(here.path().join("a b"), &bytes).unwrap();
        fs::write(here.path().join("empty"), "").unwrap();
        let put = tool(here.path(), &["put", "a b", &site.url("x%20%25y")]);
        put.well("a b: 2000000 bytes uploaded\n");
        assert_eq!(fs::read(site.path("x %y")).unwrap(), bytes);
        fs::create_dir(site.path("sub")).unwrap();
        let both = tool(here.path(), &["put", "a b", "empty", &site.url("sub/"), "-q"]);
        both.well("a b: 2000000 bytes uploaded\nempty: 0 bytes uploaded\n");
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
fn a_file_that_changes_while_it_is_fetched_is_not_called_whole() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(there.path().join("a"), content(10_000)).unwrap();
    let address = cutter(there.path(), 20_000);
    quiet(here.path(), &["get", &url(address, "a")]).badly(1).told(&Said::on("ftp_changed"), "get");
    assert!(names_in(here.path()).is_empty(), "nothing to go on from");
}

#[test]
fn what_did_not_work_is_an_exit_code_and_a_sentence() {
    let said = Said::on("ftp_get_put_errors");
    for site in Peer::all() {
        let here = tempfile::tempdir().unwrap();
        fs::write(here.path().join("a"), "a").unwrap();
        fs::write(site.path("there"), "there").unwrap();
        let wrong = site.url("there").replace("ftp:p@", "ftp:wrong@");
        let fails = |code, args: &[&str], case| {
            quiet(here.path(), args).badly(code).told_of_any(&said, case);
        };
        fails(1, &["get", &wrong], "a wrong password");
        fails(1, &["get", &site.url("nothing")], "there is no such file there");
        fails(1, &["put", "nothing", &site.url("x")], "there is no such file here");
        // Servers do not agree on the code.
        tool(here.path(), &["put", "a", &site.url("no/where")]).badly(1);
        fails(1, &["put", ".", &site.url("x")], "a folder");
        fails(2, &["get", &site.url("")], "no name");
        let no_password = site.url("there").replace(":p@", "@");
        fails(1, &["get", &no_password], "no password");
        assert_eq!(names_in(here.path()), ["a"], "nothing of it stays");
        assert_eq!(names_in(site.root.path()), ["there"]);

        // The others arrive all the same.
        let get = quiet(here.path(), &["get", &site.url("nothing"), &site.url("there")]);
        let get = get.badly(1).told_of_any(&said, "one of two");
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
    let said = Said::on("ftp_bad_url");
    for url in ["http://h/a", "h/a", "ftp://h/a%00", "ftp://h/a%0d%0aDELE%20b", "ftp://h/a\nb"] {
        tool(here.path(), &["get", url]).badly(2).told(&said, &format!("get {url:?}"));
        tool(here.path(), &["put", "a", url]).badly(2).told(&said, &format!("put a {url:?}"));
    }
    tool(here.path(), &["get"]).badly(2).told(&said, "get");
    tool(here.path(), &["put", "ftp://h/a"]).badly(2).told(&said, "put ftp://h/a");
}

#[test]
fn a_password_is_asked_for_and_not_shown() {
    let site = Peer::one();
    let here = tempfile::tempdir().unwrap();
    fs::write(site.path("a"), "hello").unwrap();
    let (host, port) = (site.server.address().ip().to_string(), site.server.port());
    let asked = "password of ftp: ";
    let menu = ["ftp", "client", &host, &port, "-q", "--user", "ftp"];
    let Some((code, screen)) =
        on_a_terminal(here.path(), &[asked, "p\n", "> ", "size a\r", "> ", "quit\r"], &menu)
    else {
        return;
    };
    assert!(code == 0 && screen.contains("\n5\r\n"), "{screen}");
    let get = ["ftp", "get", "-q", &site.url("a").replace(":p@", "@")];
    let Some((code, screen)) = on_a_terminal(here.path(), &[asked, "p\n"], &get) else { return };
    assert_eq!((code, screen.as_str()), (0, "password of ftp: \r\na: 5 bytes downloaded\r\n"));
    assert_eq!(fs::read(here.path().join("a")).unwrap(), b"hello");
    let Some((code, screen)) = on_a_terminal(here.path(), &[asked, "secret\n"], &get) else {
        return;
    };
    assert!(code == 1 && screen.contains("530") && !screen.contains("secret"), "{screen}");
    let Some((code, screen)) = on_a_terminal(here.path(), &[asked, "half\x03"], &get) else {
        return;
    };
    assert_eq!((code, screen.as_str()), (130, "password of ftp: \r\n"));
}

#[test]
fn two_downloads_do_not_write_to_one_part() {
    let site = Peer::one();
    let here = tempfile::tempdir().unwrap();
    fs::write(site.path("a"), "a").unwrap();
    let part = File::create(here.path().join("a.part")).unwrap();
    let lock = nix::fcntl::Flock::lock(part, nix::fcntl::FlockArg::LockExclusive).unwrap();
    let other = quiet(here.path(), &["get", "--continue", &site.url("a")]).badly(1);
    other.told(&Said::on("ftp_another_download"), "get --continue");
    tool(here.path(), &["get", &site.url("a")]).well("a: 1 bytes downloaded\n");
    assert_eq!(names_in(here.path()), ["a", "a.part"]);
    drop(lock);
    tool(here.path(), &["get", "--continue", &site.url("a")]).well("a: 1 bytes downloaded\n");
    assert_eq!(names_in(here.path()), ["a"]);
}
