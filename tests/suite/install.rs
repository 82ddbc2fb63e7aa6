//! What `scripts/install` puts where: all that `cargo install` leaves out.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use crate::common::{finish, script};

/// The script with a `cargo` that builds nothing: the binary of these tests is there already.
fn install(prefix: &str, folder: &Path) -> std::process::Output {
    let release = folder.join("target/release");
    fs::create_dir_all(&release).unwrap();
    symlink(env!("CARGO_BIN_EXE_netplay"), release.join("netplay")).unwrap();
    let cargo = folder.join("cargo");
    script("#!/bin/sh\n[ \"$*\" = 'build --release --locked' ]\n", &cargo);
    let mut install = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/install"));
    let path = std::env::var("PATH").unwrap();
    install.env("PATH", format!("{}:{path}", folder.display()));
    install.env("CARGO_TARGET_DIR", folder.join("target"));
    install.env("DESTDIR", folder.join("dest"));
    finish(install.arg(prefix).current_dir(folder), b"")
}

#[test]
fn binary_manual_and_completions_are_where_debian_looks() {
    let folder = tempfile::tempdir().unwrap();
    let output = install("/opt/net play", folder.path());
    assert!(output.status.success(), "{output:?}");
    let root = folder.path().join("dest/opt/net play");
    let version = finish(Command::new(root.join("bin/netplay")).arg("--version"), b"");
    assert!(version.stdout.starts_with(b"netplay "), "{version:?}");
    for (file, says) in [
        ("share/man/man1/netplay.1", ".TH NETPLAY 1"),
        ("share/man/man1/netplay-select-server.1", ".TH NETPLAY-SELECT-SERVER 1"),
        ("share/bash-completion/completions/netplay", "complete -F"),
        ("share/zsh/site-functions/_netplay", "#compdef netplay"),
        ("share/fish/vendor_completions.d/netplay.fish", "complete -c netplay"),
    ] {
        let text = fs::read_to_string(root.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
        assert!(text.contains(says), "{file} does not say {says:?}");
        let mode = root.join(file).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o644, "{file}");
    }
}
