//! `get` and `put` (`crates/ftp/src/get_put.rs`): exit codes and whole files. A claim that needs a server
//! holds for ours, pyftpdlib and vsftpd.

use std::fs::{self, File};
use std::path::Path;
use std::time::SystemTime;

use super::peer::Peer;
use super::site::content;
use super::stranger::cutter;
use super::tool::{on_a_terminal, tool, url};
use crate::common::names_in;

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
fn a_file_that_changes_while_it_is_fetched_is_not_called_whole() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(there.path().join("a"), content(10_000)).unwrap();
    let address = cutter(there.path(), 20_000);
    tool(here.path(), &["get", &url(address, "a")]).badly(1, "changed during the download");
    assert!(names_in(here.path()).is_empty(), "nothing to go on from");
}

#[test]
fn what_did_not_work_is_an_exit_code_and_a_sentence() {
    for site in Peer::all() {
        let here = tempfile::tempdir().unwrap();
        fs::write(here.path().join("a"), "a").unwrap();
        fs::write(site.path("there"), "there").unwrap();
        let wrong = site.url("there").replace("ftp:p@", "ftp:wrong@");
        tool(here.path(), &["get", &wrong]).badly(1, "the server says: 530");
        tool(here.path(), &["get", &site.url("nothing")]).badly(1, "the server says: 550");
        tool(here.path(), &["put", "nothing", &site.url("x")]).badly(1, "cannot read nothing");
        tool(here.path(), &["put", "a", &site.url("no/where")]).badly(1, "the server says: 5");
        tool(here.path(), &["put", ".", &site.url("x")]).badly(1, "not an ordinary file");
        tool(here.path(), &["get", &site.url("")]).badly(2, "does not end with the name of a file");
        let no_password = site.url("there").replace(":p@", "@");
        tool(here.path(), &["get", &no_password]).badly(1, "user ftp needs a password");
        assert_eq!(names_in(here.path()), ["a"], "nothing of it stays");
        assert_eq!(names_in(site.root.path()), ["there"]);

        // The others arrive all the same.
        let get = tool(here.path(), &["get", &site.url("nothing"), &site.url("there")]);
        let get = get.badly(1, "1 of 2 files were not transferred");
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
    tool(here.path(), &["get", "--continue", &site.url("a")]).badly(1, "another download");
    tool(here.path(), &["get", &site.url("a")]).well("a: 1 bytes downloaded\n");
    assert_eq!(names_in(here.path()), ["a", "a.part"]);
    drop(lock);
    tool(here.path(), &["get", "--continue", &site.url("a")]).well("a: 1 bytes downloaded\n");
    assert_eq!(names_in(here.path()), ["a"]);
}
