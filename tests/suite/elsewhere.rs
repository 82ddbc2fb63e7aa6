//! Records in the programs of others: what Wireshark and Perfetto read is what was recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{Said, finish, have, netplay, skip, strace_may_trace, text};
use netplay::trace::Event;

const BYTES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/elsewhere/bytes.py");
const CHECK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/perfetto_check.py");

/// The sizes of the transfers of bytes.py, and what is in them.
const SIZES: [usize; 6] = [1, 5, 64, 65, 1000, 300_000];

fn told(side: &str, nth: usize, size: usize) -> Vec<u8> {
    let seed = nth * 31 + if side == "client" { 7 } else { 101 };
    (0..size).map(|i| ((seed + i * i * 3 + i / 253) % 256) as u8).collect()
}

/// A packet as tshark dissects it.
struct Packet {
    from: String,
    to: String,
    /// How long it was, and how much of it is in the file.
    lengths: [usize; 2],
    data: Vec<u8>,
    comments: String,
    interface: String,
    /// Whether it is told by the call that received it.
    inbound: bool,
    at_ns: u64,
}

/// What tshark makes of a capture; it must have nothing to complain of. `None` without tshark: the caller returns.
fn dissected(capture: &Path) -> Option<Vec<Packet>> {
    const FIELDS: [&str; 15] = [
        "exported_pdu.ipv4_src",
        "exported_pdu.ipv6_src",
        "exported_pdu.src_port",
        "exported_pdu.ipv4_dst",
        "exported_pdu.ipv6_dst",
        "exported_pdu.dst_port",
        "frame.len",
        "frame.cap_len",
        "data.data",
        "frame.comment",
        "frame.interface_name",
        "frame.time_epoch",
        "frame.packet_flags_direction",
        "_ws.expert.severity",
        "_ws.malformed",
    ];
    if !have("tshark") {
        skip("no tshark (Debian: tshark)");
        return None;
    }
    let mut tshark = Command::new("tshark");
    tshark.env("LC_ALL", "C.UTF-8").arg("-r").arg(capture).args(["-T", "fields"]);
    FIELDS.iter().for_each(|field| {
        tshark.args(["-e", field]);
    });
    let output = finish(&mut tshark, b"");
    let complaints = text(&output.stderr);
    let complaints = complaints.lines().filter(|line| !line.starts_with("Running "));
    assert_eq!(complaints.collect::<Vec<_>>(), [""; 0]);
    assert!(output.status.success());
    let packet = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let end = |fields: &[&str]| format!("{}{} {}", fields[0], fields[1], fields[2]);
        let bytes = |digits: &str| -> Vec<u8> {
            let pair = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
            (0..digits.len()).step_by(2).map(pair).collect()
        };
        // A comment is the least of severities, and all that an expert has to say.
        let severities: Vec<&str> = fields[13].split(',').collect();
        assert!(severities.iter().all(|severity| *severity == "1048576"), "{line}");
        assert_eq!(fields[14], "", "{line}");
        let (seconds, nanos) = fields[11].split_once('.').unwrap();
        Packet {
            from: end(&fields[0..3]),
            to: end(&fields[3..6]),
            lengths: [fields[6], fields[7]].map(|length| length.parse().unwrap()),
            data: bytes(fields[8]),
            comments: fields[9].to_owned(),
            interface: fields[10].to_owned(),
            inbound: fields[12] == "0x00000001",
            at_ns: seconds.parse::<u64>().unwrap() * 1_000_000_000 + nanos.parse::<u64>().unwrap(),
        }
    };
    Some(text(&output.stdout).lines().map(packet).collect())
}

/// The bytes of each direction of each connection.
fn streams(packets: &[Packet]) -> BTreeMap<(String, String), Vec<u8>> {
    let mut streams: BTreeMap<(String, String), Vec<u8>> = BTreeMap::new();
    for packet in packets {
        let way = (packet.from.clone(), packet.to.clone());
        streams.entry(way).or_default().extend(&packet.data);
    }
    streams
}

fn events(trace: &Path) -> Vec<Event> {
    fs::read_to_string(trace)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The trace of a demo, and a file drawn from it.
fn demo(folder: &TempDir, example: &str, name: &str) -> (PathBuf, PathBuf) {
    let (trace, file) = (folder.path().join(example), folder.path().join(name));
    let run = finish(netplay().args([example, "demo", "-q", "--trace"]).arg(&trace), b"");
    assert!(run.status.success(), "{run:?}");
    (draw(&trace, &file), file)
}

fn draw(trace: &Path, file: &Path) -> PathBuf {
    let drawn = finish(netplay().args(["draw", "-q"]).arg(trace).arg("-o").arg(file), b"");
    assert!(drawn.status.success(), "{drawn:?}");
    trace.to_owned()
}

#[test]
fn wireshark_sees_every_byte_of_each_direction_once() {
    if !strace_may_trace() {
        return;
    }
    // Given back at once: the server takes it with SO_REUSEADDR.
    let Ok(free) = TcpListener::bind("[::1]:0") else { return skip("no IPv6 on loopback") };
    let port = free.local_addr().unwrap().port().to_string();
    drop(free);
    let folder = TempDir::new().unwrap();
    let capture = folder.path().join("bytes.pcapng");
    let mut watch = netplay();
    watch.args(["watch", "-q", "--data", "1000000", "-o"]).arg(&capture).arg("--");
    watch.args(["python3", BYTES, "server", "tcp", &port]);
    for _ in 0..2 {
        watch.args(["::", "python3", BYTES, "client", "tcp", &port]);
    }
    let output = finish(&mut watch, b"");
    assert!(output.status.success(), "{output:?}");
    let Some(packets) = dissected(&capture) else { return };
    let all = |side: &str| -> Vec<u8> {
        SIZES.iter().enumerate().flat_map(|(nth, &size)| told(side, nth, size)).collect()
    };
    let server = format!("::1 {port}");
    let streams = streams(&packets);
    assert_eq!(streams.len(), 4, "{:?}", streams.keys());
    for ((from, to), bytes) in &streams {
        let side = if *from == server { "server" } else { "client" };
        assert!(*from == server || *to == server, "{from} {to}");
        assert!(*bytes == all(side), "{from} {to}: {} bytes", bytes.len());
    }
    assert!(packets.iter().all(|packet| packet.lengths[0] == packet.lengths[1]));
}

#[test]
fn a_capture_says_what_is_missing_in_it() {
    let folder = TempDir::new().unwrap();
    let (trace, capture) = demo(&folder, "ftp", "ftp.pcapng");
    let Some(packets) = dissected(&capture) else { return };
    let sends: Vec<Event> =
        events(&trace).into_iter().filter(|event| event.call.as_deref() == Some("send")).collect();
    let (mut cut, first) = (0, packets[0].at_ns);
    for send in &sends {
        let bytes = send.bytes.unwrap() as usize;
        let since =
            |event: &Event| event.start_ns - sends.iter().map(|send| send.start_ns).min().unwrap();
        let packet = packets.iter().find(|packet| packet.at_ns - first == since(send)).unwrap();
        assert_eq!(packet.lengths[0] - packet.lengths[1], bytes.saturating_sub(64));
        assert_eq!(packet.comments.contains("cut:"), bytes > 64);
        assert!(packet.data.len() == bytes.min(64) && !packet.interface.is_empty());
        cut += usize::from(bytes > 64);
    }
    assert!(cut > 0, "a demo with a transfer of more than 64 bytes");
    // A file that the kernel sent is known by what was received. A password is known by nothing.
    let of = |data: &str| packets.iter().find(|packet| packet.data.starts_with(data.as_bytes()));
    assert!(of("Welcome.\n").is_some_and(|packet| packet.lengths[0] == packet.lengths[1]));
    assert!(of("PASS ****").is_some_and(|packet| packet.comments.contains("secret:")));
}

#[test]
fn the_comments_of_a_packet_are_sentences() {
    let folder = TempDir::new().unwrap();
    let said = Said::on("elsewhere_comments");
    for name in ["three_sends", "one_lost", "trouble"] {
        let trace = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/draw").join(name);
        for (lang, case) in [("en", name.to_owned()), ("zh", format!("{name}, zh"))] {
            let file = folder.path().join("it.pcapng");
            let mut command = netplay();
            command.args(["draw", "-q", "--lang", lang]).arg(trace.with_extension("jsonl"));
            let drawn = finish(command.arg("-o").arg(&file), b"");
            assert!(drawn.status.success(), "{drawn:?}");
            let Some(packets) = dissected(&file) else { return };
            let told: Vec<&str> = packets.iter().map(|packet| packet.comments.as_str()).collect();
            said.add(&case, &told.join("\n"));
        }
    }
}

#[test]
fn datagrams_and_a_side_without_a_trace_are_packets_as_well() {
    let folder = TempDir::new().unwrap();
    let (trace, capture) = demo(&folder, "udp-echo", "udp.pcapng");
    let Some(packets) = dissected(&capture) else { return };
    let both = streams(&packets);
    // The client never asks for its own address: the server's records have it.
    assert_eq!((packets.len(), both.len()), (4, 2));
    assert!(both.keys().all(|(from, to)| both.contains_key(&(to.clone(), from.clone()))));
    assert!(packets.iter().all(|packet| packet.comments.contains("taken ")));
    // The client's lines alone: what it received was sent by a side without a trace.
    let (half, capture) = (folder.path().join("half"), folder.path().join("half.pcapng"));
    let lines = fs::read_to_string(&trace).unwrap();
    let lines: Vec<&str> =
        lines.lines().filter(|line| line.contains("\"role\":\"client\"")).collect();
    fs::write(&half, lines.join("\n")).unwrap();
    draw(&half, &capture);
    let alone = dissected(&capture).unwrap();
    assert_eq!(alone.len(), 4);
    let unseen = alone.iter().filter(|packet| packet.inbound);
    assert_eq!(unseen.count(), 2);
    let bytes = |packets: &[Packet]| -> BTreeSet<Vec<u8>> {
        packets.iter().map(|packet| packet.data.clone()).collect()
    };
    assert_eq!(bytes(&alone), bytes(&packets));
}

/// A Python that has Perfetto's own messages: the one that .ci/run installs, or the one on the path.
fn python_of_perfetto() -> Option<String> {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/target/perfetto/bin/python");
    let has = |python: &&str| {
        let asked =
            Command::new(python).args(["-c", "import perfetto.protos, google.protobuf"]).output();
        asked.is_ok_and(|asked| asked.status.success())
    };
    let found = [own, "python3"].into_iter().find(has);
    if found.is_none() {
        skip("no Python with perfetto and protobuf (PyPI)");
    }
    found.map(str::to_owned)
}

#[test]
fn perfetto_sees_every_call_wait_and_arrow() {
    let Some(python) = python_of_perfetto() else { return };
    let folder = TempDir::new().unwrap();
    for example in ["select", "fork", "udp-echo", "unix-echo", "thread"] {
        let (trace, file) = demo(&folder, example, "it.pftrace");
        let checked = finish(Command::new(&python).arg(CHECK).arg(&file), b"");
        assert!(checked.status.success(), "{}", text(&checked.stderr));
        let seen: Value = serde_json::from_slice(&checked.stdout).unwrap();
        assert_eq!(seen["errors"], Value::Array(Vec::new()), "{example}");
        let json = folder.path().join("it.json");
        draw(&trace, &json);
        let drawn: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
        let (zero, calls) =
            (drawn["start_ns"].as_u64().unwrap(), drawn["calls"].as_array().unwrap());
        type Slice = (i64, i64, u64, Option<u64>, String);
        let slice = |one: &Value| -> Slice {
            let number = |key: &str| one[key].as_i64().unwrap();
            let name = one["name"].as_str().unwrap().to_owned();
            (number("pid"), number("tid"), number("ts") as u64, one["dur"].as_u64(), name)
        };
        let is_wait = |one: &&Value| one["category"][0] == "wait";
        let slices = seen["slices"].as_array().unwrap();
        let of = |call: &Value| -> Slice {
            let (record, number) =
                (&call["record"], |key: &str| call["record"][key].as_i64().unwrap());
            let (from, to) = (call["from_ns"].as_u64().unwrap(), call["to_ns"].as_u64().unwrap());
            let name = record["call"].as_str().or(record["text"].as_str()).unwrap().to_owned();
            (number("pid"), number("tid"), zero + from, Some(to - from), name)
        };
        let told: BTreeSet<Slice> = slices.iter().filter(|one| !is_wait(one)).map(slice).collect();
        let made: BTreeSet<Slice> = calls.iter().map(of).collect();
        assert_eq!(told, made, "{example}");
        // A wait lies within its call, and is as long.
        let waits: Vec<Slice> = slices.iter().filter(is_wait).map(slice).collect();
        let within = |wait: &Slice| {
            made.iter()
                .any(|call| (call.0, call.1, call.2, call.3) == (wait.0, wait.1, wait.2, wait.3))
        };
        assert!(!waits.is_empty() && waits.iter().all(within), "{example}");
        let ends: BTreeSet<(Slice, Slice)> = drawn["arrows"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|arrow| {
                let call = |end: &str| Some(of(&calls[arrow[end]["call"].as_u64()? as usize]));
                Some((call("from")?, call("to")?))
            })
            .collect();
        let end = |number: &Value| slice(&slices[number.as_u64().unwrap() as usize]);
        let flows: BTreeSet<(Slice, Slice)> = seen["flows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|flow| (end(&flow[0]), end(&flow[1])))
            .collect();
        assert!(!flows.is_empty(), "{example}");
        assert_eq!(flows, ends, "{example}");
    }
}

#[test]
fn files_for_other_programs_are_offered_by_every_command_that_draws() {
    let folder = TempDir::new().unwrap();
    for command in [&["tcp-echo", "demo", "-q"][..], &["lab", "framing", "--no-ask", "-q"]] {
        for (name, begins) in [("it.pcapng", &b"\x0a\x0d\x0d\x0a"[..]), ("it.pftrace", b"\x0a")] {
            let file = folder.path().join(name);
            let made = finish(netplay().args(command).arg("-o").arg(&file), b"");
            assert!(made.status.success(), "{made:?}");
            let bytes = fs::read(&file).unwrap();
            assert!(bytes.len() > 500 && bytes.starts_with(begins), "{command:?} {name}");
            if name == "it.pcapng" {
                let _ = dissected(&file);
            }
        }
    }
    let (trace, _) = demo(&folder, "tcp-echo", "it.txt");
    let said = Said::on("elsewhere");
    said.hide(folder.path().display(), "FOLDER");
    for name in ["it.pcapng", "it.pftrace"] {
        let file = folder.path().join(name);
        let drawn = finish(netplay().arg("draw").arg(&trace).arg("-o").arg(file), b"");
        assert!(drawn.status.success());
        said.add(name, &text(&drawn.stderr));
    }
    // To a pipe it goes as it is.
    let piped = finish(netplay().args(["draw", "-q", "--format", "pcapng"]).arg(&trace), b"");
    assert!(piped.status.success() && piped.stdout.starts_with(b"\x0a\x0d\x0d\x0a"));
}
