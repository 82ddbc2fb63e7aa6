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

/// The name of an error number: `EAGAIN` for 11.
#[must_use]
pub fn errno_name(errno: i32) -> String {
    format!("{:?}", Errno::from_raw(errno))
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
pub fn error_in_words(name: &str, lang: Lang) -> String {
    if let (Lang::Zh, Some((_, words))) = (lang, CHINESE.iter().find(|(known, _)| *known == name)) {
        return (*words).to_owned();
    }
    let known = errnos().find(|errno| format!("{errno:?}") == name);
    known.map_or_else(|| say!(lang, "an error without a name", "没有名字的错误"), strerror)
}

const CHINESE: [(&str, &str); 131] = [
    ("EPERM", "不允许的操作"),
    ("ENOENT", "没有这个文件或目录"),
    ("ESRCH", "没有这个进程"),
    ("EINTR", "被信号打断"),
    ("EIO", "输入输出错误"),
    ("ENXIO", "没有这个设备或地址"),
    ("E2BIG", "参数列表过长"),
    ("ENOEXEC", "不是可执行的格式"),
    ("EBADF", "文件描述符无效"),
    ("ECHILD", "没有子进程"),
    ("EAGAIN", "资源暂时不可用"),
    ("ENOMEM", "内存不足"),
    ("EACCES", "权限不够"),
    ("EFAULT", "地址错误"),
    ("ENOTBLK", "需要块设备"),
    ("EBUSY", "设备或资源忙"),
    ("EEXIST", "文件已存在"),
    ("EXDEV", "不能跨设备链接"),
    ("ENODEV", "没有这个设备"),
    ("ENOTDIR", "不是目录"),
    ("EISDIR", "是一个目录"),
    ("EINVAL", "参数无效"),
    ("ENFILE", "系统中打开的文件过多"),
    ("EMFILE", "打开的文件过多"),
    ("ENOTTY", "这个设备不支持该操作"),
    ("ETXTBSY", "文件正在被执行"),
    ("EFBIG", "文件过大"),
    ("ENOSPC", "设备上没有剩余空间"),
    ("ESPIPE", "不能移动读写位置"),
    ("EROFS", "文件系统只读"),
    ("EMLINK", "链接过多"),
    ("EPIPE", "管道已断开"),
    ("EDOM", "数值不合法"),
    ("ERANGE", "结果超出范围"),
    ("EDEADLK", "会造成死锁"),
    ("ENAMETOOLONG", "文件名过长"),
    ("ENOLCK", "没有可用的锁"),
    ("ENOSYS", "内核没有实现这个功能"),
    ("ENOTEMPTY", "目录不是空的"),
    ("ELOOP", "符号链接层数过多"),
    ("ENOMSG", "没有这种类型的消息"),
    ("EIDRM", "标识符已被删除"),
    ("ECHRNG", "通道号超出范围"),
    ("EL2NSYNC", "第 2 级未同步"),
    ("EL3HLT", "第 3 级已停止"),
    ("EL3RST", "第 3 级已复位"),
    ("ELNRNG", "链路号超出范围"),
    ("EUNATCH", "没有连接协议驱动程序"),
    ("ENOCSI", "没有可用的 CSI 结构"),
    ("EL2HLT", "第 2 级已停止"),
    ("EBADE", "交换无效"),
    ("EBADR", "请求描述符无效"),
    ("EXFULL", "交换区已满"),
    ("ENOANO", "没有阳极"),
    ("EBADRQC", "请求码无效"),
    ("EBADSLT", "槽号无效"),
    ("EBFONT", "字体文件格式错误"),
    ("ENOSTR", "设备不是流"),
    ("ENODATA", "没有数据"),
    ("ETIME", "定时器到期"),
    ("ENOSR", "流资源用尽"),
    ("ENONET", "机器不在网络上"),
    ("ENOPKG", "软件包没有安装"),
    ("EREMOTE", "对象在远程"),
    ("ENOLINK", "链路已断开"),
    ("EADV", "通告错误"),
    ("ESRMNT", "仍被远程挂载"),
    ("ECOMM", "发送时通信出错"),
    ("EPROTO", "协议错误"),
    ("EMULTIHOP", "试图多跳"),
    ("EDOTDOT", "RFS 错误"),
    ("EBADMSG", "消息已损坏"),
    ("EOVERFLOW", "数值超出数据类型的范围"),
    ("ENOTUNIQ", "名字在网络上不唯一"),
    ("EBADFD", "文件描述符状态错误"),
    ("EREMCHG", "远程地址已改变"),
    ("ELIBACC", "无法访问需要的共享库"),
    ("ELIBBAD", "共享库已损坏"),
    ("ELIBSCN", "程序里的共享库段已损坏"),
    ("ELIBMAX", "共享库过多"),
    ("ELIBEXEC", "不能直接执行共享库"),
    ("EILSEQ", "多字节字符无效或不完整"),
    ("ERESTART", "被打断的系统调用应重新开始"),
    ("ESTRPIPE", "流管道错误"),
    ("EUSERS", "用户过多"),
    ("ENOTSOCK", "不是套接字"),
    ("EDESTADDRREQ", "需要目的地址"),
    ("EMSGSIZE", "消息过长"),
    ("EPROTOTYPE", "协议类型与套接字不符"),
    ("ENOPROTOOPT", "没有这个协议选项"),
    ("EPROTONOSUPPORT", "不支持的协议"),
    ("ESOCKTNOSUPPORT", "不支持这种套接字类型"),
    ("EOPNOTSUPP", "不支持的操作"),
    ("EPFNOSUPPORT", "不支持这个协议族"),
    ("EAFNOSUPPORT", "协议不支持这个地址族"),
    ("EADDRINUSE", "地址已被占用"),
    ("EADDRNOTAVAIL", "无法使用这个地址"),
    ("ENETDOWN", "网络未启用"),
    ("ENETUNREACH", "网络不可达"),
    ("ENETRESET", "网络复位，连接中断"),
    ("ECONNABORTED", "连接被中止"),
    ("ECONNRESET", "连接被对端重置"),
    ("ENOBUFS", "没有可用的缓冲区"),
    ("EISCONN", "已经连接"),
    ("ENOTCONN", "没有连接"),
    ("ESHUTDOWN", "传输端点已关停，不能再发送"),
    ("ETOOMANYREFS", "引用过多"),
    ("ETIMEDOUT", "连接超时"),
    ("ECONNREFUSED", "连接被拒绝"),
    ("EHOSTDOWN", "主机未启动"),
    ("EHOSTUNREACH", "没有通往主机的路由"),
    ("EALREADY", "操作已在进行"),
    ("EINPROGRESS", "操作正在进行"),
    ("ESTALE", "文件句柄已失效"),
    ("EUCLEAN", "文件系统需要检查"),
    ("ENOTNAM", "不是 XENIX 命名文件"),
    ("ENAVAIL", "没有可用的 XENIX 信号量"),
    ("EISNAM", "是一个命名文件"),
    ("EREMOTEIO", "远程输入输出错误"),
    ("EDQUOT", "超出磁盘配额"),
    ("ENOMEDIUM", "没有介质"),
    ("EMEDIUMTYPE", "介质类型错误"),
    ("ECANCELED", "操作已取消"),
    ("ENOKEY", "没有所需的密钥"),
    ("EKEYEXPIRED", "密钥已过期"),
    ("EKEYREVOKED", "密钥已吊销"),
    ("EKEYREJECTED", "密钥被服务拒绝"),
    ("EOWNERDEAD", "锁的持有者已终止"),
    ("ENOTRECOVERABLE", "状态无法恢复"),
    ("ERFKILL", "无线开关禁止该操作"),
    ("EHWPOISON", "内存页有硬件错误"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_chinese_words() {
        for errno in errnos() {
            let (name, words) = (format!("{errno:?}"), strerror(errno));
            assert_eq!(error_in_words(&name, Lang::En), words);
            assert_ne!(error_in_words(&name, Lang::Zh), words, "{name}");
        }
    }
}
