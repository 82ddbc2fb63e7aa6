//! An error: what on this machine bears on it.

use nix::errno::Errno;
use serde_json::json;

use super::answer::{Answer, reasons};
use super::words::name;
use super::{machine, port};
use crate::call::strerror;
use crate::lang::{Lang, Voice};
use netplay_text::say;

/// `netplay why ERRNO`.
pub(super) fn answer(errno: Errno, voice: Voice) -> Answer {
    let (name, number, words) = (name(errno), errno as i32, strerror(errno));
    let lang = voice.lang;
    let here = here(errno, lang);
    let mut text = voice.lines(&format!("{name} ({number}): {words}"));
    if here.is_empty() {
        text += &voice.lines(lang.pick(
            "  no setting of this machine that can be looked up decides this",
            "  本机没有可查的设置与它有关",
        ));
    }
    text.extend(here.iter().map(|fact| voice.lines(&format!("  {fact}"))));
    let next = vec![format!("netplay explain {name}")];
    text += &reasons(&[], &next, voice);
    let facts = json!({
        "name": name, "number": number, "text": words, "here": here, "next": next,
    });
    Answer { key: "errno", text, facts }
}

/// What was found; what cannot be read is left out.
fn here(errno: Errno, lang: Lang) -> Vec<String> {
    let said = |en: &str, zh: &str| Some(lang.pick(en, zh).to_owned());
    let found: Vec<Option<String>> = match errno {
        Errno::EADDRINUSE => vec![
            default_port(lang),
            said("any other port: netplay why PORT", "其他端口：netplay why PORT"),
        ],
        Errno::EADDRNOTAVAIL => vec![
            said(
                "a bind: is it an address of this machine? ip address shows them",
                "bind：这是本机的地址吗？ip address 列出本机的地址",
            ),
            machine::local_ports(lang),
        ],
        Errno::EMFILE => {
            vec![machine::descriptors_of_a_process(lang), machine::largest_users(lang)]
        }
        Errno::ENFILE => vec![machine::open_files(lang)],
        Errno::EACCES => {
            let (ports, groups) = (machine::privileged_ports(lang), machine::ping_group(lang));
            vec![
                Some(say!(lang, "a bind: {ports}", "bind：{ports}")),
                Some(say!(lang, "a socket for ICMP: {groups}", "ICMP 套接字：{groups}")),
                said(
                    "a path: you may not write to its folder, or may not enter a folder on the way",
                    "路径：你无权写入它所在的目录，或无权进入途中的某个目录",
                ),
                said(
                    "a sendto: a broadcast address needs SO_BROADCAST",
                    "sendto：发往广播地址需要 SO_BROADCAST",
                ),
            ]
        }
        Errno::EPERM => {
            let groups = machine::ping_group(lang);
            vec![
                Some(say!(
                    lang,
                    "a raw socket needs CAP_NET_RAW; a socket for ICMP only: {groups}",
                    "原始套接字需要 CAP_NET_RAW；只用 ICMP 的套接字：{groups}"
                )),
                said(
                    "a sendto: a firewall of this machine forbids it",
                    "sendto：本机的防火墙禁止发送",
                ),
                machine::io_uring(lang),
            ]
        }
        Errno::ENOSYS => vec![machine::io_uring(lang)],
        Errno::ECONNREFUSED => vec![port::who_listens(lang).ok()],
        Errno::ENOBUFS | Errno::ENOMEM => {
            vec![machine::memory("TCP", "tcp_mem", lang), machine::memory("UDP", "udp_mem", lang)]
        }
        Errno::EMSGSIZE => vec![
            said(
                "a UDP datagram holds at most 65,507 bytes over IPv4 and 65,527 over IPv6, on every machine",
                "UDP 数据报在 IPv4 上最多 65,507 字节，在 IPv6 上最多 65,527 字节，任何机器都一样",
            ),
            machine::interfaces(lang),
        ],
        Errno::ETIMEDOUT => vec![machine::syn_retries(lang), machine::keepalive(lang)],
        Errno::EAGAIN | Errno::EINPROGRESS => vec![said(
            "not a failure: the call would have to wait, and was told not to (O_NONBLOCK, or a timeout)",
            "这不是故障：调用本来要等待，但被要求不等待（O_NONBLOCK 或超时）",
        )],
        Errno::ENETUNREACH | Errno::EHOSTUNREACH => {
            vec![machine::routes(lang), machine::interfaces(lang)]
        }
        Errno::EAFNOSUPPORT => vec![machine::ipv6(lang)],
        Errno::ECONNRESET | Errno::EPIPE => vec![said(
            "the peer ended the connection: it closed with unread data, was killed, or is gone",
            "是对端结束了连接：它关闭时还有数据没读，或被强行终止，或已经不在了",
        )],
        _ => Vec::new(),
    };
    found.into_iter().flatten().collect()
}

/// What there is at netplay's default port.
fn default_port(lang: Lang) -> Option<String> {
    let answer = port::answer(5858, Voice { lang, columns: usize::MAX }).ok()?;
    let lines = answer.text.lines().skip(1).take_while(|line| line.starts_with("  "));
    let lines: Vec<&str> = lines.map(str::trim).collect();
    let lines = lines.join(lang.pick("; ", "；"));
    Some(say!(lang, "netplay's own port, 5858: {lines}", "netplay 的默认端口 5858：{lines}"))
}
