//! Errors in words.

use std::io;

use netplay_text::lang::Lang;
use netplay_text::say;
use nix::errno::Errno;

/// The words of strerror(3) for an error number: `Address already in use`.
#[must_use]
pub fn strerror(errno: Errno) -> String {
    let text = io::Error::from(errno).to_string();
    text.trim_end_matches(&format!(" (os error {})", errno as i32)).to_owned()
}

/// Every number that has a name on Linux.
pub fn errnos() -> impl Iterator<Item = Errno> {
    (1..=133).map(Errno::from_raw).filter(|&errno| errno != Errno::UnknownErrno)
}

/// The error of this name, in upper or lower case, also by an alias; or of this number.
///
/// ```
/// use netplay_record::errno_named;
/// assert_eq!(errno_named("ewouldblock"), errno_named("11"));
/// ```
#[must_use]
pub fn errno_named(text: &str) -> Option<Errno> {
    let name = match &*text.to_uppercase() {
        "EWOULDBLOCK" => "EAGAIN".to_owned(),
        "ENOTSUP" => "EOPNOTSUPP".to_owned(),
        "EDEADLOCK" => "EDEADLK".to_owned(),
        name => name.to_owned(),
    };
    errnos().find(|errno| name == format!("{errno:?}") || name == (*errno as i32).to_string())
}

/// `Address already in use` for `EADDRINUSE`; in Chinese `地址已被占用`.
///
/// There are Chinese words for the errors of sockets, files and processes; all others are in English.
pub fn error_in_words(name: &str, lang: Lang) -> String {
    if let (Lang::Zh, Some((_, words))) = (lang, CHINESE.iter().find(|(known, _)| *known == name)) {
        return (*words).to_owned();
    }
    let known = errnos().find(|errno| format!("{errno:?}") == name);
    known.map_or_else(|| say!(lang, "an error without a name", "没有名字的错误"), strerror)
}

const CHINESE: [(&str, &str); 48] = [
    ("EPERM", "不允许的操作"),
    ("ENOENT", "没有这个文件或目录"),
    ("ESRCH", "没有这个进程"),
    ("EINTR", "被信号打断"),
    ("EIO", "输入输出错误"),
    ("EBADF", "文件描述符无效"),
    ("ECHILD", "没有子进程"),
    ("EAGAIN", "资源暂时不可用"),
    ("ENOMEM", "内存不足"),
    ("EACCES", "权限不够"),
    ("EFAULT", "地址错误"),
    ("EBUSY", "设备或资源忙"),
    ("EEXIST", "文件已存在"),
    ("ENOTDIR", "不是目录"),
    ("EISDIR", "是一个目录"),
    ("EINVAL", "参数无效"),
    ("ENFILE", "系统中打开的文件过多"),
    ("EMFILE", "打开的文件过多"),
    ("ENOSPC", "设备上没有剩余空间"),
    ("EROFS", "文件系统只读"),
    ("EPIPE", "管道已断开"),
    ("ENAMETOOLONG", "文件名过长"),
    ("ENOSYS", "内核没有实现这个功能"),
    ("ETIME", "定时器到期"),
    ("ENOTSOCK", "不是套接字"),
    ("EDESTADDRREQ", "需要目的地址"),
    ("EMSGSIZE", "消息过长"),
    ("EPROTOTYPE", "协议类型与套接字不符"),
    ("ENOPROTOOPT", "没有这个协议选项"),
    ("EPROTONOSUPPORT", "不支持的协议"),
    ("EOPNOTSUPP", "不支持的操作"),
    ("EAFNOSUPPORT", "协议不支持这个地址族"),
    ("EADDRINUSE", "地址已被占用"),
    ("EADDRNOTAVAIL", "无法使用这个地址"),
    ("ENETDOWN", "网络未启用"),
    ("ENETUNREACH", "网络不可达"),
    ("ECONNABORTED", "连接被中止"),
    ("ECONNRESET", "连接被对端重置"),
    ("ENOBUFS", "没有可用的缓冲区"),
    ("EISCONN", "已经连接"),
    ("ENOTCONN", "没有连接"),
    ("ETIMEDOUT", "连接超时"),
    ("ECONNREFUSED", "连接被拒绝"),
    ("EHOSTDOWN", "主机未启动"),
    ("EHOSTUNREACH", "没有通往主机的路由"),
    ("EALREADY", "操作已在进行"),
    ("EINPROGRESS", "操作正在进行"),
    ("ECANCELED", "操作已取消"),
];
