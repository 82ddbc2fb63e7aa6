//! What the tests share: the real binary as a server or client process, with deadlines.
//!
//! No test sleeps: each waits for an event (a line, a byte, an exit), and every wait ends.

#![allow(dead_code, reason = "every test file uses a part of this one")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test is a peer, and may panic"
)]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::Permissions;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use netplay::examples::{Example, Place};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigHandler, Signal, kill};
use nix::unistd::Pid;
use regex::Regex;

/// No wait in a test is longer. It is generous: a loaded machine is slow, not wrong.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// The program under test, without settings from the environment.
pub fn netplay() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netplay"));
    hears_signals(&mut command);
    command.env_remove("NO_COLOR").env_remove("COLUMNS");
    command.env("LC_ALL", "C.UTF-8").env("TERM", "dumb");
    // `netplay why` remembers the last failure: a test must not overwrite the user's.
    command.env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"));
    command
}

/// Starts a program as a terminal does. A shell ignores SIGINT for its background jobs, and nohup ignores SIGHUP; the
/// tests would pass that on.
#[expect(
    unsafe_code,
    reason = "only between fork and exec can a child be told apart from its parent"
)]
pub fn hears_signals(command: &mut Command) {
    let usual = || {
        for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM] {
            // SAFETY: no function is installed as a handler.
            unsafe { nix::sys::signal::signal(signal, SigHandler::SigDfl) }?;
        }
        Ok(())
    };
    // SAFETY: signal(2) may be called between fork and exec, and it is the only call there.
    unsafe { command.pre_exec(usual) };
}

/// Runs netplay to its end with this standard input.
pub fn run(args: &[&str], input: &[u8]) -> Output {
    finish(netplay().args(args), input)
}

/// Runs a command to its end, which must come before the deadline.
pub fn finish(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A program may close its input without reading it: that is no error.
    thread::spawn(move || stdin.write_all(&input));
    let stdout = gather(child.stdout.take().unwrap());
    let stderr = gather(child.stderr.take().unwrap());
    let status = wait(&mut child);
    Output {
        status,
        stdout: stdout.recv_timeout(DEADLINE).unwrap(),
        stderr: stderr.recv_timeout(DEADLINE).unwrap(),
    }
}

/// The exit status of a child. One that does not end in time is killed, and the test fails.
pub fn wait(child: &mut Child) -> ExitStatus {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > end {
            let _ = child.kill();
            panic!("process {} did not end in time", child.id());
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Waits for a condition that no event announces (a file in /proc, a counter).
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !so() {
        assert!(Instant::now() < end, "waited in vain for this: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

fn gather(mut from: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    });
    receiver
}

/// A server of the real binary on a free port of loopback, or on a path. Dropping it kills it.
pub struct Server {
    pub child: Child,
    /// The address in the ready line: `127.0.0.1:40321`, or a path.
    pub place: String,
    stdout: Arc<Mutex<Vec<u8>>>,
    stderr: Arc<Mutex<Vec<u8>>>,
    stderr_ended: Receiver<()>,
}

/// `Server::of("select").args(["--reply", "echo"]).start()`: a server of netplay, before its start.
pub struct Start {
    program: Command,
    example: String,
    place: Vec<OsString>,
    quiet: bool,
    options: Vec<OsString>,
}

impl Start {
    /// Where it listens: HOST and PORT, or a path.
    pub fn at<T: AsRef<OsStr>>(mut self, place: impl IntoIterator<Item = T>) -> Start {
        self.place = place.into_iter().map(|word| word.as_ref().to_owned()).collect();
        self
    }

    /// Where the servers of this row listen: in their group, or at a path in this folder.
    pub fn at_home(self, row: &Example, folder: &Path) -> Start {
        match row.place {
            Place::Internet | Place::Host => self,
            Place::Group { v4, .. } => self.at([v4, "0"]),
            Place::Path => self.at([folder.join("socket")]),
        }
    }

    /// With its story on standard error.
    pub fn aloud(mut self) -> Start {
        self.quiet = false;
        self
    }

    pub fn arg(mut self, option: impl AsRef<OsStr>) -> Start {
        self.options.push(option.as_ref().to_owned());
        self
    }

    pub fn args<T: AsRef<OsStr>>(self, options: impl IntoIterator<Item = T>) -> Start {
        options.into_iter().fold(self, Start::arg)
    }

    pub fn env(mut self, name: &str, value: &str) -> Start {
        self.program.env(name, value);
        self
    }

    pub fn in_folder(mut self, folder: &Path) -> Start {
        self.program.current_dir(folder);
        self
    }

    /// Run by this command, whose last word is the program: strace, a shell, another user.
    pub fn run_by(mut self, command: Command) -> Start {
        self.program = command;
        self
    }

    pub fn start(mut self) -> Server {
        self.program.args([&self.example, "server"]).args(&self.place).args(&self.options);
        if self.quiet {
            self.program.arg("-q");
        }
        Server::from(&mut self.program)
    }
}

/// How a server ended.
pub struct Ended {
    pub status: ExitStatus,
    pub stderr: String,
    /// How long it took from the signal to the end.
    pub took: Duration,
}

impl Server {
    /// A server of netplay, which `start()` starts: on a free port of 127.0.0.1 and quiet, unless told otherwise.
    pub fn of(example: &str) -> Start {
        let (example, place) = (example.to_owned(), vec!["127.0.0.1".into(), "0".into()]);
        Start { program: netplay(), example, place, quiet: true, options: Vec::new() }
    }

    /// A server of any command that prints a ready line.
    pub fn from(command: &mut Command) -> Server {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let (sender, ready) = mpsc::channel();
        let payload = Arc::new(Mutex::new(Vec::new()));
        let into = payload.clone();
        thread::spawn(move || {
            let (mut stdout, mut line) = (BufReader::new(stdout), String::new());
            let _ = stdout.read_line(&mut line);
            let _ = sender.send(line);
            let mut buf = [0; 4096];
            while let Ok(n @ 1..) = stdout.read(&mut buf) {
                into.lock().unwrap().extend_from_slice(&buf[..n]);
            }
        });
        let stderr = Arc::new(Mutex::new(Vec::new()));
        let (sender, stderr_ended) = mpsc::channel();
        let (mut from, into) = (child.stderr.take().unwrap(), stderr.clone());
        thread::spawn(move || {
            let mut buf = [0; 4096];
            while let Ok(n @ 1..) = from.read(&mut buf) {
                into.lock().unwrap().extend_from_slice(&buf[..n]);
            }
            let _ = sender.send(());
        });
        let mut server =
            Server { child, place: String::new(), stdout: payload, stderr, stderr_ended };
        let line = ready.recv_timeout(DEADLINE).unwrap_or_default();
        let place = line.trim_end().strip_prefix("ready: ").and_then(|line| line.split_once(' '));
        match place {
            Some((_, place)) => server.place = place.to_owned(),
            None => panic!("no ready line but {line:?}; stderr: {}", server.stderr()),
        }
        server
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.place.parse().unwrap()
    }

    /// Its port, as text for a command line.
    pub fn port(&self) -> String {
        self.address().port().to_string()
    }

    /// A new TCP connection to it.
    pub fn connect(&self) -> TcpStream {
        connect(self.address())
    }

    /// What it has written to standard output so far, behind its ready line.
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.stdout.lock().unwrap()).into_owned()
    }

    /// What it has written to standard error so far.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr.lock().unwrap()).into_owned()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// Asks it to end with SIGTERM, and waits for that.
    pub fn stop(self) -> Ended {
        self.stop_by(Signal::SIGTERM)
    }

    /// Asks it to end with this signal, and waits for that.
    pub fn stop_by(self, signal: Signal) -> Ended {
        self.signal(signal);
        self.ended()
    }

    /// Waits for it to end by itself.
    pub fn ended(mut self) -> Ended {
        let start = Instant::now();
        let status = wait(&mut self.child);
        let took = start.elapsed();
        self.stderr_ended
            .recv_timeout(DEADLINE)
            .expect("a process it left behind holds its stderr");
        Ended { status, stderr: self.stderr(), took }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A TCP connection on which no wait is endless.
pub fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&to, DEADLINE).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// A UDP socket on loopback whose waits end.
pub fn udp() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket
}

/// Sends all of it and reads as many bytes as it wants back.
pub fn ask(stream: &mut TcpStream, message: &[u8], answer: usize) -> Vec<u8> {
    stream.write_all(message).unwrap();
    let mut bytes = vec![0; answer];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// Says what is missing on this machine, so that a part of the test cannot run. The tests of a file, and `cargo test`
/// itself, end with a line that sums this up. In CI nothing may be skipped.
pub fn skip(lack: &str) {
    assert!(std::env::var_os("CI").is_none(), "in CI nothing is skipped: {lack}");
    SKIPPED_HERE.set(true);
    let thread = thread::current();
    let line = format!("SKIPPED in {}: {lack}\n", thread.name().unwrap_or("a test"));
    // Not eprintln, because the test runner would not show it.
    let _ = std::io::stderr().write_all(line.as_bytes());
    let mut skipped = SKIPPED.lock().unwrap();
    if skipped.is_empty() {
        at_the_end();
    }
    *skipped.entry(lack.to_owned()).or_default() += 1;
    drop(skipped);
    if let Some(notes) = std::env::var_os("NETPLAY_SKIPPED") {
        // Without cargo as the parent (in a debugger) only that line is missing.
        let _ = note(lack, &notes_of(&notes, std::os::unix::process::parent_id()));
    }
}

thread_local! {
    /// Whether the test of this thread has skipped a part of it.
    static SKIPPED_HERE: Cell<bool> = const { Cell::new(false) };
}

/// What this process has skipped, and how often.
static SKIPPED: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());

/// Prints the sum when the tests of this file have ended: a run of this file alone has no other.
#[expect(unsafe_code, reason = "the test runner tells nobody when it has done")]
fn at_the_end() {
    extern "C" fn sum() {
        let Ok(skipped) = SKIPPED.lock() else { return };
        let lacks: Vec<String> = skipped.iter().map(|(lack, n)| format!("{lack} ({n})")).collect();
        let line = format!("skipped here: {}\n", lacks.join(", "));
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
    // SAFETY: the function exists as long as the process, and does not unwind: nothing in it panics.
    unsafe { libc::atexit(sum) };
}

/// Where the tests of one run leave their notes: all of them, and the sum, are children of one cargo. The number of a
/// process may be reused; together with the time of its start it is unique.
pub fn notes_of(notes: &OsStr, cargo: u32) -> PathBuf {
    let stat = std::fs::read_to_string(format!("/proc/{cargo}/stat")).unwrap_or_default();
    // It follows the name in parentheses, which may itself contain spaces and parentheses (proc_pid_stat(5)).
    let started = stat.rsplit(") ").next().unwrap_or_default().split(' ').nth(19).unwrap_or("0");
    let mut name = notes.to_owned();
    name.push(format!(".{cargo}.{started}"));
    name.into()
}

/// Adds a line to them, in one piece: many tests do so at once.
pub fn note(lack: &str, notes: &Path) -> std::io::Result<()> {
    if let Some(folder) = notes.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let line = lack.split_whitespace().collect::<Vec<_>>().join(" ") + "\n";
    std::fs::OpenOptions::new().append(true).create(true).open(notes)?.write_all(line.as_bytes())
}

/// Allows every user to ping.
pub const ANYBODY: &str = "echo 0 2147483647 >/proc/sys/net/ipv4/ping_group_range";

/// A command that runs its arguments in a network of its own, with loopback and with what these lines of shell set up.
/// `None` where that is not possible: the caller returns.
pub fn alone(lines: &str) -> Option<Command> {
    for program in ["unshare", "ip", "setpriv"] {
        if !have(program) {
            skip(&format!("{program} is not installed"));
            return None;
        }
    }
    let command = || match nix::unistd::geteuid().is_root() {
        true => Command::new("unshare"),
        false => {
            let mut sudo = Command::new("sudo");
            sudo.args(["-n", "unshare"]);
            sudo
        }
    };
    if !command().args(["--net", "true"]).output().is_ok_and(|tried| tried.status.success()) {
        skip("nobody here may make a network of its own (unshare --net)");
        return None;
    }
    let script = format!("ip link set lo up && {lines} && exec \"$@\"");
    let mut command = command();
    command.args(["--net", "sh", "-c", &script, "sh"]).env("LC_ALL", "C.UTF-8");
    Some(command)
}

/// The program under test, without privileges: as the user nobody if we are root, otherwise as ourselves.
pub struct Nobody {
    /// Where every user may run it: the folder in which it was built may be closed to others.
    copy: Option<tempfile::TempDir>,
}

impl Nobody {
    /// `None` where the user cannot be changed: the caller returns.
    pub fn new() -> Option<Nobody> {
        if !nix::unistd::geteuid().is_root() {
            return Some(Nobody { copy: None });
        }
        if !have("setpriv") {
            skip("no setpriv");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("netplay");
        install(Path::new(env!("CARGO_BIN_EXE_netplay")), &program);
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        // setpriv itself can still start a program in a closed folder, but that program cannot start another one there.
        let mut again = unprivileged();
        again.args(["sh", "-c", "\"$0\" --version"]).arg(program);
        if !finish(&mut again, b"").status.success() {
            skip("no folder for temporary files that everybody may enter");
            return None;
        }
        Some(Nobody { copy: Some(folder) })
    }

    /// The program, whose arguments follow.
    pub fn command(&self) -> Command {
        let Some(folder) = &self.copy else { return netplay() };
        let mut command = unprivileged();
        command.arg(folder.path().join("netplay"));
        command
    }
}

fn unprivileged() -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).current_dir("/");
    command.env_remove("NO_COLOR").env("LC_ALL", "C.UTF-8").env("TERM", "dumb");
    command
}

/// Copies a program, by another program. If this one had the copy open for writing, a child that another test forks at
/// that moment would inherit it until its exec, and until then the copy could not run (ETXTBSY).
pub fn install(from: &Path, to: &Path) {
    assert!(
        Command::new("install").args(["-m", "755"]).args([from, to]).status().unwrap().success()
    );
}

/// Writes a script as a program, in the same way.
pub fn script(text: &str, to: &Path) {
    let mut install = Command::new("install");
    let output = finish(install.args(["-m", "755", "/dev/stdin"]).arg(to), text.as_bytes());
    assert!(output.status.success(), "{output:?}");
}

/// The program under test, run by root. `None` where we cannot be root: the caller returns.
pub fn as_root() -> Option<Command> {
    if nix::unistd::geteuid().is_root() {
        return Some(netplay());
    }
    // When sudo is killed, its children must end with it.
    let mut sudo = Command::new("sudo");
    sudo.args(["-n", "setpriv", "--pdeathsig", "KILL"]);
    let mut tried = Command::new("sudo");
    tried.args(["-n", "setpriv", "--pdeathsig", "KILL", "true"]);
    if !tried.output().is_ok_and(|tried| tried.status.success()) {
        skip("neither root nor sudo");
        return None;
    }
    sudo.arg(env!("CARGO_BIN_EXE_netplay"));
    Some(sudo)
}

/// A command that runs its arguments with mounts of its own. `None` where that is not possible: the caller returns.
pub fn private_mounts() -> Option<Command> {
    if !have("unshare") {
        skip("no unshare");
        return None;
    }
    let mut ways: Vec<&[&str]> = vec![&["unshare", "-m"], &["unshare", "-Urm"]];
    if have("sudo") && have("setpriv") {
        // In a changed root no user namespace is allowed. When sudo is killed, its children must end with it.
        ways.push(&["sudo", "-n", "setpriv", "--pdeathsig", "KILL", "unshare", "-m"]);
    }
    let command = |way: &[&str]| {
        let mut command = Command::new(way[0]);
        command.args(&way[1..]);
        command
    };
    let works = |way: &&&[&str]| {
        let mut tried = command(way);
        finish(tried.args(["mount", "-t", "tmpfs", "none", "/tmp"]), b"").status.success()
    };
    let way = ways.iter().find(works);
    if way.is_none() {
        skip("no mounts of its own for a process (unshare -m)");
    }
    way.map(|way| command(way))
}

/// The names in a folder, in order.
pub fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Raises the limit on descriptors of this process if necessary, and says whether it is now that high. Other tests in
/// this process are not harmed by it.
pub fn room_for(descriptors: u64) -> bool {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap();
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    soft >= descriptors || setrlimit(Resource::RLIMIT_NOFILE, descriptors, hard).is_ok()
}

/// A command that runs its arguments in a terminal of its own, and types there: each step waits for a text on the
/// screen, then types another one. `None` where that is not possible: the caller returns.
pub fn terminal(steps: &[&str]) -> Option<Command> {
    if !have("python3") {
        skip("no python3");
        return None;
    }
    // A background job, or nohup, ignores them: the terminal must not pass that on.
    let mut python = Command::new("sh");
    python.args(["-c", "trap '' HUP INT QUIT; exec python3 \"$@\"", "sh"]);
    python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/terminal.py")).args(steps).arg("--");
    python.env_remove("NO_COLOR").env("TERM", "xterm").env("LC_ALL", "C.UTF-8");
    Some(python)
}

/// What was said in one test, case by case: a page of `tests/words`, compared when the test ends. A name stands for
/// what differs between runs or machines: see [`settled`] and [`Said::hide`].
pub struct Said {
    page: &'static str,
    cases: RefCell<Vec<(String, String)>>,
    hidden: RefCell<Vec<(String, &'static str)>>,
}

impl Said {
    /// The page of this name.
    pub fn on(page: &'static str) -> Said {
        Said { page, cases: RefCell::default(), hidden: RefCell::default() }
    }

    /// From now on this name stands for this text, such as a port or a path.
    pub fn hide(&self, text: impl ToString, name: &'static str) {
        self.hidden.borrow_mut().push((text.to_string(), name));
    }

    /// Adds the words of a case. A case that is added again must have the same words.
    #[track_caller]
    pub fn add(&self, case: &str, words: &str) {
        let plain = |text: &str| {
            let hidden = self.hidden.borrow();
            let shown = |text: String, (what, name): &(String, &str)| text.replace(what, name);
            settled(&hidden.iter().rev().fold(text.to_owned(), shown))
        };
        let (case, words) = (plain(case), plain(words));
        assert!(!words.trim().is_empty(), "{}: {case}: nothing is said", self.page);
        let mut cases = self.cases.borrow_mut();
        match cases.iter().find(|(known, _)| *known == case) {
            Some((_, known)) => assert_eq!(*known, words, "{}: {case}", self.page),
            None => cases.push((case, words)),
        }
    }

    /// The program ended with this code: adds its error and the hints below it, without its story.
    #[track_caller]
    pub fn ends(&self, case: &str, output: &Output, code: i32) {
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{case}: {:?} {stderr}", output.status);
        assert!(!stderr.contains("panicked"), "{case}: {stderr}");
        self.add(case, &format!("{}[{code}]", errors(&stderr)));
    }
}

impl Said {
    /// The program ended with this code: adds its error without the hints, which may depend on the machine.
    #[track_caller]
    pub fn fails(&self, case: &str, output: &Output, code: i32) {
        assert_eq!(output.status.code(), Some(code), "{case}: {output:?}");
        let errors = errors(&text(&output.stderr));
        self.add(case, errors.lines().next().unwrap_or_default());
    }
}

impl Drop for Said {
    fn drop(&mut self) {
        if thread::panicking() {
            return;
        }
        // Cases that say the same stand together.
        let mut blocks: Vec<(String, Vec<String>)> = Vec::new();
        for (case, words) in self.cases.take() {
            let words = words.trim_end().to_owned();
            match blocks.iter_mut().find(|(known, _)| *known == words) {
                Some((_, heads)) => heads.push(case),
                None => blocks.push((words, vec![case])),
            }
        }
        let blocks = blocks.into_iter().map(|(words, heads)| {
            let heads: String = heads.iter().map(|case| format!("== {case}\n")).collect();
            format!("{heads}{words}\n")
        });
        let text = blocks.collect::<Vec<_>>().join("\n");
        if !SKIPPED_HERE.get() {
            return said_word_for_word(self.page, &text);
        }
        // Some cases cannot run here. Those that can are on the page.
        let page = format!("{}/tests/words/{}.snap", env!("CARGO_MANIFEST_DIR"), self.page);
        let page = by_case(&std::fs::read_to_string(page).unwrap());
        for (case, words) in by_case(&text) {
            assert_eq!(Some(&words), page.get(&case), "{}: {case}", self.page);
        }
    }
}

/// The words of each case on a page.
fn by_case(page: &str) -> BTreeMap<String, String> {
    let (mut cases, mut heads) = (BTreeMap::<String, String>::new(), Vec::new());
    let mut in_heads = false;
    for line in page.lines().skip_while(|line| !line.starts_with("== ")) {
        if let Some(case) = line.strip_prefix("== ") {
            if !in_heads {
                heads.clear();
            }
            heads.push(case);
            in_heads = true;
        } else {
            in_heads = false;
            for &case in heads.iter().filter(|_| !line.is_empty()) {
                *cases.entry(case.to_owned()).or_default() += &format!("{line}\n");
            }
        }
    }
    cases
}

/// The lines of an error, and the indented ones below it.
pub fn errors(stderr: &str) -> String {
    let mut of_it = false;
    let mut lines = String::new();
    for line in stderr.lines() {
        let begins = line.starts_with("netplay: ") || line.starts_with("error: ");
        of_it = begins || of_it && line.starts_with(' ');
        if of_it {
            lines += &format!("{line}\n");
        }
    }
    lines
}

/// A text without its numbers.
pub fn uncounted(text: &str) -> String {
    static NUMBER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b\d[\d,.]*\b").unwrap());
    NUMBER.replace_all(text, "[n]").into_owned()
}

/// The remarks of a story: its lines that are no calls.
pub fn remarks(story: &str) -> Vec<&str> {
    story.lines().filter_map(|line| Some(line.split_once("  -- ")?.1)).collect()
}

/// A text without what differs each time: the folders of tests, ports, and the processes that hold them.
pub fn settled(text: &str) -> String {
    static ALWAYS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        let rules = [
            (r"(/[\w.-]+)+/\.tmp[A-Za-z0-9]{6}", "[folder]"),
            (r"((?:\d+\.){3}\d+|\]|localhost):\d{4,5}\b", "$1:[port]"),
            (r"\b(pid|kill|process|identifier) \d+", "$1 [n]"),
            (r"\b\d+\.\d{3} ms\b", "[n] ms"),
            // Who has a socket, as a hint and `netplay why` name it.
            (r"(?m)(; |^why: |^  unix \S+ +)[^;\n]* \(pid \[n\], started [^)]*\)", "$1[program]"),
            (
                r"(?m)^(  hint: |  (?:tcp|udp)[A-Z_ ]+\S+ +)[^;\n\[]* \(pid \[n\], started [^)]*\)",
                "$1[program]",
            ),
            (r"\bsince \d\d:\d\d\b", "since [time]"),
        ];
        rules.map(|(what, name)| (Regex::new(what).unwrap(), name)).into()
    });
    let program = text.replace(env!("CARGO_BIN_EXE_netplay"), "[netplay]");
    ALWAYS.iter().fold(program, |text, (what, name)| what.replace_all(&text, *name).into_owned())
}

/// What a program printed with these arguments, on both outputs, and its exit code.
pub fn transcript(args: &[&str], output: &Output) -> String {
    let args: Vec<String> = args.iter().map(|arg| format!(" {arg:?}")).collect();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    let code = output.status.code().unwrap_or_else(|| panic!("{output:?}"));
    format!("$ netplay{}\n{out}{err}[{code}]\n\n", args.concat())
}

/// Compares the words with the page in `tests/words`. `INSTA_UPDATE=always` in the environment writes it anew.
#[track_caller]
pub fn said_word_for_word(name: &str, words: &str) {
    let mut there = insta::Settings::clone_current();
    there.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/words"));
    there.set_prepend_module_to_snapshot(false);
    there.set_omit_expression(true);
    there.bind(|| insta::assert_snapshot!(name, words));
}

/// Whether strace may trace here; if not, the test is skipped loudly.
pub fn strace_may_trace() -> bool {
    let mut tried = Command::new("strace");
    let may =
        have("strace") && finish(tried.args(["-o", "/dev/null", "true"]), b"").status.success();
    if !may {
        skip("no strace that may trace");
    }
    may
}

/// The output of a program as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Whether a program is installed.
pub fn have(program: &str) -> bool {
    let there = Command::new("sh").args(["-c", "command -v \"$0\"", program]).output();
    there.is_ok_and(|found| found.status.success())
}

/// Whether IPv6 has a device for multicast here; if not, the test is skipped loudly.
pub fn ipv6_has_a_device() -> bool {
    let devices = std::fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    let there = devices.lines().any(|line| !line.ends_with(" lo"));
    if !there {
        skip("no device but lo has IPv6, and that one takes no multicast");
    }
    there
}
