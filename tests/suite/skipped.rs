//! `cargo test` ends with one line that says what was skipped, and for lack of what.

use std::path::PathBuf;
use std::process::Command;

use crate::common::{finish, note, notes_of, script};

/// What stands in for rustdoc ends with this.
const STATUS: i32 = 7;

/// A folder for notes, and a rustdoc that prints what it was asked.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Desk {
        let desk = Desk { folder: tempfile::tempdir().unwrap() };
        let rustdoc = desk.folder.path().join("rustdoc");
        script(&format!("#!/bin/sh\necho \"asked $*\"\nexit {STATUS}\n"), &rustdoc);
        desk
    }

    fn notes(&self) -> PathBuf {
        self.folder.path().join("target/skipped")
    }

    /// What the test of this name would note, if this process were cargo.
    fn skip(&self, lack: &str) {
        note(lack, &notes_of(self.notes().as_os_str(), std::process::id())).unwrap();
    }

    /// The lines that cargo's rustdoc prints.
    fn asked(&self, args: &[&str]) -> Vec<String> {
        let wrapper = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/skipped/rustdoc");
        let mut command = Command::new(wrapper);
        command.args(args).env("NETPLAY_SKIPPED", self.notes());
        let output = finish(command.env("CARGO", self.folder.path().join("cargo")), b"");
        assert_eq!(output.status.code(), Some(STATUS), "{output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }
}

#[test]
fn what_was_skipped_is_summed_in_one_line() {
    let desk = Desk::new();
    let sum = || desk.asked(&["--test", "src/lib.rs"]);
    assert_eq!(sum(), ["asked --test src/lib.rs", "nothing was skipped"]);
    desk.skip("no strace");
    let mend = "; .ci/run installs what can be installed";
    assert_eq!(sum()[1..], [format!("1 check was skipped: no strace (1){mend}")]);
    // A run begins with nothing.
    assert_eq!(sum()[1..], ["nothing was skipped"]);
    for lack in ["no strace", "no python3", "lab a:\n no  loopback", "no python3", "no python3"] {
        desk.skip(lack);
    }
    let sorted = "no python3 (3), lab a: no loopback (1), no strace (1)";
    assert_eq!(sum()[1..], [format!("5 checks were skipped: {sorted}{mend}")]);
}

#[test]
fn another_run_has_notes_of_its_own() {
    let desk = Desk::new();
    // Of the first process, which is no child of ours.
    note("no strace", &notes_of(desk.notes().as_os_str(), 1)).unwrap();
    assert_eq!(desk.asked(&["--test", "src/lib.rs"])[1..], ["nothing was skipped"]);
    assert!(notes_of(desk.notes().as_os_str(), 1).exists());
}

#[test]
fn documentation_is_made_without_a_word_of_it() {
    let desk = Desk::new();
    desk.skip("no strace");
    assert_eq!(desk.asked(&["src/lib.rs", "--test-args"]), ["asked src/lib.rs --test-args"]);
}
