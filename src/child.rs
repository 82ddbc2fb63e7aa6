//! A server or client as a *process* of its own: start it, read its address, stop it.
//!
//! Demos run both sides like this, because a fork server must be alone in its process, signals go to processes,
//! and learners should see what they would see in two terminals.
//!
//! A server that is killed cannot end its workers. They would become children of init, and still run
//! for a moment after the demo, or stay for ever if they were stopped. So this process becomes the parent of
//! all its orphans (PR_SET_CHILD_SUBREAPER), ends them, and waits for them.

use std::fmt;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{IpAddr, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fs, thread};

use anyhow::{Context, Result, bail};
use netplay_text::say;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getppid};

use crate::failure::alone;
use crate::lang::Lang;

/// The environment variable that makes a process end when its parent does: the number of the parent, or 1, for
/// whatever parent it has.
pub const WITH_PARENT: &str = "NETPLAY_ENDS_WITH_PARENT";

/// Makes this process end when its parent does, if it was started that way. `false`: the parent has ended already, so no
/// signal would come any more.
#[must_use]
pub fn end_with_parent() -> bool {
    let Ok(parent) = std::env::var(WITH_PARENT) else { return true };
    let _ = nix::sys::prctl::set_pdeathsig(Signal::SIGTERM);
    let parent = parent.parse().unwrap_or(1);
    parent == 1 || getppid() == Pid::from_raw(parent)
}

/// Tidies up memory before a server forks. The memory of the command-line parser is free by now, in many pieces;
/// the next call of malloc that needs a larger piece would join and sort them first. If
/// a child makes that call, it copies every page that it touches, and so does the next child.
pub fn tidy_memory() {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "the C library's own function")]
    // SAFETY: malloc_trim(3) touches only free memory, under malloc's own locks.
    unsafe {
        libc::malloc_trim(0); // joins them, and gives whole pages back to the kernel
    }
    std::hint::black_box(Vec::<u8>::with_capacity(4096)); // sorts the rest
}

/// Seconds of CPU time that this process has used, in the program and in the kernel for it.
///
/// # Errors
/// None that getrusage(2) documents.
pub fn cpu_time() -> Result<f64> {
    let used = getrusage(UsageWho::RUSAGE_SELF)?;
    let seconds =
        |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Ok(seconds(used.user_time()) + seconds(used.system_time()))
}

/// A side, or a lab, cannot run on this machine: why, and what to do.
#[derive(Debug)]
pub struct CannotRun(pub String);

impl fmt::Display for CannotRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CannotRun {}

/// Whether a datagram to this address of loopback arrives. Demos, labs and measurements need that, and say at
/// once what is missing; without loopback some of them would wait for something that cannot happen.
///
/// # Errors
/// [`CannotRun`]: there is no route to it. Another error: the send failed for another reason.
#[expect(clippy::disallowed_methods, reason = "the observer's own probe, no step of a page")]
pub fn reach_loopback(address: IpAddr) -> Result<()> {
    let arrives = || {
        let socket = UdpSocket::bind((address, 0))?;
        let own = socket.local_addr()?;
        // It has arrived when its send returns; if loopback is down, it may be lost silently.
        socket.set_read_timeout(Some(Duration::from_secs(1)))?;
        socket.send_to(b"?", own).and_then(|_| socket.recv(&mut [0]))
    };
    arrives().map(drop).map_err(|error| unreachable(address, error))
}

/// Why no datagram arrives at this loopback address. Only some errors say that there is no route to it; the
/// others come from this process or its limits, and would also occur if loopback were up.
fn unreachable(address: IpAddr, error: std::io::Error) -> anyhow::Error {
    use nix::errno::Errno::{EADDRNOTAVAIL, EAFNOSUPPORT, EHOSTUNREACH, ENETUNREACH};
    let lang = Lang::current();
    let is_none = [EADDRNOTAVAIL, ENETUNREACH, EHOSTUNREACH, EAFNOSUPPORT];
    let is_none = is_none.iter().any(|&errno| error.raw_os_error() == Some(errno as i32));
    if !is_none && !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) {
        let what = say!(lang, "cannot send a datagram to {address}", "无法向 {address} 发送数据报");
        return anyhow::Error::new(error).context(what);
    }
    let error = alone(&error, lang);
    let way = match address {
        IpAddr::V4(_) => "",
        IpAddr::V6(_) => lang.pick(", or use IPv4 (-4)", "，或者改用 IPv4 (-4)"),
    };
    CannotRun(say!(
        lang,
        "no datagram reaches {address} here ({error}): ip link set lo up{way}",
        "这里的数据报到不了 {address}（{error}）：ip link set lo up{way}",
    ))
    .into()
}

/// The children of this process.
#[derive(Debug)]
struct Household {
    /// The children that existed before the first was started here; `None`: no child has been started yet.
    before: Option<Vec<Pid>>,
    /// The children that were started here and have not ended yet.
    started: Vec<Pid>,
}

static HOUSEHOLD: Mutex<Household> = Mutex::new(Household { before: None, started: Vec::new() });

/// While this is held no child is started, and no child is mistaken for an orphan.
fn household() -> MutexGuard<'static, Household> {
    HOUSEHOLD.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Household {
    fn start(&mut self, command: &mut Command) -> std::io::Result<Child> {
        if self.before.is_none() {
            self.before = Some(children());
            let _ = nix::sys::prctl::set_child_subreaper(true);
        }
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        self.started.push(Pid::from_raw(child.id().cast_signed()));
        Ok(child)
    }

    /// Ends the orphans of processes that have ended, and the orphans of those.
    #[expect(
        clippy::disallowed_methods,
        reason = "the end of our own processes, no step of a page"
    )]
    fn sweep(&self) {
        let before = self.before.as_deref().unwrap_or_default();
        let is_orphan = |child: &Pid| {
            !self.started.contains(child) && !before.contains(child) && was_started_here(*child)
        };
        while let orphans @ [_, ..] = &*children().into_iter().filter(is_orphan).collect::<Vec<_>>()
        {
            for &orphan in orphans {
                if kill(orphan, Signal::SIGKILL).is_err() {
                    return;
                }
                let _ = waitpid(orphan, None);
            }
        }
    }
}

/// The children of this process, all threads together.
fn children() -> Vec<Pid> {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let of_task = tasks.map(|task| fs::read_to_string(task.path().join("children")));
    let all: String = of_task.map(Result::unwrap_or_default).collect();
    all.split_whitespace().filter_map(|pid| pid.parse().ok()).map(Pid::from_raw).collect()
}

/// Whether a process has the environment that this one gives to its children. A program that uses this
/// library may have other children, which must be left alone.
fn was_started_here(child: Pid) -> bool {
    let mark = format!("{WITH_PARENT}={}", std::process::id());
    let environment = fs::read(format!("/proc/{child}/environ")).unwrap_or_default();
    environment.split(|&byte| byte == 0).any(|variable| variable == mark.as_bytes())
}

/// Ends every process that was started here, with its children, and waits for them. For a program that ends itself.
#[expect(clippy::disallowed_methods, reason = "the end of our own processes, no step of a page")]
pub fn end_all() {
    let mut household = household();
    if household.before.is_none() {
        return;
    }
    for started in std::mem::take(&mut household.started) {
        let _ = kill(started, Signal::SIGKILL);
        let _ = waitpid(started, None);
    }
    household.sweep();
    // Also those that had ended before they could be identified.
    let flags = Some(WaitPidFlag::WNOHANG);
    let one_ended = || waitpid(None, flags).is_ok_and(|status| status != WaitStatus::StillAlive);
    while !children().is_empty() && one_ended() {}
}

/// What could not be started. The error behind it says why.
#[derive(Debug, Clone, Copy)]
pub enum CannotStart {
    /// A thread.
    Thread,
    /// This program, as a process of its own.
    Itself,
    /// The shell.
    Shell,
}

impl fmt::Display for CannotStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (en, zh) = match self {
            CannotStart::Thread => ("cannot start a thread", "无法启动线程"),
            CannotStart::Itself => {
                ("cannot start this program a second time", "无法再次启动本程序")
            }
            CannotStart::Shell => ("cannot start sh", "无法启动 sh"),
        };
        f.write_str(Lang::current().pick(en, zh))
    }
}

/// A line that a process wrote to its standard error, and the name of the process.
#[derive(Debug)]
pub struct Line<Lane> {
    /// The name of the process.
    pub lane: Lane,
    /// The line, without its end.
    pub text: String,
}

/// A running netplay, or another program. Dropping it ends it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    /// Whether it leads a process group of its own, which ends with it.
    leads: bool,
}

impl Process {
    /// Starts this program with these arguments in this folder; every line of its standard error goes to `lines`.
    ///
    /// # Errors
    /// The program cannot be started again.
    pub fn start<Lane>(
        args: &[String],
        folder: &Path,
        lane: Lane,
        lines: Sender<Line<Lane>>,
    ) -> Result<Process>
    where
        Lane: Clone + Send + 'static,
    {
        let child = spawn(own(args, folder)?.stderr(Stdio::piped()));
        let child = child.context(CannotStart::Itself)?;
        Process::heard(child, lane, lines, false)
    }

    /// Starts another program through the shell, in a process group of its own:
    /// the processes that it starts end with it.
    ///
    /// # Errors
    /// There is no shell.
    #[expect(unsafe_code, reason = "pre_exec runs between fork and exec")]
    pub fn start_command<Lane>(line: &str, lane: Lane, lines: Sender<Line<Lane>>) -> Result<Process>
    where
        Lane: Clone + Send + 'static,
    {
        let mut command = Command::new("sh");
        command.args(["-c", line]).process_group(0);
        // SAFETY: prctl is one system call; it allocates nothing and takes no lock.
        unsafe {
            command.pre_exec(|| Ok(nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?));
        }
        let child = spawn(command.stderr(Stdio::piped())).context(CannotStart::Shell)?;
        Process::heard(child, lane, lines, true)
    }

    /// A process whose standard error goes to `lines`.
    fn heard<Lane>(
        mut child: Child,
        lane: Lane,
        lines: Sender<Line<Lane>>,
        leads: bool,
    ) -> Result<Process>
    where
        Lane: Clone + Send + 'static,
    {
        let stderr = child.stderr.take().expect("stderr is piped");
        let stdin = child.stdin.take();
        let process = Process { child, stdin, leads }; // from here on it ends with an error as well
        pass_on(stderr, lane, lines)?;
        Ok(process)
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Starts this program with these arguments, here; its standard error is ours.
    ///
    /// # Errors
    /// The program cannot be started again.
    pub fn start_beside(args: &[String]) -> Result<Process> {
        let child = spawn(own(args, Path::new("."))?.stderr(Stdio::inherit()));
        let mut child = child.context(CannotStart::Itself)?;
        let stdin = child.stdin.take();
        Ok(Process { child, stdin, leads: false })
    }

    /// The address in the server's ready line: `127.0.0.1:40321`, or a path.
    ///
    /// # Errors
    /// It ended, or printed nothing in time.
    pub fn address(&mut self, within: Duration) -> Result<String> {
        Ok(self.ready(within)?.1)
    }

    /// The server's ready line: its kind (`tcp`, `udp`, `unix`) and its address.
    ///
    /// # Errors
    /// As [`address`](Process::address).
    pub fn ready(&mut self, within: Duration) -> Result<(String, String)> {
        let stdout = self.child.stdout.take().context("the ready line was read already")?;
        let line = first_line(stdout)?.recv_timeout(within).unwrap_or_default();
        match line.trim_end().strip_prefix("ready: ").and_then(|ready| ready.split_once(' ')) {
            Some((kind, address)) => Ok((kind.to_owned(), address.to_owned())),
            None => {
                bail!(Lang::current().pick("the server did not become ready", "服务器没有就绪"))
            }
        }
    }

    /// Discards its standard output: a client's replies are in its record already.
    ///
    /// # Errors
    /// There is no thread to read what it writes.
    pub fn ignore_output(&mut self) -> Result<()> {
        let Some(mut stdout) = self.child.stdout.take() else { return Ok(()) };
        thread(move || _ = std::io::copy(&mut stdout, &mut std::io::sink()))
    }

    /// Sends its standard output where its standard error goes, because it has results that no
    /// record of a call has.
    ///
    /// # Errors
    /// There is no thread to read what it writes.
    pub fn tell_output<Lane>(&mut self, lane: Lane, lines: Sender<Line<Lane>>) -> Result<()>
    where
        Lane: Clone + Send + 'static,
    {
        self.child.stdout.take().map_or(Ok(()), |stdout| pass_on(stdout, lane, lines))
    }

    /// Writes a line to its standard input.
    ///
    /// # Errors
    /// It has ended.
    pub fn say(&mut self, line: &str) -> Result<()> {
        let stdin = self.stdin.as_mut().context("its input is closed already")?;
        writeln!(stdin, "{line}").context("it no longer reads")
    }

    /// Closes its standard input, the end of its messages.
    pub fn hush(&mut self) {
        self.stdin = None;
    }

    /// Asks it to end, as Ctrl-C would.
    #[expect(clippy::disallowed_methods, reason = "a word to our own child, no step of a page")]
    pub fn stop(&self) {
        // It may have ended by itself.
        let _ = match self.leads {
            true => killpg(self.pid(), Signal::SIGTERM),
            false => kill(self.pid(), Signal::SIGTERM),
        };
    }

    /// Ends it at once.
    #[expect(
        clippy::disallowed_methods,
        reason = "the end of our own processes, no step of a page"
    )]
    pub fn end(&mut self) {
        if self.leads {
            // The processes that are left of its group. The kernel does not reuse the number while one of them exists.
            let _ = killpg(self.pid(), Signal::SIGKILL);
        }
        // It has usually ended and been reaped; then neither of these does anything.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let mut household = household();
        household.started.retain(|&started| started != self.pid());
        if self.leads {
            // Processes of its group whose parents have ended are our children, and have been killed.
            let group = Pid::from_raw(-self.pid().as_raw());
            while waitpid(group, None).is_ok() {}
        }
        household.sweep();
    }

    /// Whether it has not ended yet.
    ///
    /// # Errors
    /// None that waitpid(2) documents for one's own child.
    pub fn running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// How it ended; waits for that.
    ///
    /// # Errors
    /// As [`running`](Process::running).
    pub fn wait(&mut self) -> Result<ExitStatus> {
        Ok(self.child.wait()?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// This program again, which ends when this process does.
fn own(args: &[String], folder: &Path) -> Result<Command> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let mut command = Command::new(program);
    command.args(args).current_dir(folder).env(WITH_PARENT, std::process::id().to_string());
    Ok(command)
}

fn spawn(command: &mut Command) -> std::io::Result<Child> {
    household().start(command)
}

/// Reads lines in a thread, to the end or until the receiver is gone.
fn pass_on<Lane>(
    from: impl Read + Send + 'static,
    lane: Lane,
    lines: Sender<Line<Lane>>,
) -> Result<()>
where
    Lane: Clone + Send + 'static,
{
    thread(move || {
        for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
            let text = String::from_utf8_lossy(&line).into_owned();
            if lines.send(Line { lane: lane.clone(), text }).is_err() {
                break;
            }
        }
    })
}

/// Reads one line in a thread, so that waiting for it can have a deadline.
fn first_line(from: impl Read + Send + 'static) -> Result<Receiver<String>> {
    let (sender, receiver) = mpsc::channel();
    thread(move || {
        let (mut from, mut line) = (BufReader::new(from), String::new());
        if from.read_line(&mut line).is_ok() {
            let _ = sender.send(line);
        }
        // The rest is discarded, but the writer must not find the pipe closed.
        let _ = std::io::copy(&mut from, &mut std::io::sink());
    })?;
    Ok(receiver)
}

/// Runs this in a thread of its own.
///
/// # Errors
/// The limits of the machine or of the user allow no further thread (pthread_create(3)).
pub fn thread(work: impl FnOnce() + Send + 'static) -> Result<()> {
    thread::Builder::new().spawn(work).context(CannotStart::Thread)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn only_a_way_that_is_missing_is_said_to_be_missing() {
        let to = |error| unreachable(IpAddr::from([127, 0, 0, 1]), error);
        let of = io::Error::from_raw_os_error;
        for errno in [libc::EADDRNOTAVAIL, libc::ENETUNREACH, libc::EHOSTUNREACH, libc::EAGAIN] {
            let error = to(of(errno));
            assert!(
                error.is::<CannotRun>() && error.to_string().contains("link set lo"),
                "{error}"
            );
        }
        for errno in [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM, libc::EPERM] {
            let error = to(of(errno));
            assert!(!error.is::<CannotRun>(), "{error:#}");
            assert!(!format!("{error:#}").contains("link set lo"), "{error:#}");
        }
    }
}
