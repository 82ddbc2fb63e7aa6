//! A program is started under the eyes of a tracer.
//!
//! ```text
//! netplay                                    its child
//! fork ───────────────────────────────────▶  waits for a byte from its parent
//! PTRACE_SEIZE: from here on it is traced
//! a byte ─────────────────────────────────▶  PR_SET_NO_NEW_PRIVS, the filter (seccomp), execve: the program
//! ```
//!
//! The program is in the process group of netplay, with its terminal, environment and standard streams: it runs as
//! it would without a tracer. Between fork and execve only calls that are safe after a fork in a program with threads
//! are made (signal-safety(7)): whatever they need was made before.

use std::ffi::{CString, OsStr, OsString};
use std::fmt;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use netplay_record::error_in_words;
use netplay_text::lang::Lang;
use netplay_text::say;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::{ForkResult, Pid, fork, pipe2};

use super::{filter, request};

/// A program could not be started.
#[derive(Debug)]
pub struct StartError {
    /// The command, as it was given.
    pub command: String,
    /// What failed.
    pub why: StartFailure,
}

/// Why a program could not be started.
#[derive(Debug)]
pub enum StartFailure {
    /// There is no such command in PATH, or no such file.
    NotFound,
    /// Its file cannot be executed, or another call failed: which, and why.
    Call(&'static str, Errno),
    /// Tracing is forbidden here: which call, and why.
    Forbidden(&'static str, Errno),
}

impl StartError {
    /// Whether the machine forbids it: that says nothing of the program.
    #[must_use]
    pub const fn is_forbidden(&self) -> bool {
        matches!(self.why, StartFailure::Forbidden(..))
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lang, command) = (Lang::current(), &self.command);
        f.write_str(&match self.why {
            StartFailure::NotFound if command.contains('/') => {
                say!(lang, "{command}: there is no such file", "{command}：没有这个文件")
            }
            StartFailure::NotFound => {
                say!(lang, "{command}: command not found", "{command}：没有这个命令")
            }
            StartFailure::Call(call, errno) => {
                let why = error_in_words(&format!("{errno:?}"), lang);
                match way_out(call, errno, lang) {
                    Some(way_out) => say!(
                        lang,
                        "{command}: {call}: {why}: {way_out}",
                        "{command}：{call}: {why}：{way_out}",
                    ),
                    None => say!(lang, "{command}: {call}: {why}", "{command}：{call}: {why}"),
                }
            }
            StartFailure::Forbidden(call, errno) => {
                let why = error_in_words(&format!("{errno:?}"), lang);
                say!(
                    lang,
                    "{command}: this machine does not allow tracing: {call}: {why}",
                    "{command}：这台机器不允许跟踪：{call}: {why}",
                )
            }
        })
    }
}

/// What to do about a file that is no program.
fn way_out(call: &str, errno: Errno, lang: Lang) -> Option<&'static str> {
    Some(match errno {
        _ if call != "execve" => return None,
        Errno::EACCES => lang.pick(
            "chmod +x makes a file executable; a script can also follow its interpreter: python3 FILE",
            "chmod +x 使文件可执行；脚本也可以写在解释器后面：python3 FILE",
        ),
        Errno::ENOENT => lang.pick(
            "the interpreter that its first line names, or its loader, is missing",
            "缺少它第一行指定的解释器，或者它的加载器",
        ),
        Errno::ENOEXEC => lang.pick(
            "it is no program for this machine, and its first line names no interpreter (#!)",
            "它不是这台机器的程序，第一行也没有指定解释器（#!）",
        ),
        _ => return None,
    })
}

impl std::error::Error for StartError {}

/// The signals that netplay itself handles.
const OURS: [i32; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGTERM, libc::SIGALRM];

/// The signals that were ignored when watching began.
static IGNORED: AtomicU64 = AtomicU64::new(0);

/// Remembers which signals are ignored, for the programs: to be called before any of them has a handler.
pub(crate) fn remember_ignored() {
    IGNORED.store(signals_of(std::process::id().cast_signed(), "SigIgn:"), Relaxed);
}

/// A mask of signals in its status (proc_pid_status(5)).
pub(crate) fn signals_of(pid: i32, which: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix(which));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// How a program is started.
#[derive(Debug, Default)]
pub struct Launch {
    /// The command and its arguments.
    pub command: Vec<OsString>,
    /// Variables of its environment beside those of netplay's own.
    pub variables: Vec<(OsString, OsString)>,
    /// Its standard input, output and error; where there is none, those of netplay.
    pub streams: [Option<OwnedFd>; 3],
    /// Whether it leads a process group of its own: then it does not share the signals of a terminal, and one signal
    /// reaches all processes of the group (kill(2)).
    pub own_group: bool,
}

impl Launch {
    /// The environment of the program, each variable as `NAME=value`.
    fn environment(&self) -> Vec<CString> {
        let own = std::env::vars_os()
            .filter(|(name, _)| !self.variables.iter().any(|(other, _)| other == name));
        let all = own.chain(self.variables.iter().cloned());
        let line = |(name, value): (OsString, OsString)| {
            CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()).ok()
        };
        all.filter_map(line).collect()
    }
}

/// How far the child came, as a byte.
const STEPS: [(&str, bool); 6] = [
    ("read", false),
    ("prctl(PR_SET_NO_NEW_PRIVS)", true),
    ("seccomp", true),
    ("execve", false),
    ("setpgid", false),
    ("dup2", false),
];

/// Starts a program, traced from its first instruction on.
pub(crate) fn start(launch: &Launch) -> Result<Pid, StartError> {
    let command = &launch.command[..];
    let failed = |why| StartError { command: given(command), why };
    let call = |name| move |errno| StartFailure::Call(name, errno);
    let program = command.first().map(|name| find(name)).unwrap_or_default();
    let path = program.ok_or_else(|| failed(StartFailure::NotFound))?;
    if path.is_dir() {
        return Err(failed(StartFailure::Call("execve", Errno::EISDIR)));
    }
    let c =
        |text: &OsStr| CString::new(text.as_bytes()).map_err(|_| failed(StartFailure::NotFound));
    let path = c(path.as_os_str())?;
    let args: Vec<CString> = command.iter().map(|arg| c(arg)).collect::<Result<_, _>>()?;
    let pointers = |texts: &[CString]| {
        texts.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect::<Vec<_>>()
    };
    let variables = launch.environment();
    let (argv, envp) = (pointers(&args), pointers(&variables));
    let filter = filter::program();
    let pipe = || pipe2(OFlag::O_CLOEXEC).map_err(call("pipe")).map_err(failed);
    let (go, told) = (pipe()?, pipe()?);
    let child = Child {
        path: &path,
        argv: &argv,
        envp: &envp,
        streams: launch.streams.each_ref().map(|stream| stream.as_ref().map(AsRawFd::as_raw_fd)),
        own_group: launch.own_group,
        filter: &filter,
        go: go.0.as_raw_fd(),
        told: told.1.as_raw_fd(),
        closed: [go.1.as_raw_fd(), told.0.as_raw_fd()],
    };
    let pid = match child.fork().map_err(call("fork")).map_err(failed)? {
        ForkResult::Parent { child } => child,
        ForkResult::Child => unreachable!("the child becomes the program, or ends"),
    };
    drop((go.0, told.1));
    if let Err(errno) = request::seize(pid, true) {
        drop(go.1); // the child reads the end, and ends
        let _ = nix::sys::wait::waitpid(pid, None);
        return Err(failed(StartFailure::Forbidden("ptrace(PTRACE_SEIZE)", errno)));
    }
    let _ = nix::unistd::write(&go.1, &[1]);
    TOLD.with_borrow_mut(|all| all.push((pid, told.0)));
    Ok(pid)
}

/// The command in the words of the command line.
pub(crate) fn given(command: &[OsString]) -> String {
    match command.first().map_or(&[][..], |word| word.as_bytes()) {
        b"" => "\"\"".to_owned(),
        word => netplay_text::escape::escape(word),
    }
}

thread_local! {
    /// For each program that has not begun: where its child says what failed.
    static TOLD: std::cell::RefCell<Vec<(Pid, OwnedFd)>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// What a child said before it ended without having become its program.
pub(crate) fn failure(pid: Pid) -> Option<StartFailure> {
    let at = TOLD.with_borrow(|all| all.iter().position(|(of, _)| *of == pid))?;
    let (_, told) = TOLD.with_borrow_mut(|all| all.swap_remove(at));
    let mut said = [0; 5];
    let n = nix::unistd::read(&told, &mut said).unwrap_or(0);
    if n < said.len() {
        return None;
    }
    let (name, forbidden) = STEPS[usize::from(said[0]) % STEPS.len()];
    let errno = Errno::from_raw(i32::from_ne_bytes(netplay_record::part(&said, 1)));
    Some(match (forbidden, errno) {
        (true, errno) => StartFailure::Forbidden(name, errno),
        (false, errno) => StartFailure::Call(name, errno),
    })
}

/// What a child needs between fork and execve.
struct Child<'a> {
    path: &'a CString,
    argv: &'a [*const libc::c_char],
    envp: &'a [*const libc::c_char],
    streams: [Option<RawFd>; 3],
    own_group: bool,
    filter: &'a [libc::sock_filter],
    go: RawFd,
    told: RawFd,
    closed: [RawFd; 2],
}

#[expect(unsafe_code, reason = "fork, and what may follow it in a child")]
impl Child<'_> {
    fn fork(&self) -> Result<ForkResult, Errno> {
        // SAFETY: the child makes only calls that are safe after a fork: it allocates nothing and takes no lock.
        match unsafe { fork() }? {
            ForkResult::Child => {
                let (step, errno) = self.become_program();
                let errno = (errno as i32).to_ne_bytes();
                let said = [step, errno[0], errno[1], errno[2], errno[3]];
                // SAFETY: the buffer has that many bytes, and `_exit` returns to no one.
                unsafe {
                    libc::write(self.told, said.as_ptr().cast(), said.len());
                    libc::_exit(127)
                }
            }
            parent @ ForkResult::Parent { .. } => Ok(parent),
        }
    }

    /// Which step failed, and why: this returns only then.
    fn become_program(&self) -> (u8, Errno) {
        let filter = libc::sock_fprog {
            len: self.filter.len() as u16,
            filter: self.filter.as_ptr().cast_mut(),
        };
        let mut byte = [0_u8];
        let ignored = IGNORED.load(Relaxed);
        // SAFETY: each call gets pointers to memory of the parent, of which the child has a copy, and their sizes.
        unsafe {
            for fd in self.closed {
                libc::close(fd);
            }
            if libc::read(self.go, byte.as_mut_ptr().cast(), 1) != 1 {
                return (0, Errno::last());
            }
            if self.own_group && libc::setpgid(0, 0) != 0 {
                return (4, Errno::last());
            }
            for (fd, stream) in (0..).zip(self.streams) {
                if let Some(stream) = stream
                    && libc::dup2(stream, fd) != fd
                {
                    return (5, Errno::last());
                }
            }
            // The standard library ignores SIGPIPE, and what is ignored stays so over execve.
            libc::signal(libc::SIGPIPE, libc::SIG_DFL);
            // And netplay handles what was ignored when it began: a shell's background job ignores SIGINT.
            for signal in OURS {
                if ignored >> (signal - 1) & 1 == 1 {
                    libc::signal(signal, libc::SIG_IGN);
                }
            }
            if libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 {
                return (1, Errno::last());
            }
            let mode = libc::SECCOMP_SET_MODE_FILTER;
            if libc::syscall(libc::SYS_seccomp, mode, 0, &raw const filter) != 0 {
                return (2, Errno::last());
            }
            libc::execve(self.path.as_ptr(), self.argv.as_ptr(), self.envp.as_ptr());
            (3, Errno::last())
        }
    }
}

/// The file of a command: with a slash a path, without one looked for in PATH (execvp(3)).
fn find(command: &OsStr) -> Option<PathBuf> {
    let is_there = |path: &Path| {
        path.is_file() && nix::unistd::access(path, nix::unistd::AccessFlags::X_OK).is_ok()
    };
    if command.as_bytes().contains(&b'/') {
        return Some(command.into()).filter(|path: &PathBuf| path.exists());
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    std::env::split_paths(&path).map(|folder| folder.join(command)).find(|path| is_there(path))
}

/// What a program is called: its command, or what an interpreter runs: `server.py`.
#[must_use]
pub fn name(command: &[OsString]) -> String {
    const INTERPRETERS: [&str; 10] =
        ["python", "perl", "ruby", "node", "nodejs", "java", "sh", "bash", "dash", "php"];
    let base = |word: &OsStr| {
        let base = Path::new(word).file_name().unwrap_or(word);
        netplay_text::escape::escape(base.as_bytes())
    };
    let Some(first) = command.first() else { return String::new() };
    let command_name = base(first);
    let stem = command_name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    // A word after one of these belongs to it.
    const TAKE_A_WORD: [&str; 7] = ["-cp", "-classpath", "--class-path", "-p", "-W", "-X", "-r"];
    // -c and -e, or a few letters that end so, take the text of a program.
    let is_text = |word: &OsStr| match word.as_bytes() {
        [b'-', letters @ .., b'c' | b'e'] => {
            stem != "java" && letters.len() < 3 && letters.iter().all(u8::is_ascii_alphabetic)
        }
        _ => false,
    };
    let mut words = command[1..].iter();
    let script = loop {
        match words.next() {
            Some(word) if is_text(word) => break None,
            Some(word) if TAKE_A_WORD.iter().any(|option| word == option) => _ = words.next(),
            Some(word) if word.as_bytes().starts_with(b"-") => {}
            found => break found,
        }
    };
    match script {
        Some(script) if INTERPRETERS.contains(&stem) => base(script),
        _ => command_name,
    }
}

/// The same of a process that runs: from its command line in /proc.
pub(crate) fn name_of(pid: Pid) -> Option<String> {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let words = line.split(|&byte| byte == 0).filter(|word| !word.is_empty());
    let words: Vec<OsString> = words.map(|word| OsStr::from_bytes(word).to_owned()).collect();
    (!words.is_empty()).then(|| name(&words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(words: &[&str]) -> String {
        name(&words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn a_program_has_the_name_of_its_command_or_of_its_script() {
        assert_eq!(named(&["./server", "5858"]), "server");
        assert_eq!(named(&["/usr/bin/python3.11", "-u", "lab/client.py", "1"]), "client.py");
        assert_eq!(named(&["python3", "-c", "print(1)"]), "python3");
        assert_eq!(named(&["python3", "-S", "-c", "print(1)"]), "python3");
        assert_eq!(named(&["sh", "-ec", "exit 1"]), "sh");
        assert_eq!(named(&["python3", "-m", "http.server", "8000"]), "http.server");
        assert_eq!(named(&["java", "-cp", "x", "Main"]), "Main");
        assert_eq!(named(&["nginx", "-g", "daemon off;"]), "nginx");
    }
}
