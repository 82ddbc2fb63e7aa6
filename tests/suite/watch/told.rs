//! How the story of watched programs is laid out, and what of it is only counted.

use super::*;

const PYTHON: &str = "/usr/bin/python3";

/// A server and its client in one process, with asyncio: it looks at its epoll list before each step.
const ASYNCIO: &str = "
import asyncio
async def serve(reader, writer):
    while data := await reader.read(100):
        writer.write(data)
        await writer.drain()
    writer.close()
async def main():
    server = await asyncio.start_server(serve, '127.0.0.1', 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b'hello')
    print((await reader.readexactly(5)).decode())
    writer.close()
    await writer.wait_closed()
asyncio.run(main())
";

/// The lines of the story that have a time.
fn lines(story: &str) -> Vec<&str> {
    let timed = |line: &&str| line.len() > 12 && line.as_bytes()[2] == b':' && &line[5..6] == ":";
    story.lines().filter(timed).collect()
}

/// The story of these programs, and how many records it is made of. `None` where there is none: the caller returns.
fn told(options: &[&str], commands: &[&str]) -> Option<(String, usize)> {
    if !may_trace() {
        return None;
    }
    if !Path::new(PYTHON).exists() {
        skip("no python3");
        return None;
    }
    let folder = TempDir::new().unwrap();
    let trace = folder.path().join("trace.jsonl");
    let mut watch = netplay();
    watch.args(["watch", "--trace"]).arg(&trace).args(options).arg("--").args(commands);
    let out = finish(&mut watch, b"");
    let story = common::text(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{story}");
    Some((story, events(&trace).len()))
}

#[test]
fn what_a_runtime_does_is_counted_and_with_all_told() {
    let program = [PYTHON, "-c", ASYNCIO];
    let Some((story, records)) = told(&[], &program) else { return };
    let counted = lines(&story).len();
    assert!(counted + 5 < records, "{counted} of {records}: {story}");
    assert!(!story.contains("(EAGAIN)"), "{story}");
    let (story, records) = told(&["--all"], &program).unwrap();
    assert_eq!(lines(&story).len(), records, "{story}");
}

#[test]
fn the_calls_stand_below_each_other_however_long_the_names_are() {
    let folder = TempDir::new().unwrap();
    let script = folder.path().join("sixteen_wide_.py");
    fs::write(&script, "import socket; socket.socket().close()").unwrap();
    let script = script.display().to_string();
    let Some((story, _)) = told(&[], &["true", "::", PYTHON, &script]) else { return };
    let lines = lines(&story);
    assert!(lines.len() > 3, "{story}");
    for line in lines {
        let (name, call) = line[13..].split_at("sixteen_wide_.py ".len());
        assert!(["true", "sixteen_wide_.py"].contains(&name.trim_end()), "{story}");
        assert!(!call.starts_with(' ') && name.ends_with(' '), "{story}");
    }
}
