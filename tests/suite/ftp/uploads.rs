//! Nothing is lost: an upload is unseen until it is whole.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::site::{Ftp, LARGE, Site, content, reset};
use crate::common::{Server, names_in, until};
use nix::sys::signal::Signal;

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
pub fn half_an_upload(site: &Site, command: &str) -> (Ftp, TcpStream) {
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
pub fn only_the_old_version_is_there(site: &Site) {
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
fn stat_is_answered_during_a_transfer() {
    let site = Site::new(&[]);
    let (mut ftp, data) = half_an_upload(&site, "STOR a");
    assert!(ftp.ask("STAT", 213).contains(" 4 bytes"));
    drop(data);
    ftp.expect(226);
}
