//! Every refusal names its reason.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use super::site::{Ftp, Site, content};
use crate::common::{self, Nobody, Said, Server, private_mounts};

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
    let said = Said::on("ftp_quota");
    said.add("EDQUOT", &ftp.ask("MKD d", 552));
    said.add("ETXTBSY", &ftp.ask("DELE f", 450));
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
    // Also for their owner, who may be the user that runs the server.
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
    // Files can be put into this one, but it cannot be listed.
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
