//! The client: a menu, and a connection for each command.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use cap_tempfile::TempFile;

use super::{PAUSE, open};
use crate::call::{self, SO_RCVTIMEO, TcpStream};
use crate::client::{ClientArgs, Talk};
use crate::escape::escape;
use crate::examples::tcp_echo::connect;
use crate::sendall;

const MENU: &str = "list, download NAME, upload NAME, quit";

/// Runs one command after the other. It reads and writes files in the current folder.
pub fn client(args: &ClientArgs) -> Result<()> {
    let here = Dir::open_ambient_dir(".", ambient_authority()).context("the current folder")?;
    let mut talk = args.talk_about(MENU)?;
    while let Some(line) = talk.next()? {
        let mut words = line.splitn(2, |&byte| byte == b' ');
        let (command, name) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let done = match command {
            b"" => continue,
            b"quit" => break,
            b"list" => list(args, &talk),
            b"download" => download(args, &talk, &here, name),
            b"upload" => upload(args, &talk, &here, name),
            _ => Err(anyhow::anyhow!("unknown; there are: {MENU}")),
        };
        if let Err(error) = done {
            talk.failed(error.context(escape(&line)))?;
        }
    }
    Ok(())
}

/// Prints each recv as a name, because nothing else tells where a name ends.
fn list(args: &ClientArgs, talk: &Talk) -> Result<()> {
    with_server(args, |server| {
        sendall(server, b"L")?;
        call::shutdown(server, Shutdown::Write)?;
        let mut buf = vec![0; args.bufsize];
        while let n @ 1.. = call::recv(server, &mut buf, 0)? {
            talk.tell(&escape(&buf[..n]))?;
        }
        Ok(())
    })
}

/// Receives a file without a name, and names it when the server has closed.
fn download(args: &ClientArgs, talk: &Talk, here: &Dir, name: &[u8]) -> Result<()> {
    let local = plain(name)?;
    let mut file = TempFile::new(here)?;
    let received = with_server(args, |server| {
        sendall(server, &[b"D ", name].concat())?;
        // Nothing more to send: the server need not wait for a silence to know where the name ends.
        call::shutdown(server, Shutdown::Write)?;
        let (mut received, mut buf) = (0, vec![0; args.bufsize]);
        while let n @ 1.. = call::recv(server, &mut buf, 0)? {
            file.write_all(&buf[..n])?;
            received += n;
        }
        Ok(received)
    })?;
    let name = escape(name);
    if received == 0 {
        talk.tell(&format!(
            "{name}: 0 bytes: an empty file, or none of that name: this protocol cannot tell; \
             nothing was written"
        ))?;
        return Ok(());
    }
    file.replace(local)?;
    Ok(talk.tell(&format!("{name}: {received} bytes downloaded"))?)
}

/// Sends a file: its header, a pause, its bytes.
fn upload(args: &ClientArgs, talk: &Talk, here: &Dir, name: &[u8]) -> Result<()> {
    let mut file = open(here, plain(name)?)?;
    let sent = with_server(args, |server| {
        sendall(server, &[b"U ", name].concat())?;
        pause(server, args)?;
        let (mut sent, mut buf) = (0, vec![0; args.bufsize]);
        while let n @ 1.. = file.read(&mut buf)? {
            sendall(server, &buf[..n])?;
            sent += n;
        }
        // A close would be enough. But a client that waits for the end learns whether the server sends a FIN,
        // because it has read to the end, or a reset: this protocol has no other answer.
        call::shutdown(server, Shutdown::Write)?;
        while call::recv(server, &mut buf, 0)? > 0 {}
        Ok(sent)
    })
    .context("the server has not taken it")?;
    talk.tell(&format!(
        "{}: {sent} bytes uploaded; whether they were stored this protocol does not say",
        escape(name)
    ))?;
    Ok(())
}

/// Keeps header and data apart. It waits in recv, because a server that refuses closes at once.
fn pause(server: &TcpStream, args: &ClientArgs) -> Result<()> {
    call::setsockopt(server, SO_RCVTIMEO, PAUSE)?;
    match call::recv(server, &mut [0], 0) {
        Err(error) if error.would_block() => {}
        Ok(0) => bail!("it has closed already"),
        Ok(_) => bail!("it speaks where it should listen"),
        Err(error) => return Err(error.into()),
    }
    // Zero: no limit.
    call::setsockopt(server, SO_RCVTIMEO, args.timeout.unwrap_or(Duration::ZERO))?;
    Ok(())
}

/// The name of a file in the current folder. The server also gets it, so a path in it would be a
/// path on both machines.
fn plain(name: &[u8]) -> Result<&Path> {
    if name.is_empty() {
        bail!("a name is missing");
    }
    if matches!(name, b"." | b"..") || name.iter().any(|byte| matches!(byte, b'/' | 0)) {
        bail!("that is no plain name of a file");
    }
    Ok(Path::new(OsStr::from_bytes(name)))
}

/// Connects, runs one command, closes.
fn with_server<T>(args: &ClientArgs, command: impl FnOnce(&TcpStream) -> Result<T>) -> Result<T> {
    let server = connect(args)?;
    let done = command(&server);
    call::close(server)?;
    done
}
