//! What stands on a screen of 80 columns, and of 120: read back from a terminal that we did not write, tmux.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::{have, skip, until};

/// A terminal of its own, with windows. It ends with this value.
struct Screen {
    socket: tempfile::TempDir,
    size: (u16, u16),
}

impl Screen {
    fn new(size: (u16, u16)) -> Screen {
        Screen { socket: tempfile::tempdir().unwrap(), size }
    }

    fn tmux(&self, args: &[&str]) -> String {
        let socket = self.socket.path().join("tmux");
        let mut tmux = Command::new("tmux");
        tmux.args(["-f", "/dev/null", "-u", "-S"]).arg(socket).args(args);
        tmux.env_remove("TMUX").env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
        let out = tmux.output().unwrap();
        assert!(out.status.success(), "tmux {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    }

    /// Runs this command line in a window of this name.
    fn run(&self, window: &str, lang: &str, line: &str) {
        let ((wide, high), netplay) = (self.size, env!("CARGO_BIN_EXE_netplay"));
        let state = self.socket.path().display();
        let line = format!(
            "env NETPLAY_LANG={lang} XDG_STATE_HOME={state} TERM=xterm '{netplay}' {line}; \
             echo '<ended>'; exec cat"
        );
        let (wide, high) = (wide.to_string(), high.to_string());
        if Path::new(&self.socket.path().join("tmux")).exists() {
            self.tmux(&["new-window", "-d", "-n", window, &line]);
        } else {
            self.tmux(&["new-session", "-d", "-n", window, "-x", &wide, "-y", &high, &line]);
        }
    }

    /// All lines of a window, as they stand there; `joined`: those that the terminal has wrapped as one.
    fn lines(&self, window: &str, joined: bool) -> Vec<String> {
        let mut args = vec!["capture-pane", "-p", "-S", "-", "-t", window];
        args.extend(joined.then_some("-J"));
        self.tmux(&args).lines().map(|line| line.trim_end().to_owned()).collect()
    }

    fn shows(&self, window: &str, words: &str) {
        until(words, || self.lines(window, true).iter().any(|line| line.contains(words)));
    }

    fn types(&self, window: &str, keys: &[&str]) {
        self.tmux(&[&["send-keys", "-t", window], keys].concat());
    }

    /// The terminal has wrapped no line of the window: netplay did, between words.
    fn fits(&self, window: &str) {
        let (shown, written) = (self.lines(window, false), self.lines(window, true));
        assert_eq!(shown, written, "{window}: the terminal wrapped a line");
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let socket = self.socket.path().join("tmux");
        let _ = Command::new("tmux").arg("-S").arg(socket).arg("kill-server").output();
    }
}

const SIZES: [(u16, u16); 2] = [(80, 24), (120, 40)];

#[test]
fn the_story_of_two_terminals_fits_both() {
    if !have("tmux") {
        return skip("no tmux");
    }
    for (size, lang) in SIZES.into_iter().flat_map(|size| [(size, "en"), (size, "zh")]) {
        let screen = Screen::new(size);
        screen.run("server", lang, "-v tcp-server 127.0.0.1 0");
        screen.shows("server", "ready: tcp ");
        let ready = screen.lines("server", true);
        let port =
            ready.iter().find_map(|line| line.strip_prefix("ready: tcp 127.0.0.1:")).unwrap();
        screen.run("client", lang, &format!("-v tcp-client 127.0.0.1 {port}"));
        screen.shows("client", "> ");
        screen.types("client", &["-l", "a message that is wider than what is left of it"]);
        screen.types("client", &["Enter"]);
        screen.shows("client", "] : a message");
        screen.types("client", &["Enter"]);
        screen.shows("client", "<ended>");
        screen.types("server", &["C-c"]);
        screen.shows("server", "<ended>");
        for window in ["server", "client"] {
            screen.fits(window);
        }
        // Nothing listens there any more: an error, and what to do.
        screen.run("refused", lang, &format!("tcp-client 127.0.0.1 {port} -m hello"));
        screen.shows("refused", "<ended>");
        screen.shows("refused", "ECONNREFUSED");
        screen.fits("refused");
    }
}

#[test]
fn a_demo_fits_its_terminal() {
    if !have("tmux") {
        return skip("no tmux");
    }
    for (size, lang) in SIZES.into_iter().flat_map(|size| [(size, "en"), (size, "zh")]) {
        let screen = Screen::new(size);
        for demo in ["tcp-echo", "udp-echo", "fork", "io-uring"] {
            screen.run(demo, lang, &format!("{demo} demo"));
        }
        for demo in ["tcp-echo", "udp-echo", "fork", "io-uring"] {
            screen.shows(demo, "<ended>");
            screen.fits(demo);
        }
    }
}
