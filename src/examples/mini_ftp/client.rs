//! The client: a menu, and a connection for each command.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use cap_tempfile::TempFile;
use netplay_text::say;

use super::{PAUSE, open};
use crate::call::{self, SO_RCVTIMEO, TcpStream};
use crate::client::{ClientArgs, Talk};
use crate::escape::escape;
use crate::examples::tcp_echo::connect;
use crate::lang::Lang;
use crate::sendall;

const MENU: &str = "list, download NAME, upload NAME, quit";

/// Runs one command after the other. It reads and writes files in the current folder.
pub fn client(args: &ClientArgs) -> Result<()> {
    let lang = Lang::current();
    let here = Dir::open_ambient_dir(".", ambient_authority())
        .context(lang.pick("the current folder", "当前目录"))?;
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
            _ => Err(anyhow!(say!(
                lang,
                "there is no such command; the commands are: {MENU}",
                "没有这个命令；可用的命令：{MENU}",
            ))),
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
    let (lang, name) = (Lang::current(), escape(name));
    if received == 0 {
        talk.tell(&say!(
            lang,
            "{name}: 0 bytes: the file is empty, or there is none: this protocol cannot tell; nothing was written",
            "{name}：0 字节：文件是空的，或者不存在：这个协议区分不了；没有写入任何内容",
        ))?;
        return Ok(());
    }
    file.replace(local)?;
    Ok(talk.tell(&say!(
        lang,
        "{name}: {received} bytes downloaded",
        "{name}：下载了 {received} 字节"
    ))?)
}

/// Sends a file: its header, a pause, its bytes.
fn upload(args: &ClientArgs, talk: &Talk, here: &Dir, name: &[u8]) -> Result<()> {
    let lang = Lang::current();
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
    .context(lang.pick("the server did not accept it", "服务器没有接收"))?;
    let name = escape(name);
    Ok(talk.tell(&say!(
        lang,
        "{name}: {sent} bytes uploaded; this protocol does not say whether they were stored",
        "{name}：上传了 {sent} 字节；是否已保存，这个协议不会说",
    ))?)
}

/// Keeps header and data apart. It waits in recv, because a server that refuses closes at once.
fn pause(server: &TcpStream, args: &ClientArgs) -> Result<()> {
    let lang = Lang::current();
    call::setsockopt(server, SO_RCVTIMEO, PAUSE)?;
    match call::recv(server, &mut [0], 0) {
        Err(error) if error.would_block() => {}
        Ok(0) => bail!(lang.pick("it has closed the connection", "它已关闭连接")),
        Ok(_) => bail!(lang.pick("it sends when it should receive", "它在该接收的时候发送")),
        Err(error) => return Err(error.into()),
    }
    // Zero: no limit.
    call::setsockopt(server, SO_RCVTIMEO, args.timeout.unwrap_or(Duration::ZERO))?;
    Ok(())
}

/// The name of a file in the current folder. The server also gets it, so a path in it would be a
/// path on both machines.
fn plain(name: &[u8]) -> Result<&Path> {
    let lang = Lang::current();
    if name.is_empty() {
        bail!(lang.pick("a name is missing", "缺少文件名"));
    }
    if matches!(name, b"." | b"..") || name.iter().any(|byte| matches!(byte, b'/' | 0)) {
        bail!(lang.pick(
            "the name must be that of a file in this folder, without a path",
            "名字只能是当前目录中的文件名，不能带路径",
        ));
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
