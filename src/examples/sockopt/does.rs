//! What each option does, in Chinese. The English sentence is the documentation of its constant.

use crate::call::Opt;
use crate::lang::Lang;

/// What an option does, in a sentence.
pub(super) fn does(option: Opt, lang: Lang) -> &'static str {
    let chinese = || CHINESE.iter().find(|(name, _)| *name == option.name()).map(|(_, does)| *does);
    match lang {
        Lang::En => option.does(),
        Lang::Zh => chinese().unwrap_or_else(|| option.does()),
    }
}

const CHINESE: &[(&str, &str)] = &[
    ("SO_ACCEPTCONN", "套接字处于监听状态时为 1。"),
    ("SO_ATTACH_BPF", "让这个 eBPF 程序（由文件描述符给出）挑选并截短到达的数据。"),
    (
        "SO_ATTACH_REUSEPORT_EBPF",
        "让这个 eBPF 程序（由文件描述符给出）决定 SO_REUSEPORT 组里由谁接收。",
    ),
    ("SO_BINDTODEVICE", "把套接字限制在一个网络设备上，例如 lo；空串表示不限制。"),
    ("SO_BROADCAST", "允许向广播地址发送数据报，否则以 EACCES 失败。"),
    ("SO_BSDCOMPAT", "曾经照搬 BSD 的一个错误；从 Linux 2.4 起不起作用。"),
    ("SO_BUSY_POLL", "用这么多微秒直接查看网卡有没有新数据包，而不是睡眠。"),
    ("SO_DEBUG", "把套接字的活动记入内核日志，前提是内核编译时启用了它。"),
    ("SO_DETACH_FILTER", "去掉过滤器，两种都行；没有过滤器时得到 ENOENT。"),
    ("SO_DOMAIN", "地址族：2 是 AF_INET，10 是 AF_INET6，1 是 AF_UNIX。"),
    ("SO_DONTROUTE", "只发给直接相邻的主机，从不经过网关。"),
    ("SO_ERROR", "套接字上待处理的错误，0 表示没有。读取后即清除。"),
    ("SO_INCOMING_CPU", "最近一个数据包到达的处理器；在监听套接字上设置，则为它偏好的处理器。"),
    ("SO_INCOMING_NAPI_ID", "最近一个数据包到达的网卡接收队列。"),
    ("SO_KEEPALIVE", "不时探测沉默的对端，看它是否还在。"),
    ("SO_LINGER", "close 如何处理未发送的字节；打开且时间为零时，改为发送 RST。"),
    ("SO_LOCK_FILTER", "冻结过滤器：得到这个套接字的程序不能再改它，也无法撤销。"),
    ("SO_MARK", "给每个数据包打上一个数字标记，路由和防火墙规则可以看到它。"),
    ("SO_OOBINLINE", "让紧急数据留在字节流里，而不是只能用 MSG_OOB 读取。"),
    ("SO_PASSCRED", "随每条消息送来发送方的进程、用户和组（SCM_CREDENTIALS）。"),
    ("SO_PASSSEC", "随每条消息送来发送方的安全标签（SCM_SECURITY）。"),
    ("SO_PEEK_OFF", "下一次 MSG_PEEK 从队列的第几个字节开始；-1 表示总是从头。"),
    ("SO_PEERCRED", "UNIX 套接字对端的进程、用户和组（struct ucred）。"),
    ("SO_PEERSEC", "对端的安全标签。"),
    ("SO_PRIORITY", "设备来不及发送时哪些数据包先走：0 到 6，root 可以更高。"),
    ("SO_PROTOCOL", "协议：6 是 TCP，17 是 UDP，UNIX 套接字是 0。"),
    ("SO_RCVBUF", "接收缓冲区的大小；内核会把请求的值加倍。"),
    ("SO_RCVBUFFORCE", "有特权时的 SO_RCVBUF：不受 net.core.rmem_max 限制。"),
    ("SO_RCVLOWAT", "至少要有多少字节，接收或等待接收才算就绪。"),
    ("SO_RCVTIMEO", "接收最多等多久，超过则以 EAGAIN 失败；零表示一直等。"),
    (
        "SO_REUSEADDR",
        "让 bind 可以使用旧连接还处于 TIME_WAIT 的地址。同一地址上仍然不能有两个监听套接字。",
    ),
    ("SO_REUSEPORT", "让同一用户的几个套接字共用一个地址，前提是都设了它：内核把客户端分给它们。"),
    ("SO_RXQ_OVFL", "随每条消息送来因缓冲区已满而丢弃的条数。"),
    ("SO_SELECT_ERR_QUEUE", "错误队列除了报告 POLLERR，也报告为异常条件（POLLPRI）。"),
    ("SO_SNDBUF", "发送缓冲区的大小；内核会把请求的值加倍。"),
    ("SO_SNDBUFFORCE", "有特权时的 SO_SNDBUF：不受 net.core.wmem_max 限制。"),
    ("SO_SNDLOWAT", "发送要等到多少空间；在 Linux 上总是 1。"),
    (
        "SO_SNDTIMEO",
        "send 或 connect 最多等多久，超过则以 EAGAIN 或 EINPROGRESS 失败；零表示一直等。",
    ),
    ("SO_TIMESTAMP", "随每条消息送来它到达的时间，精确到微秒。"),
    ("SO_TIMESTAMPNS", "随每条消息送来它到达的时间，精确到纳秒。"),
    ("SO_TYPE", "类型：1 是 SOCK_STREAM，2 是 SOCK_DGRAM。"),
    ("IP_ADD_MEMBERSHIP", "加入组播组：struct ip_mreq，先是组地址，再是本机的一个地址。"),
    ("IP_ADD_SOURCE_MEMBERSHIP", "加入组播组，但只收一个发送方的数据：struct ip_mreq_source。"),
    (
        "IP_BIND_ADDRESS_NO_PORT",
        "bind 端口 0 时先不选端口，留到 connect 再选，这样多个客户端可以共用一个端口。",
    ),
    ("IP_BLOCK_SOURCE", "不再接收组播组里某个发送方的数据：struct ip_mreq_source。"),
    ("IP_DROP_MEMBERSHIP", "离开组播组：struct ip_mreq。"),
    ("IP_DROP_SOURCE_MEMBERSHIP", "不再接收单独加入的那个发送方：struct ip_mreq_source。"),
    ("IP_FREEBIND", "让 bind 可以使用本机没有的、或还没有的地址。"),
    ("IP_HDRINCL", "由程序自己写 IP 首部；用于原始套接字。"),
    ("IP_MTU", "到已连接的对端，途中目前已知能通过的最大数据包。"),
    ("IP_MTU_DISCOVER", "是否探测途中能通过的最大数据包：0 从不，1 按路由，2 总是。"),
    ("IP_MULTICAST_ALL", "接收本机任何程序加入的组播组，还是只接收自己加入的。"),
    ("IP_MULTICAST_IF", "组播从哪个设备发出，用它的地址表示；0.0.0.0 表示按路由。"),
    ("IP_MULTICAST_LOOP", "本机的套接字是否也收到本机发出的组播。"),
    ("IP_MULTICAST_TTL", "组播可以经过多少个路由器，再加一：1 表示留在本地网络。"),
    ("IP_NODEFRAG", "让分片原样通过防火墙；用于原始套接字。"),
    ("IP_OPTIONS", "每个数据包 IP 首部里的选项，最多 40 字节。"),
    ("IP_PASSSEC", "随每个数据报送来对端的安全标签。"),
    ("IP_PKTINFO", "随每个数据报送来它到达的位置：设备和目的地址。"),
    ("IP_RECVERR", "把网络上返回的错误（ICMP）放进队列，用 MSG_ERRQUEUE 读取。"),
    ("IP_RECVOPTS", "送来每个数据包 IP 首部里的选项。"),
    ("IP_RECVORIGDSTADDR", "送来数据报被防火墙重定向之前的目的地址。"),
    ("IP_RECVTOS", "送来每个数据包的服务类型。"),
    ("IP_RECVTTL", "送来每个数据包剩余的 TTL。"),
    ("IP_RETOPTS", "同 IP_RECVOPTS，但本机不填写其中的路由和时间。"),
    ("IP_ROUTER_ALERT", "把带 router-alert 选项的数据包交给程序，而不是转发；用于原始套接字。"),
    ("IP_TOS", "每个数据包的服务类型，例如 16 表示低延迟；现在是 6 位 DSCP 和 2 位 ECN。"),
    ("IP_TRANSPARENT", "让套接字使用不属于本机的地址：透明代理。"),
    ("IP_TTL", "每个数据包的 TTL：可以经过多少个路由器，再加一。"),
    ("IP_UNBLOCK_SOURCE", "重新接收被 IP_BLOCK_SOURCE 屏蔽的发送方：struct ip_mreq_source。"),
    ("IPV6_ADDRFORM", "把连到 IPv4 映射地址的套接字变成 IPv4 套接字：设为 2。"),
    ("IPV6_ADD_MEMBERSHIP", "加入组播组：struct ipv6_mreq，先是组地址，再是设备编号。"),
    ("IPV6_AUTHHDR", "曾经用来送来认证首部。"),
    ("IPV6_DROP_MEMBERSHIP", "离开组播组：struct ipv6_mreq。"),
    ("IPV6_DSTOPTS", "每个数据包带上的目的地选项。"),
    ("IPV6_FLOWINFO", "送来每个数据报的流标签。"),
    ("IPV6_HOPLIMIT", "一个数据报的跳数限制，作为控制消息；作为选项请用 IPV6_UNICAST_HOPS。"),
    ("IPV6_HOPOPTS", "每个数据包带上的逐跳选项。"),
    ("IPV6_MTU", "到已连接的对端，途中能通过的最大数据包；设置它则得到更小的上限。"),
    ("IPV6_MTU_DISCOVER", "是否探测途中能通过的最大数据包：0 从不，1 按路由，2 总是。"),
    ("IPV6_MULTICAST_HOPS", "组播可以经过多少个路由器，再加一：1 表示留在本地网络。"),
    ("IPV6_MULTICAST_IF", "组播从哪个设备发出，用设备编号表示；0 表示按路由。"),
    ("IPV6_MULTICAST_LOOP", "本机的套接字是否也收到本机发出的组播。"),
    ("IPV6_RECVDSTOPTS", "送来每个数据报的目的地选项。"),
    ("IPV6_RECVERR", "把网络上返回的错误（ICMPv6）放进队列，用 MSG_ERRQUEUE 读取。"),
    ("IPV6_RECVHOPLIMIT", "送来每个数据报剩余的跳数。"),
    ("IPV6_RECVHOPOPTS", "送来每个数据报的逐跳选项。"),
    ("IPV6_RECVPKTINFO", "随每个数据报送来它到达的位置：目的地址和设备。"),
    ("IPV6_RECVRTHDR", "送来每个数据报的路由首部。"),
    ("IPV6_ROUTER_ALERT", "把带 router-alert 选项的数据包交给程序，而不是转发；用于原始套接字。"),
    ("IPV6_RTHDR", "每个数据包带上的路由首部。"),
    ("IPV6_UNICAST_HOPS", "每个数据包的跳数限制：可以经过多少个路由器，再加一。"),
    ("IPV6_V6ONLY", "IPv6 套接字不接受 IPv4 客户端，这样另一个套接字可以用同一端口服务 IPv4。"),
    ("TCP_CONGESTION", "TCP 用什么算法控制拥塞：cubic、reno、bbr。"),
    ("TCP_CORK", "攒住小的报文段，直到关闭这个选项，最多 200 毫秒。"),
    ("TCP_DEFER_ACCEPT", "客户端发来数据后才唤醒 accept；值是最多等待的秒数。"),
    ("TCP_FASTOPEN", "允许多少个客户端用一个数据包同时连接和发送（Fast Open）；设在监听套接字上。"),
    ("TCP_FASTOPEN_CONNECT", "让 connect 推迟到第一次发送时，一起发出（Fast Open）。"),
    ("TCP_INFO", "TCP 掌握的连接信息：状态、往返时间、丢包（struct tcp_info）。"),
    ("TCP_KEEPCNT", "沉默的对端可以多少次不回应探测，之后视为已经不在。"),
    ("TCP_KEEPIDLE", "沉默多少秒后 SO_KEEPALIVE 开始探测。"),
    ("TCP_KEEPINTVL", "两次探测之间间隔多少秒。"),
    ("TCP_LINGER2", "已关闭的套接字在 FIN_WAIT2 状态等对端关闭，最多等多少秒。"),
    ("TCP_MAXSEG", "一个报文段最多多少字节；在 connect 之前设置，会通知对端。"),
    ("TCP_NODELAY", "小的报文段立即发送，不等先前的得到确认。"),
    ("TCP_QUICKACK", "立即确认，而不是等着随应答一起发出；只在当前有效。"),
    ("TCP_SYNCNT", "connect 重发 SYN 多少次后放弃。"),
    ("TCP_USER_TIMEOUT", "多少毫秒得不到确认，连接就失败；0 表示用系统的设置。"),
    ("TCP_WINDOW_CLAMP", "通告给对端的最大窗口：它可以发送多少未确认的字节；0 表示不限。"),
    ("UDP_CORK", "把发送的内容攒成一个数据报，关闭这个选项时发出。"),
    ("UDP_GRO", "把同一发送方的数据报合在一起，一次接收。"),
    ("UDP_SEGMENT", "把每次大的发送切成这么多字节的数据报。"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::OPTIONS;

    #[test]
    fn every_option_is_explained_in_chinese() {
        for option in OPTIONS {
            assert_ne!(does(*option, Lang::Zh), option.does(), "{}", option.name());
        }
        for (name, _) in CHINESE {
            assert!(OPTIONS.iter().any(|option| option.name() == *name), "{name}");
        }
    }
}
