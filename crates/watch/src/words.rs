//! What is said beside the calls of a program.

use std::fs;
use std::os::unix::fs::MetadataExt;

use netplay_text::lang::Lang;
use netplay_text::say;

/// The end of a process.
pub(crate) fn exited(code: i32) -> String {
    say!(Lang::current(), "ended: exit status {code}", "结束：退出状态 {code}")
}

/// The end of a process by a signal.
pub(crate) fn killed(signal: &str) -> String {
    say!(Lang::current(), "ended by {signal}", "被 {signal} 终止")
}

/// A process that sent itself a signal that stops it.
pub(crate) fn stopped(signal: &str) -> String {
    say!(
        Lang::current(),
        "has stopped itself ({signal}): SIGCONT lets it go on",
        "自己停了下来（{signal}）：SIGCONT 让它继续",
    )
}

/// A call that is not one of this machine's own kind.
pub(crate) fn foreign() -> String {
    say!(
        Lang::current(),
        "makes system calls of 32 bits, which netplay cannot read: they are not told",
        "使用 32 位的系统调用，netplay 读不懂：这些调用没有记录",
    )
}

/// A seccomp filter of the program's own.
pub(crate) fn own_filter() -> String {
    say!(
        Lang::current(),
        "has installed a seccomp filter of its own: the calls that it forbids are not seen here",
        "安装了自己的 seccomp 过滤器：被它禁止的调用这里看不到",
    )
}

/// What has to be said of the program that a process has become.
pub(crate) fn of_executable(pid: i32) -> Option<String> {
    let path = format!("/proc/{pid}/exe");
    let data = fs::metadata(&path).ok()?;
    let setuid = data.mode() & libc::S_ISUID != 0;
    let setgid = data.mode() & (libc::S_ISGID | libc::S_IXGRP) == libc::S_ISGID | libc::S_IXGRP;
    let mut header = [0; 5];
    use std::io::Read;
    fs::File::open(&path).ok()?.read_exact(&mut header).ok()?;
    let lang = Lang::current();
    if header == *b"\x7fELF\x01" {
        return Some(say!(
            lang,
            "is a 32-bit program: its system calls have other numbers, and are not told",
            "是 32 位程序：它的系统调用编号不同，没有记录",
        ));
    }
    (setuid || setgid).then(|| {
        say!(
            lang,
            "is a setuid or setgid program: watched, it runs without the rights of its file's owner",
            "是 setuid 或 setgid 程序：被观察时，它没有文件属主的权限",
        )
    })
}
