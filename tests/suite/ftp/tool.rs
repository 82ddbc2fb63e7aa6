//! Our client: `get` and `put`, the menu, and the terminal that it may have.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Output;

use crate::common::{Said, errors, finish, netplay, terminal, text};
use regex::Regex;

pub fn url(address: SocketAddr, path: &str) -> String {
    format!("ftp://ftp:p@{address}/{path}")
}

/// How a tool ended: its exit code, what it printed, what it told.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ended {
    pub fn of(output: &Output) -> Ended {
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        Ended { code: output.status.code().unwrap_or_else(|| panic!("{output:?}")), out, err }
    }

    /// This is its exit code, and all that it printed.
    #[track_caller]
    pub fn is(self, code: i32, out: &str) -> Ended {
        assert_eq!((self.code, self.out.as_str()), (code, out), "{}", self.err);
        self
    }

    #[track_caller]
    pub fn well(self, out: &str) -> Ended {
        self.is(0, out)
    }

    /// It failed, whatever it has printed before.
    #[track_caller]
    pub fn badly(self, code: i32) -> Ended {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        self
    }

    /// In this case, this is all that it told, without what it says of a password that others see; of a usage error, the
    /// error alone.
    #[track_caller]
    pub fn told(self, said: &Said, case: &str) -> Ended {
        said.add(case, &self.words());
        self
    }

    fn words(&self) -> String {
        if self.code == 2 { errors(&self.err) } else { remarked(&self.err) }
    }

    /// The same of a client of any server: of its replies, each has words of its own.
    #[track_caller]
    pub fn told_of_any(self, said: &Said, case: &str) -> Ended {
        let reply = Regex::new(r"(the server says: \d{3})[^)\n]*").unwrap();
        said.add(case, &reply.replace_all(&self.words(), "$1 [words]"));
        self
    }
}

/// What a quiet client told, without what it says of a password that others see.
pub fn remarked(err: &str) -> String {
    let lines: Vec<&str> = err.lines().filter(|line| !line.starts_with("warning: ")).collect();
    if lines.is_empty() { "(nothing)".to_owned() } else { lines.join("\n") }
}

/// `netplay ftp` with these arguments, run in a folder.
pub fn tool(here: &Path, args: &[&str]) -> Ended {
    let mut command = netplay();
    command.args(["ftp"]).args(args).current_dir(here);
    if !args.contains(&"--timeout") {
        command.args(["--timeout", "20"]);
    }
    command.env("TERM", "xterm"); // there is no terminal, whatever this says
    Ended::of(&finish(&mut command, b""))
}

/// The same without its story: what it tells is what went wrong.
pub fn quiet(here: &Path, args: &[&str]) -> Ended {
    tool(here, &[args, &["-q"]].concat())
}

/// Fetches the file `f`, quietly.
pub fn get(here: &Path, from: SocketAddr, args: &[&str]) -> Ended {
    quiet(here, &[&["get", &url(from, "f")], args].concat())
}

/// The client with its menu, quietly, and these lines for it.
pub fn menu(here: &Path, to: SocketAddr, lines: &str) -> Ended {
    let (host, port) = (to.ip().to_string(), to.port().to_string());
    let mut client = netplay();
    client.args(["ftp", "client", &host, &port, "-q", "--timeout", "20"]);
    client.args(["--user", "ftp", "--password", "p"]).current_dir(here);
    Ended::of(&finish(&mut client, lines.as_bytes()))
}

/// Runs a command in a terminal of its own and types these lines, each when its prompt is seen:
/// the exit code, and the screen. `None` where there can be no terminal: the caller returns.
pub fn on_a_terminal(here: &Path, steps: &[&str], args: &[&str]) -> Option<(i32, String)> {
    on_a_terminal_of_type("xterm", here, steps, args)
}

pub fn on_a_terminal_of_type(
    kind: &str,
    here: &Path,
    steps: &[&str],
    args: &[&str],
) -> Option<(i32, String)> {
    let mut terminal = terminal(steps)?;
    terminal.arg(env!("CARGO_BIN_EXE_netplay")).args(args).current_dir(here);
    let ended = Ended::of(&finish(terminal.env("TERM", kind), b""));
    Some((ended.code, ended.out + &ended.err))
}
