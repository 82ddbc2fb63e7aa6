//! What the demos say of the examples in Chinese: what each is, and what to watch for. The rows have it in English.

use super::Example;
use crate::lang::Lang;

/// An example's name, what it is, what to watch for.
const WORDS: &[[&str; 3]] = &[
    [
        "tcp-echo",
        "一个 TCP 服务器和客户端，处理完一个连接再处理下一个",
        "监听套接字从不传送一个字节：accept 为客户端新建第二个套接字，服务器用它来对话",
    ],
    [
        "udp-echo",
        "数据报：没有连接，每条消息都带着发送者的地址",
        "没有 listen，没有 accept：一个套接字服务所有客户端，recvfrom 说明该回复谁",
    ],
    [
        "unix-echo",
        "不经过网络的同样的调用：以路径为地址的套接字",
        "只有地址不同：它是一个文件；客户端根本没有名字",
    ],
    [
        "iterative",
        "一次处理一个请求：UDP 是一个数据报，TCP 是一整个连接",
        "内核立刻接通客户端 B，但要等 A 离开，B 才得到回复",
    ],
    ["fork", "每个客户端一个进程", "fork 返回两次；父进程关闭客户端的套接字，子进程关闭监听套接字"],
    ["thread", "每个客户端一个线程", "A 还连着，B 就已得到服务：每个 recv 都在自己的线程里等待"],
    [
        "handler",
        "适用于任何会话的服务器：迭代、多进程或多线程，TCP 或 UDP",
        "调用与 fork 一页相同；由哪个进程来调用，由框架决定",
    ],
    [
        "prefork",
        "几个进程，在第一个客户端到来之前就已创建",
        "没有为客户端 fork，也没有客户端缺少工作进程：C 立刻连上，等 B 离开才得到服务",
    ],
    [
        "pool",
        "同样的做法，换成线程：几个线程轮流服务客户端",
        "两个线程在同一个监听套接字的 accept 中睡眠；C 立刻连上，等 B 离开才得到服务",
    ],
    [
        "nonblocking",
        "从不等待的调用：忙等循环，以及它的代价",
        "服务器从不睡眠：数一数两个客户端之间有多少个 EAGAIN",
    ],
    [
        "select",
        "一个线程，多个客户端：内核说明哪个套接字就绪",
        "一个调用等待所有客户端；A、B、C 谁先说话就先服务谁",
    ],
    [
        "poll",
        "同样的做法，用描述符列表，每种可能发生的事对应一个事件",
        "列表保持不变；发生的事写在其中：POLLIN、POLLHUP、POLLERR",
    ],
    [
        "epoll",
        "列表留在内核里，等待只返回就绪的那些",
        "C 发送的比缓冲区多：水平触发会再次通知，所以每轮一次 recv 就够了",
    ],
    [
        "io-uring",
        "提交操作，而不是逐个调用：内核说明什么已完成，而不是什么已就绪",
        "每个 recv 都在字节到来之前提交；一次 io_uring_enter 送出所有提交，并取回所有结果",
    ],
    [
        "multicast",
        "一个数据报发给许多主机：任何主机都可以加入和离开的组",
        "一次 sendto，每个成员得到一份；发送者不知道有哪些成员，也不知道有没有成员",
    ],
    [
        "ping",
        "那台主机有回应吗？ICMP 回显：没有端口，没有程序，由内核回答",
        "回复就是换了类型的请求，所以校验和恰好只差这一点；UDP 放端口的地方，这里是标识符",
    ],
    [
        "mini-ftp",
        "文件，每条命令一个连接，没有消息边界",
        "没有什么说明名字在哪里结束、文件在哪里结束、文件是否存在：停顿和关闭就是协议",
    ],
    [
        "ftp",
        "任何 FTP 客户端都能使用的文件服务器：两个连接，一个传命令行，一个传字节",
        "每个文件、每个目录列表都有自己的连接，端口由 PASV 用两个十进制数告知；连接结束就是文件结束",
    ],
];

impl Example {
    /// What it is, and what to watch for, in this language.
    #[must_use]
    pub fn told(&self, lang: Lang) -> [&'static str; 2] {
        let chinese = WORDS.iter().find(|[name, ..]| lang == Lang::Zh && *name == self.name);
        chinese.map_or([self.summary, self.watch], |&[_, summary, watch]| [summary, watch])
    }
}

#[cfg(test)]
mod tests {
    use super::super::examples;
    use super::*;

    #[test]
    fn every_example_has_its_words_in_chinese() {
        let names: Vec<_> = examples().map(|example| example.name).collect();
        assert_eq!(names, WORDS.iter().map(|[name, ..]| *name).collect::<Vec<_>>());
        for example in examples() {
            assert!(
                example.told(Lang::Zh).iter().all(|words| !words.is_ascii()),
                "{}",
                example.name
            );
        }
    }
}
