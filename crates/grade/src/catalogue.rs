//! The catalogue: every test, which programs it is for, and what it teaches.

use netplay_review::Rule;

use super::near::near;
use super::plan::Model;
use super::stage::Stage;
use super::tests::{bytes, client, ends, kernel, many, starts, udp};
use super::verdict::Broken;

/// A test.
pub struct Test {
    /// Its name: `bytes/cut`.
    pub id: &'static str,
    /// What a program does that passes it, in English and in Chinese.
    pub does: (&'static str, &'static str),
    /// The lab or lesson to go to.
    pub lab: &'static str,
    /// For which programs it is.
    pub models: &'static [Model],
    /// The mistakes that can be its cause, where the records prove one.
    pub(crate) causes: &'static [Rule],
    pub(crate) run: fn(&mut Stage<'_>) -> Result<(), Broken>,
}

impl std::fmt::Debug for Test {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id)
    }
}

impl PartialEq for Test {
    fn eq(&self, other: &Test) -> bool {
        self.id == other.id
    }
}

impl Test {
    /// Its group: `bytes`.
    #[must_use]
    pub fn group(&self) -> &'static str {
        self.id.split_once('/').map_or(self.id, |(group, _)| group)
    }

    /// Whether its name fits a pattern, in which `*` stands for any letters, `?` for one, `[ab]` for one of these; a group stands for
    /// its tests.
    #[must_use]
    pub fn is_named(&self, pattern: &str) -> bool {
        let fits = |pattern: glob::Pattern| pattern.matches(self.id);
        pattern == self.group() || glob::Pattern::new(pattern).is_ok_and(fits)
    }

    /// The command that teaches what it is about.
    #[must_use]
    pub fn command(&self) -> String {
        match (self.id, self.lab) {
            // The lesson on errors is long: what it says of this one.
            ("starts/stops" | "kernel/eintr", _) => "netplay explain EINTR".to_owned(),
            ("kernel/aborted", _) => "netplay explain ECONNABORTED".to_owned(),
            (_, lesson @ ("errno" | "socket-api" | "udp" | "select")) => {
                format!("netplay explain {lesson}")
            }
            (_, lab) => format!("netplay lab {lab}"),
        }
    }
}

/// Whether a pattern names any test.
#[must_use]
pub fn names_a_test(pattern: &str) -> bool {
    TESTS.iter().any(|test| test.is_named(pattern))
}

/// The test or the group that was probably meant by a name that is not one.
#[must_use]
pub fn near_test(typed: &str) -> Option<&'static str> {
    let names = TESTS.iter().flat_map(|test| [test.group(), test.id]);
    near(typed, names)
}

const SERVERS: &[Model] = &[Model::Concurrent, Model::Iterative, Model::Udp];
const STREAMS: &[Model] = &[Model::Concurrent, Model::Iterative];
const CONCURRENT: &[Model] = &[Model::Concurrent];
const UDP: &[Model] = &[Model::Udp];
const CLIENT: &[Model] = &[Model::Client];

/// The causes of a wrong start.
const OF_STARTS: &[Rule] = &[
    Rule::PortByteOrder,
    Rule::ErrorIgnored,
    Rule::ErrorAsDescriptor,
    Rule::NotASocket,
    Rule::BadAddressLength,
    Rule::AddressInUse,
    Rule::OredOptions,
];
/// The causes of a wrong answer.
const OF_BYTES: &[Rule] = &[
    Rule::ErrorAsDescriptor,
    Rule::BadAddressLength,
    Rule::ShortSend,
    Rule::AgainAsEnd,
    Rule::LengthInCharacters,
];
/// The causes of a wrong end.
const OF_ENDS: &[Rule] =
    &[Rule::EndIgnored, Rule::ResetByUnread, Rule::DeadPeer, Rule::BusyLoop, Rule::AgainAsEnd];
/// The causes for which one of many clients waits.
const OF_MANY: &[Rule] = &[Rule::BlockedBehind];
const NONE: &[Rule] = &[];

macro_rules! tests {
    ($($id:literal $lab:literal $models:ident $causes:ident $run:path, $en:literal, $zh:literal;)+) => {
        /// Every test, in the order in which they are made.
        pub static TESTS: &[Test] = &[$(Test {
            id: $id,
            does: ($en, $zh),
            lab: $lab,
            models: $models,
            causes: $causes,
            run: $run,
        },)+];
    };
}

tests! {
    "starts/listens" "socket-api" SERVERS OF_STARTS starts::listens,
        "it can be reached at its port", "可以通过端口到达它";
    "starts/address" "bindwhere" SERVERS NONE starts::address,
        "it listens at the address that it was told, and at no other", "它只监听指定的地址";
    "starts/restarts" "timewait" SERVERS NONE starts::restarts,
        "it can be started again at once, with connections in TIME_WAIT", "有连接处于 TIME_WAIT 时可以立即重新启动";
    "starts/stops" "errno" SERVERS NONE starts::stops,
        "SIGTERM ends it within a second, with all that it has started", "SIGTERM 在一秒内结束它和它启动的一切";
    "bytes/one" "socket-api" STREAMS OF_BYTES bytes::one,
        "it answers a request", "它回答一个请求";
    "bytes/slowly" "framing" STREAMS OF_BYTES bytes::slowly,
        "a request may come byte by byte", "请求可以一个字节一个字节地到来";
    "bytes/together" "framing" STREAMS OF_BYTES bytes::together,
        "two requests may come together", "两个请求可以一起到来";
    "bytes/cut" "framing" STREAMS OF_BYTES bytes::cut,
        "a request may come in two parts, cut anywhere", "请求可以在任何位置分成两部分到来";
    "bytes/large" "shortwrite" STREAMS OF_BYTES bytes::large,
        "more than the buffers hold, to a slow reader, and no byte is lost", "数据超过缓冲区、读取缓慢时，不丢字节";
    "bytes/binary" "socket-api" STREAMS OF_BYTES bytes::binary,
        "bytes may be anything: NUL and 0xff as well", "字节可以是任何值，包括 NUL 和 0xff";
    "ends/half-close" "halfclose" STREAMS OF_ENDS ends::half_close,
        "a client that sends no more still gets its answer, and then the end", "不再发送的客户端仍得到回答，然后是结束";
    "ends/quietly" "gone" STREAMS NONE ends::quietly,
        "a client may come and go without a word", "客户端可以来了又走，一言不发";
    "ends/middle" "gone" STREAMS NONE ends::middle,
        "a client may leave within a request", "客户端可以在请求中途离开";
    "ends/reset" "reset" STREAMS NONE ends::reset,
        "a client may end with a reset", "客户端可以以重置结束";
    "ends/before-reply" "sigpipe" STREAMS NONE ends::before_reply,
        "a client may leave before its answer", "客户端可以在得到回答之前离开";
    "many/silent" "deaf" CONCURRENT NONE many::silent,
        "a silent client keeps no other waiting", "不说话的客户端不会让别人等待";
    "many/slow-reader" "deaf" CONCURRENT NONE many::slow_reader,
        "a client that never reads keeps no other waiting", "从不读取的客户端不会让别人等待";
    "many/hundred" "models" CONCURRENT OF_MANY many::hundred,
        "a hundred clients at once", "同时一百个客户端";
    "many/fd-1024" "select" CONCURRENT OF_MANY many::fd_1024,
        "1,100 clients at once", "同时 1,100 个客户端";
    "many/descriptors" "limits" STREAMS NONE many::descriptors,
        "when no descriptor is left it pauses, and comes back", "没有描述符时它会停顿，之后恢复";
    "many/leak" "limits" STREAMS NONE many::leak,
        "of a thousand clients no descriptor, child or thread stays", "一千个客户端之后，不留下描述符、子进程或线程";
    "many/idle" "models" SERVERS NONE many::idle,
        "it uses no processor while no client speaks", "没有客户端说话时不占用处理器";
    "kernel/short-recv" "framing" STREAMS OF_BYTES kernel::short_recv,
        "a receive may return less", "接收可能返回更少";
    "kernel/short-send" "shortwrite" STREAMS OF_BYTES kernel::short_send,
        "a send may take less", "发送可能只取走一部分";
    "kernel/eintr" "errno" STREAMS NONE kernel::eintr,
        "a signal may interrupt a call that waits", "信号可能打断等待的调用";
    "kernel/aborted" "errno" STREAMS NONE kernel::aborted,
        "a client may be gone before accept returns it", "客户端可能在 accept 返回之前就离开";
    "udp/empty" "udp" UDP NONE udp::empty,
        "an empty datagram is a message", "空数据报也是一条消息";
    "udp/large" "udp" UDP NONE udp::large,
        "datagrams of up to 65,507 bytes", "最长 65,507 字节的数据报";
    "udp/two-peers" "udp" UDP NONE udp::two_peers,
        "each peer gets its own answers", "每个对端得到自己的回答";
    "udp/burst" "udploss" UDP NONE udp::burst,
        "many datagrams may come at once", "许多数据报可以一起到来";
    "udp/unreachable" "udp" UDP NONE udp::unreachable,
        "an ICMP error ends nothing", "ICMP 错误不会结束什么";
    "client/short-recv" "framing" CLIENT NONE client::short_recv,
        "an answer may come in parts", "回答可以分部分到来";
    "client/merged" "framing" CLIENT NONE client::merged,
        "several answers may come together", "几个回答可以一起到来";
    "client/half-close" "halfclose" CLIENT NONE client::half_close,
        "the server may end within an answer", "服务器可以在回答中途结束";
    "client/reset" "reset" CLIENT NONE client::reset,
        "the server may reset the connection", "服务器可以重置连接";
    "client/slow-server" "deaf" CLIENT NONE client::slow_server,
        "an answer may come late", "回答可以来得晚";
    "client/refused" "gone" CLIENT NONE client::refused,
        "there may be no server", "可能没有服务器";
    "client/never-answers" "gone" CLIENT NONE client::never_answers,
        "the answer may never come: it gives up within 10 s", "可能永远没有回答：它在 10 s 内放弃";
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_pattern_names_tests() {
        let named = |pattern| TESTS.iter().filter(|test| test.is_named(pattern)).count();
        assert_eq!((named("bytes/cut"), named("bytes"), named("*/short-recv")), (1, 6, 2));
        assert_eq!((named("*"), named("cut"), named("b*/*e*")), (TESTS.len(), 0, 3));
        assert_eq!((named("bytes/[co]*"), named("bytes/???"), named("bytes/[")), (2, 2, 0));
    }

    #[test]
    fn a_name_is_near_to_the_one_that_was_meant() {
        let near = ["bytes/cutt", "byte", "many/fd1024", "xyz"].map(near_test);
        assert_eq!(near, [Some("bytes/cut"), Some("bytes"), Some("many/fd-1024"), None]);
    }
}
