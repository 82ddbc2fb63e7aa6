//! How to set or read an option in C, Python and Rust.

use crate::call::{Kind, Opt, OptValue};

/// The level as POSIX names it.
fn posix(level: &'static str) -> String {
    if level == "SOL_SOCKET" { level.to_owned() } else { level.replace("SOL_", "IPPROTO_") }
}

/// Level and name in Python: its socket module does not have all names, but takes the number.
fn in_python(option: Opt) -> String {
    const KNOWN: &[&str] = &[
        "SO_ACCEPTCONN",
        "SO_BINDTODEVICE",
        "SO_BROADCAST",
        "SO_DEBUG",
        "SO_DOMAIN",
        "SO_DONTROUTE",
        "SO_ERROR",
        "SO_KEEPALIVE",
        "SO_LINGER",
        "SO_MARK",
        "SO_OOBINLINE",
        "SO_PASSCRED",
        "SO_PASSSEC",
        "SO_PEERCRED",
        "SO_PEERSEC",
        "SO_PRIORITY",
        "SO_PROTOCOL",
        "SO_RCVBUF",
        "SO_RCVLOWAT",
        "SO_RCVTIMEO",
        "SO_REUSEADDR",
        "SO_REUSEPORT",
        "SO_SNDBUF",
        "SO_SNDLOWAT",
        "SO_SNDTIMEO",
        "SO_TYPE",
        "IP_ADD_MEMBERSHIP",
        "IP_DROP_MEMBERSHIP",
        "IP_HDRINCL",
        "IP_MULTICAST_IF",
        "IP_MULTICAST_LOOP",
        "IP_MULTICAST_TTL",
        "IP_OPTIONS",
        "IP_RECVOPTS",
        "IP_RETOPTS",
        "IP_TOS",
        "IP_TRANSPARENT",
        "IP_TTL",
        "IPV6_DSTOPTS",
        "IPV6_HOPLIMIT",
        "IPV6_HOPOPTS",
        "IPV6_MULTICAST_HOPS",
        "IPV6_MULTICAST_IF",
        "IPV6_MULTICAST_LOOP",
        "IPV6_RECVDSTOPTS",
        "IPV6_RECVHOPLIMIT",
        "IPV6_RECVHOPOPTS",
        "IPV6_RECVPKTINFO",
        "IPV6_RECVRTHDR",
        "IPV6_RTHDR",
        "IPV6_UNICAST_HOPS",
        "IPV6_V6ONLY",
        "TCP_CONGESTION",
        "TCP_CORK",
        "TCP_DEFER_ACCEPT",
        "TCP_FASTOPEN",
        "TCP_INFO",
        "TCP_KEEPCNT",
        "TCP_KEEPIDLE",
        "TCP_KEEPINTVL",
        "TCP_LINGER2",
        "TCP_MAXSEG",
        "TCP_NODELAY",
        "TCP_QUICKACK",
        "TCP_SYNCNT",
        "TCP_USER_TIMEOUT",
        "TCP_WINDOW_CLAMP",
    ];
    let (level, name) = (posix(option.level()), option.name());
    match KNOWN.contains(&name) {
        true => format!("socket.{level}, socket.{name}"),
        false => format!("socket.{level}, {}", option.number()),
    }
}

/// How to set it in C, Python and Rust.
pub(super) fn setting(option: Opt, value: &OptValue) -> [String; 3] {
    let (level, name, python) = (posix(option.level()), option.name(), in_python(option));
    let (before, arguments) = match value {
        OptValue::Int(n) => (format!("int v = {n}; "), "&v, sizeof v".to_owned()),
        OptValue::Time(time) => (
            format!("struct timeval v = {{{}, {}}}; ", time.as_secs(), time.subsec_micros()),
            "&v, sizeof v".into(),
        ),
        OptValue::Linger(time) => (
            format!(
                "struct linger v = {{{}, {}}}; ",
                i32::from(time.is_some()),
                time.unwrap_or_default().as_secs()
            ),
            "&v, sizeof v".into(),
        ),
        OptValue::Address(address) => {
            (format!("struct in_addr v = {{inet_addr(\"{address}\")}}; "), "&v, sizeof v".into())
        }
        OptValue::Text(text) => (String::new(), format!("\"{value}\", {}", text.len())),
        OptValue::Bytes(_) => (String::new(), "&v, sizeof v".into()),
    };
    let c = format!("{before}setsockopt(fd, {level}, {name}, {arguments});");
    let (python_value, rust_value) = match value {
        OptValue::Int(n) => (n.to_string(), n.to_string()),
        OptValue::Time(time) => (
            format!("struct.pack(\"ll\", {}, {})", time.as_secs(), time.subsec_micros()),
            format!("Duration::from_millis({})", time.as_millis()),
        ),
        OptValue::Linger(time) => {
            let seconds = time.unwrap_or_default().as_secs();
            (
                format!("struct.pack(\"ii\", {}, {seconds})", i32::from(time.is_some())),
                format!("Some(Duration::from_secs({seconds}))"),
            )
        }
        OptValue::Address(address) => {
            (format!("socket.inet_aton(\"{address}\")"), "Ipv4Addr::LOCALHOST".into())
        }
        OptValue::Text(_) => (format!("b\"{value}\""), format!("\"{value}\"")),
        OptValue::Bytes(_) => ("v".into(), "v".into()),
    };
    [
        c,
        format!("sock.setsockopt({python}, {python_value})"),
        format!("call::setsockopt(&socket, {name}, {rust_value})?;"),
    ]
}

/// How to read it, for an option that cannot be set.
pub(super) fn asking(option: Opt) -> [String; 3] {
    let (level, name, python) = (posix(option.level()), option.name(), in_python(option));
    let (variable, size) = match option.kind() {
        Kind::Bytes(size) | Kind::Text(size) => (format!("char v[{size}]"), format!(", {size}")),
        _ => ("int v".to_owned(), String::new()),
    };
    [
        format!("{variable}; socklen_t n = sizeof v; getsockopt(fd, {level}, {name}, &v, &n);"),
        format!("sock.getsockopt({python}{size})"),
        format!("call::getsockopt(&socket, {name})?"),
    ]
}
