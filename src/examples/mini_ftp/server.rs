//! The server: a thread for each client, and every path beneath one folder.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, File};
use cap_tempfile::TempFile;
use netplay_text::say;

use super::{Options, PAUSE, not_regular, open};
use crate::call::{
    self, Domain, IPV6_V6ONLY, SO_LINGER, SO_RCVTIMEO, SO_REUSEADDR, SO_SNDTIMEO, TCP_NODELAY,
    TcpListener, TcpStream, Type,
};
use crate::escape::escape;
use crate::lang::Lang;
use crate::sendall;
use crate::server::{self, ServerArgs, Stats};
use crate::stop::{Stop, Watch};

/// A header ends when no more of it arrives for this long: half of the pause behind it, so that
/// its last piece and the first data may both be a little late.
const SILENCE: Duration = Duration::from_millis(50);

/// No path is longer (PATH_MAX), so no header is longer.
const LONGEST: usize = 4096;

/// How long a client may be silent, unless `--idle-timeout` says something else. Without a limit
/// each client that sends nothing would keep its thread for ever.
const IDLE: Duration = Duration::from_secs(60);

/// What a client wants.
#[derive(Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// The names of the files.
    List,
    /// This file.
    Download(&'a Path),
    /// To store this one.
    Upload(&'a Path),
}

/// Serves the files of a folder until the stop, each client in a thread, as the thread page does it.
pub fn serve(args: &ServerArgs, options: &Options, stop: &Stop) -> Result<Stats> {
    // From here on the folder is this descriptor, even if it is moved; paths to it are no longer used.
    let root = options.root.as_deref().unwrap_or(Path::new("."));
    let root = &Dir::open_ambient_dir(root, ambient_authority()).with_context(|| {
        let root = escape(root.as_os_str().as_bytes());
        say!(Lang::current(), "cannot serve the folder {root}", "无法提供目录 {root}")
    })?;

    let address = args.endpoint.resolve()?;
    let socket = call::socket(Domain::for_address(address), Type::STREAM, 0)?;
    call::setsockopt(&socket, SO_REUSEADDR, 1)?;
    if let Some(alone) = server::v6_alone(address, args.endpoint.family) {
        call::setsockopt(&socket, IPV6_V6ONLY, alone)?;
    }
    call::bind(&socket, address)?;
    let listener: TcpListener = call::listen(socket, args.backlog)?;
    server::announce("tcp", call::getsockname(&listener)?)?;

    let total = &Mutex::new(Stats::default());
    let room = &stop.semaphore(args.at_once())?;
    let waiting = stop.watch(&listener);
    let mut accepted = 0;
    thread::scope(|scope| -> Result<()> {
        while room.acquire()?
            && !args.full(accepted)
            && let Some((peer, client)) = waiting.or(|| call::accept(&listener))?
        {
            accepted += 1;
            let (hand_over, handed) = sync_channel(1);
            let serve_one = move || {
                let Ok(peer) = handed.recv() else { return };
                let waiting = stop.watch(&peer);
                let stats = Stats { clients: 1, ..Stats::default() };
                let mut session =
                    Session { peer: &peer, waiting, root, args, options, stop, stats };
                let served = session.run();
                let stats = session.stats;
                drop(session); // its watch ends before the socket is closed
                let closed = call::close(peer);
                match served.and_then(|what| Ok(closed.map(|()| what)?)) {
                    Ok(what) => server::served(client, what),
                    Err(error) => server::lost(client, &*error),
                }
                total.lock().unwrap_or_else(PoisonError::into_inner).add(stats);
                room.release();
            };
            let thread = thread::Builder::new().stack_size(256 * 1024);
            match thread.spawn_scoped(scope, serve_one) {
                Ok(_) => hand_over.send(peer).expect("the thread takes it first of all"),
                Err(error) => {
                    server::no_thread(client, &error);
                    call::close(peer)?;
                    room.release();
                }
            }
        }
        Ok(())
    })?;
    drop(waiting);
    call::close(listener)?;
    let total = total.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(*total)
}

/// One connection: one command.
struct Session<'a> {
    peer: &'a TcpStream,
    waiting: Watch<'a>,
    root: &'a Dir,
    args: &'a ServerArgs,
    options: &'a Options,
    stop: &'a Stop,
    stats: Stats,
}

impl Session<'_> {
    /// Does what the client asks for, and returns the command.
    fn run(&mut self) -> Result<String> {
        let header = self.header()?;
        let shown = escape(&header[..header.len().min(80)]);
        let done = match understand(&header) {
            Ok(Command::List) => self.list(),
            Ok(Command::Download(path)) => self.download(path),
            Ok(Command::Upload(path)) => self.upload(path),
            Err(error) => Err(error),
        };
        let bytes = done.with_context(|| format!("\"{shown}\""))?;
        Ok(say!(Lang::current(), "\"{shown}\": {bytes} bytes", "\"{shown}\"：{bytes} 字节"))
    }

    /// Receives the header: everything before the first silence, in one piece or several. A
    /// half-close ends it for certain; our client does that when it has nothing more to send.
    fn header(&mut self) -> Result<Vec<u8>> {
        call::setsockopt(self.peer, SO_RCVTIMEO, self.idle())?;
        call::setsockopt(self.peer, SO_SNDTIMEO, self.idle())?;
        let mut buf = vec![0; self.args.bufsize];
        let mut header = Vec::new();
        loop {
            match self.waiting.or(|| call::recv(self.peer, &mut buf, 0)) {
                Ok(Some(n @ 1..)) => {
                    if header.is_empty() {
                        call::setsockopt(self.peer, SO_RCVTIMEO, SILENCE)?;
                    }
                    header.extend_from_slice(&buf[..n]);
                }
                Ok(_) => break,
                Err(error) if error.would_block() && !header.is_empty() => break,
                Err(error) => return Err(error.into()),
            }
            if header.len() > LONGEST {
                let error = say!(
                    Lang::current(),
                    "more than {LONGEST} bytes without a pause: this is not a header",
                    "超过 {LONGEST} 字节而没有停顿：这不是命令头",
                );
                return self.or_reset(Err(anyhow!(error)));
            }
        }
        Ok(header)
    }

    /// Sends the names in the folder, each with its own send, with pauses between them.
    ///
    /// TCP_NODELAY keeps the kernel from holding a name back until the one before it is acknowledged,
    /// and then sending both: on a slow line the pause alone would not keep them apart.
    fn list(&mut self) -> Result<u64> {
        let names = self.root.entries()?.map(|entry| Ok(entry?.file_name()));
        let mut names = names.collect::<io::Result<Vec<OsString>>>()?;
        names.sort();
        call::setsockopt(self.peer, TCP_NODELAY, 1)?;
        for (i, name) in names.into_iter().enumerate() {
            if i > 0 {
                call::catch_up(); // a trace has the names so far
                thread::sleep(PAUSE);
            }
            self.send(&name.into_vec())?;
        }
        Ok(self.stats.sent)
    }

    /// Sends a file. If it does not exist, nothing is sent: the protocol has no other answer.
    fn download(&mut self, path: &Path) -> Result<u64> {
        let file = open(self.root, path)?;
        let sent = self.send_file(file);
        self.or_reset(sent)
    }

    fn send_file(&mut self, mut file: File) -> Result<u64> {
        let mut buf = vec![0; self.args.bufsize];
        while let n @ 1.. = file.read(&mut buf)? {
            self.send(&buf[..n])?;
        }
        Ok(self.stats.sent)
    }

    /// Receives a file without a name, and names it when the client has closed: so half a file never
    /// has that name, and an older version stays until then. A reset, a client that falls
    /// silent or the stop leave nothing behind, because a file without a name ends with its descriptor.
    fn upload(&mut self, path: &Path) -> Result<u64> {
        let received = self.receive_file(path);
        self.or_reset(received)
    }

    fn receive_file(&mut self, path: &Path) -> Result<u64> {
        let lang = Lang::current();
        if self.options.read_only {
            bail!(lang.pick("this server is read-only", "这个服务器是只读的"));
        }
        let no_name =
            lang.pick("the path does not end with the name of a file", "路径末尾不是文件名");
        let name = path.file_name().context(no_name)?;
        let folder = match path.parent() {
            Some(parent) if parent != Path::new("") => &self.root.open_dir(parent)?,
            _ => self.root,
        };
        match folder.symlink_metadata(name) {
            Ok(there) if !there.is_file() && !there.is_symlink() => bail!(not_regular()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let mut file = TempFile::new(folder)?; // O_TMPFILE, where the file system has it
        call::setsockopt(self.peer, SO_RCVTIMEO, self.idle())?; // the header's silence was shorter
        let mut buf = vec![0; self.args.bufsize];
        while let Some(n @ 1..) = self.waiting.or(|| call::recv(self.peer, &mut buf, 0))? {
            self.stats.received += n as u64;
            file.write_all(&buf[..n])?;
        }
        // The stop also ends a recv with 0.
        if self.stop.requested() {
            bail!(lang.pick(
                "the server stops: more may have been on its way",
                "服务器停止：可能还有数据没有到达",
            ));
        }
        file.replace(name)?; // a temporary name, then rename(2): there is always the old file or the new one
        Ok(self.stats.received)
    }

    fn send(&mut self, data: &[u8]) -> Result<()> {
        let Some(()) = self.waiting.or(|| sendall(self.peer, data))? else {
            let lang = Lang::current();
            bail!(lang.pick("the server stops before all was sent", "服务器在全部发送之前停止"));
        };
        self.stats.sent += data.len() as u64;
        Ok(())
    }

    fn idle(&self) -> Duration {
        self.args.idle_timeout.unwrap_or(IDLE)
    }

    /// After a failure, makes the next close a reset. A FIN would look like the end of a complete
    /// file, or like success; in a protocol without replies a reset is the only way to say "no".
    /// (At the stop it may come too late: the shutdown that woke this thread has sent a FIN.)
    fn or_reset<T>(&self, done: Result<T>) -> Result<T> {
        if done.is_err() {
            call::setsockopt(self.peer, SO_LINGER, Some(Duration::ZERO))?;
        }
        done
    }
}

/// Reads a header: `L`, `D NAME` or `U NAME`. A line end after it is ignored, because people type one.
///
/// # Errors
/// It is not one of these three.
pub fn understand(header: &[u8]) -> Result<Command<'_>> {
    let lang = Lang::current();
    let header = header.strip_suffix(b"\n").unwrap_or(header);
    let header = header.strip_suffix(b"\r").unwrap_or(header);
    let (letter, name) = match header {
        [] => bail!(lang.pick("no command", "没有命令")),
        [b'L', ..] => return Ok(Command::List),
        [letter @ (b'D' | b'U'), b' ', name @ ..] => (letter, name),
        _ => bail!(lang.pick("not a command of this protocol", "不是这个协议的命令")),
    };
    if name.is_empty() {
        bail!(lang.pick("the name is empty", "名字是空的"));
    }
    // For the kernel a NUL ends a name: it would open a different file from the one asked for.
    if name.contains(&0) {
        bail!(lang.pick("a zero byte in the name", "名字中有零字节"));
    }
    let path = Path::new(OsStr::from_bytes(name));
    match letter {
        b'D' => Ok(Command::Download(path)),
        // Most files have an early line end, and most names do not: better no file than a wrong one.
        _ if name.iter().any(u8::is_ascii_control) => {
            bail!(lang.pick(
                "a control character in the name: header and data arrived in one piece",
                "名字中有控制字符：命令头和数据连在了一起",
            ))
        }
        _ => Ok(Command::Upload(path)),
    }
}
