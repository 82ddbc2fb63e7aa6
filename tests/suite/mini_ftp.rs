//! What the mini-ftp page claims: against ours and against plain peers, and against those who mean
//! no good.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{DEADLINE, Said, Server, finish, have, netplay, run, skip, until};
use netplay::trace::Event;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use socket2::SockRef;
use tempfile::TempDir;

const POEM: &[u8] = b"the sea is wide\nthe packet small\n";

/// A server of ours, its folder, and a folder for a client.
struct Site {
    server: Server,
    root: TempDir,
    here: TempDir,
}

impl Site {
    fn new(options: &[&str]) -> Site {
        let (root, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folder = root.path().to_str().unwrap();
        let server = Server::of("mini-ftp").args([&["--root", folder], options].concat()).start();
        Site { server, root, here }
    }

    /// What is in the server's file; `None` if there is none.
    fn stored(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.root.path().join(name)).ok()
    }

    fn put(&self, name: &str, contents: &[u8]) {
        fs::write(self.root.path().join(name), contents).unwrap();
    }

    /// A connection on which this was sent.
    fn say(&self, header: &[u8]) -> TcpStream {
        let mut stream = self.server.connect();
        stream.set_nodelay(true).unwrap();
        stream.write_all(header).unwrap();
        stream
    }

    /// Everything that comes back for this, however the connection ends.
    fn ask(&self, header: &[u8]) -> Vec<u8> {
        let mut answer = Vec::new();
        if let Err(error) = self.say(header).read_to_end(&mut answer) {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
        answer
    }

    /// An upload that has begun: the server has its header and the first of its bytes.
    fn begin_upload(&self, name: &str, data: &[u8]) -> TcpStream {
        let mut stream = self.say(format!("U {name}").as_bytes());
        // The pause between header and data, as long as this server needs it.
        until("the server has the header", || self.open_files().contains(&0));
        stream.write_all(data).unwrap();
        until("the server has the data", || self.open_files().contains(&(data.len() as u64)));
        stream
    }

    /// Our client, in its folder.
    fn client(&self, lines: &str) -> Output {
        client(&self.server.port(), self.here.path(), lines)
    }

    /// The sizes of the files in its folder that the server has open, with a name or without.
    fn open_files(&self) -> Vec<u64> {
        let inside = format!("{}/", self.root.path().display());
        let open = |link: &Path| {
            let target = fs::read_link(link).ok()?;
            let inside = target.to_string_lossy().starts_with(&inside);
            inside.then(|| fs::metadata(link).ok()).flatten()
        };
        let Ok(links) = fs::read_dir(format!("/proc/{}/fd", self.server.child.id())) else {
            return Vec::new(); // it has ended
        };
        links.filter_map(|link| Some(open(&link.ok()?.path())?.len())).collect()
    }

    fn entries(&self) -> Vec<String> {
        entries(self.root.path())
    }
}

/// Our client at this port of loopback, run in a folder.
fn client(port: &str, here: &Path, lines: &str) -> Output {
    let args = ["mini-ftp", "client", "127.0.0.1", port, "-q", "--timeout", "10"];
    finish(netplay().args(args).current_dir(here), lines.as_bytes())
}

fn entries(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The records of one call in a trace.
fn recorded(trace: &Path, call: &str) -> Vec<Event> {
    let record = fs::read_to_string(trace).unwrap();
    let events = record.lines().map(|line| serde_json::from_str::<Event>(line).unwrap());
    events.filter(|event| event.call.as_deref() == Some(call)).collect()
}

/// Closes with a reset: what a crashed machine or a killed connection looks like.
fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
}

fn python(script: &str) -> Command {
    let mut command = Command::new("python3");
    command.arg(format!("{}/tests/peers/{script}", env!("CARGO_MANIFEST_DIR")));
    command
}

/// Bytes of every value, in no short pattern.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..len).map(next).collect()
}

// Both ends, ours and plain ones.

#[test]
fn files_go_there_and_come_back_unchanged() {
    let site = Site::new(&[]);
    let data = noise(3_000_000);
    fs::write(site.here.path().join("a file"), &data).unwrap();
    let done = site.client("upload a file\nlist\nquit\nnever read");
    assert!(done.status.success(), "{}", stderr(&done));
    assert_eq!(site.stored("a file").unwrap(), data);
    assert!(stdout(&done).starts_with("a file: 3000000 bytes "), "{}", stdout(&done));
    assert!(stdout(&done).ends_with("\na file\n"), "{}", stdout(&done));
    fs::remove_file(site.here.path().join("a file")).unwrap();
    let done = site.client("download a file");
    assert_eq!(stdout(&done), "a file: 3000000 bytes downloaded\n");
    assert_eq!(fs::read(site.here.path().join("a file")).unwrap(), data);
    assert!(site.server.stop().status.success());
}

#[test]
fn a_plain_client_lists_uploads_and_downloads_at_our_server() {
    if !have("python3") {
        return skip("no python3");
    }
    let site = Site::new(&[]);
    site.put("a.txt", b"one\ntwo\n");
    site.put("b.bin", &noise(5000));
    fs::write(site.here.path().join("poem.txt"), POEM).unwrap();
    let done = finish(
        python("file_client.py")
            .args(["127.0.0.1", &site.server.port()])
            .current_dir(site.here.path()),
        b"list\nupload poem.txt\ndownload a.txt\ndownload b.bin\ndownload nothing\nquit\n",
    );
    assert!(done.status.success(), "{}", stderr(&done));
    // On a machine so busy that the client misses the pause, two names come in one recv.
    assert_eq!(stdout(&done).replace('\n', ""), "a.txtb.bin");
    until("the upload has its name", || site.stored("poem.txt").is_some());
    assert_eq!(site.stored("poem.txt").unwrap(), POEM);
    for (name, contents) in
        [("a.txt", &b"one\ntwo\n"[..]), ("b.bin", &noise(5000)), ("nothing", b"")]
    {
        assert_eq!(fs::read(site.here.path().join(name)).unwrap(), contents, "{name}");
    }
}

#[test]
fn our_client_lists_uploads_and_downloads_at_a_plain_server() {
    if !have("python3") {
        return skip("no python3");
    }
    let (root, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(root.path().join("a.txt"), "one\ntwo\n").unwrap();
    fs::write(here.path().join("b.bin"), noise(5000)).unwrap();
    let server = Server::from(python("file_server.py").arg(root.path()));
    let done =
        client(&server.port(), here.path(), "list\nupload b.bin\ndownload a.txt\ndownload b.bin\n");
    assert!(done.status.success(), "{}", stderr(&done));
    assert!(stdout(&done).starts_with("a.txt\nb.bin: 5000 bytes "), "{}", stdout(&done));
    assert_eq!(fs::read(root.path().join("b.bin")).unwrap(), noise(5000));
    assert_eq!(fs::read(here.path().join("b.bin")).unwrap(), noise(5000));
    assert_eq!(fs::read(here.path().join("a.txt")).unwrap(), b"one\ntwo\n");
}

#[test]
fn the_demo_lists_uploads_and_downloads() {
    let shown = run(&["mini-ftp", "demo"], b"");
    let told = stdout(&shown);
    assert!(shown.status.success(), "{}", stderr(&shown));
    let files = told.lines().filter_map(|line| Some(line.split_once(" client A -- ")?.1));
    let files: Vec<&str> = files.filter(|line| line.contains(".txt: ")).collect();
    Said::on("mini_ftp_demo").add("client A", &files.join("\n"));
    assert!(told.contains("U poem.txt"), "{told}");
}

// What stands for frames.

#[test]
fn each_name_is_one_send_and_a_pause_is_between_them() {
    let trace = tempfile::NamedTempFile::new().unwrap();
    let site = Site::new(&["--trace", trace.path().to_str().unwrap()]);
    for name in ["c", "a", "b\n"] {
        site.put(name, b"");
    }
    assert_eq!(site.ask(b"L"), b"ab\nc");
    assert!(site.server.stop().status.success());
    let sends = recorded(trace.path(), "send");
    let names: Vec<_> = sends.iter().map(|send| send.data.as_deref().unwrap()).collect();
    assert_eq!(names, ["a", "b\\n", "c"]);
    for pair in sends.windows(2) {
        assert!(pair[1].start_ns - pair[0].start_ns >= 100_000_000);
    }
}

#[test]
fn a_header_ends_with_a_silence() {
    let trace = tempfile::NamedTempFile::new().unwrap();
    let site = Site::new(&["--trace", trace.path().to_str().unwrap()]);
    site.put("name", b"contents");
    assert_eq!(site.ask(b"D name"), b"contents");
    assert!(site.server.stop().status.success());
    let last = recorded(trace.path(), "recv").pop().unwrap();
    assert_eq!(last.errno.as_deref(), Some("EAGAIN"));
    assert!(last.dur_ns >= 50_000_000, "{} ns", last.dur_ns);
}

#[test]
fn a_header_may_come_in_pieces() {
    let site = Site::new(&["--bufsize", "1"]);
    site.put("name", b"contents");
    let mut stream = site.say(b"D na");
    stream.write_all(b"me").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"contents");
}

#[test]
fn a_line_end_behind_a_header_is_forgiven() {
    let site = Site::new(&[]);
    site.put("name", b"contents");
    assert_eq!(site.ask(b"D name\n"), b"contents");
    assert_eq!(site.ask(b"D name\r\n"), b"contents");
    assert_eq!(site.ask(b"L\n"), b"name");
}

#[test]
fn a_half_close_ends_a_header_at_once() {
    let site = Site::new(&[]);
    site.put("empty", b"old");
    let mut stream = site.say(b"U empty");
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    assert_eq!(site.stored("empty").unwrap(), b"");
}

#[test]
fn header_and_data_in_one_segment_make_no_false_file() {
    let site = Site::new(&[]);
    assert_eq!(site.ask(b"U name the first line\nand the second"), b"");
    assert_eq!(site.ask(&[&b"U name"[..], &noise(100_000)].concat()), b"");
    assert_eq!(site.entries(), [""; 0]);
    // Where they cannot be told apart, they are not: the cost that the page speaks of.
    let mut stream = site.say(b"U namedata");
    stream.shutdown(Shutdown::Write).unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(site.entries(), ["namedata"]);
}

#[test]
fn a_cut_upload_looks_whole() {
    let site = Site::new(&[]);
    drop(site.begin_upload("poem", b"the sea is")); // what a killed client's kernel does
    until("the upload has its name", || site.stored("poem").is_some());
    assert_eq!(site.stored("poem").unwrap(), b"the sea is");
}

// Nothing of anybody's is lost.

/// However the upload in the middle of which `end` does its deed ends, the old version stays.
fn keeps_the_old_version(options: &[&str], end: impl FnOnce(&Site, TcpStream)) {
    let site = Site::new(options);
    site.put("poem", b"old");
    let stream = site.begin_upload("poem", b"new");
    assert_eq!(site.stored("poem").unwrap(), b"old", "before the end");
    end(&site, stream);
    until("the server has let go of it", || site.open_files().is_empty());
    assert_eq!(site.stored("poem").unwrap(), b"old");
    assert_eq!(site.entries(), ["poem"]);
}

#[test]
fn a_reset_in_an_upload_leaves_the_old_file() {
    keeps_the_old_version(&[], |_, stream| reset(stream));
}

#[test]
fn a_silence_in_an_upload_leaves_the_old_file() {
    keeps_the_old_version(&["--idle-timeout", "0.3"], |_, mut stream| {
        assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_stop_in_an_upload_leaves_the_old_file() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let site = Site::new(&[]);
        site.put("poem", b"old");
        let _stream = site.begin_upload("poem", b"new");
        let Site { server, root, .. } = site;
        let ended = server.stop_by(signal);
        assert!(ended.status.success(), "{}", ended.stderr);
        assert!(ended.took < Duration::from_secs(2));
        assert_eq!(fs::read(root.path().join("poem")).unwrap(), b"old");
        assert_eq!(entries(root.path()), ["poem"]);
    }
}

#[test]
fn a_killed_server_leaves_no_litter() {
    keeps_the_old_version(&[], |site, _stream| site.server.signal(Signal::SIGKILL));
}

#[test]
fn an_upload_has_its_name_when_it_is_whole() {
    let site = Site::new(&[]);
    let stream = site.begin_upload("poem", POEM);
    assert_eq!(site.entries(), [""; 0]);
    assert_eq!(site.ask(b"L"), b"");
    stream.shutdown(Shutdown::Write).unwrap();
    // The server closes when it has given the name, so whoever waits for that may look.
    assert_eq!((&stream).read(&mut [0]).unwrap(), 0);
    assert_eq!(site.stored("poem").unwrap(), POEM);
}

#[test]
fn two_uploads_to_one_name_do_not_mix() {
    let site = Site::new(&[]);
    let (a, b) = (site.begin_upload("poem", b"aaa"), site.begin_upload("poem", b"bb"));
    for (mut stream, rest) in [(&a, b"AAA"), (&b, b"BBB"), (&a, b"aaa")] {
        stream.write_all(rest).unwrap();
    }
    for (stream, whole) in [(b, &b"bbBBB"[..]), (a, b"aaaAAAaaa")] {
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!((&stream).read(&mut [0]).unwrap(), 0);
        assert_eq!(site.stored("poem").unwrap(), whole);
    }
}

#[test]
fn a_download_that_the_server_breaks_off_does_not_look_whole() {
    let site = Site::new(&["--idle-timeout", "0.3"]);
    site.put("large", &noise(16 << 20));
    let mut stream = site.say(b"D large");
    stream.read_exact(&mut [0; 1024]).unwrap();
    until("the server waits no longer", || site.open_files().is_empty());
    let error = stream.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

// Nobody gets where they do not belong, and nobody harms the others.

#[test]
fn what_is_not_there_or_no_file_brings_nothing_and_harms_nobody() {
    let site = Site::new(&[]);
    site.put("file", b"contents");
    fs::create_dir(site.root.path().join("folder")).unwrap();
    nix::unistd::mkfifo(&site.root.path().join("fifo"), Mode::S_IRWXU).unwrap();
    let _socket = UnixListener::bind(site.root.path().join("socket")).unwrap();
    symlink("loop", site.root.path().join("loop")).unwrap();
    let before = site.entries();
    let long = [&b"D "[..], &[b'x'; 300]].concat();
    let endless = [&b"U "[..], &[b'x'; 100_000]].concat();
    for header in [
        &b"D nothing"[..],
        b"D folder",
        b"D fifo",
        b"D socket",
        b"D loop",
        b"D .",
        b"D file/",
        b"D file/file",
        b"D ",
        b"D",
        b"D\0file",
        b"D file\0",
        b"D fi\0le",
        b"Dfile",
        b"d file",
        b"GET /file HTTP/1.1\r\n\r\n",
        b"\0",
        b"\xff\xfe",
        b"\x1b[2J",
        &long,
        b"U ",
        b"U",
        b"U folder",
        b"U fifo",
        b"U socket",
        b"U .",
        b"U ..",
        b"U /",
        b"U file/new",
        b"U nowhere/new",
        b"U new\0",
        b"U \x1b[2J",
        &endless,
    ] {
        assert_eq!(site.ask(header), b"", "{}", header.escape_ascii());
    }
    assert_eq!(site.ask(b"D file"), b"contents");
    assert_eq!(site.entries(), before);
    let ended = site.server.stop();
    assert!(ended.status.success(), "{}", ended.stderr);
}

#[test]
fn names_in_folders_and_links_that_stay_inside_work() {
    let site = Site::new(&[]);
    fs::create_dir(site.root.path().join("folder")).unwrap();
    site.put("folder/file", b"contents");
    symlink("folder/file", site.root.path().join("link")).unwrap();
    for path in [&b"D folder/file"[..], b"D link", b"D folder/../link", b"D ./link"] {
        assert_eq!(site.ask(path), b"contents", "{}", path.escape_ascii());
    }
    let stream = site.begin_upload("folder/new", POEM);
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!((&stream).read(&mut [0]).unwrap(), 0);
    assert_eq!(site.stored("folder/new").unwrap(), POEM);
}

#[test]
fn the_server_never_leaves_its_root() {
    let site = Site::new(&[]);
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret");
    fs::write(&secret, b"secret").unwrap();
    symlink(&secret, site.root.path().join("file")).unwrap();
    symlink(outside.path(), site.root.path().join("folder")).unwrap();
    symlink("/proc/self/root", site.root.path().join("magic")).unwrap();
    let up = format!("../{}", outside.path().file_name().unwrap().to_str().unwrap());
    let places =
        [up.as_str(), "folder", "x/../folder", &format!("magic{}", outside.path().display())]
            .map(|folder| format!("{folder}/secret"));
    let absolute = secret.to_str().unwrap().to_owned();
    for path in places.iter().chain([&absolute, &"file".to_owned()]) {
        assert_eq!(site.ask(format!("D {path}").as_bytes()), b"", "{path}");
    }
    for path in places.iter().chain([&absolute]) {
        assert_eq!(site.ask(format!("U {path}").as_bytes()), b"", "{path}");
    }
    assert_eq!(entries(outside.path()), ["secret"]);
    // An upload takes the place of a link; what the link led to stays as it is.
    let stream = site.begin_upload("file", b"new");
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!((&stream).read(&mut [0]).unwrap(), 0);
    assert_eq!(site.stored("file").unwrap(), b"new");
    assert_eq!(fs::read(&secret).unwrap(), b"secret");
}

#[test]
fn a_link_swapped_in_between_leads_nowhere() {
    let site = Site::new(&[]);
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("file"), b"secret").unwrap();
    let root = site.root.path();
    fs::create_dir(root.join("inside")).unwrap();
    site.put("inside/file", b"public");
    fs::rename(root.join("inside"), root.join("folder")).unwrap();
    symlink(outside.path(), root.join("link")).unwrap();
    let done = AtomicBool::new(false);
    let answers: Vec<Vec<u8>> = thread::scope(|scope| {
        scope.spawn(|| {
            let end = Instant::now() + DEADLINE;
            while !done.load(Relaxed) && Instant::now() < end {
                for (from, to) in [
                    ("folder", "aside"),
                    ("link", "folder"),
                    ("folder", "link"),
                    ("aside", "folder"),
                ] {
                    fs::rename(root.join(from), root.join(to)).unwrap();
                }
            }
        });
        let ask = |header: &[u8]| {
            let mut stream = site.say(header);
            stream.shutdown(Shutdown::Write).unwrap();
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer); // a reset, where an upload is refused
            answer
        };
        let answers = (0..300).map(|_| {
            ask(b"U folder/new");
            ask(b"D folder/file")
        });
        let answers = answers.collect();
        done.store(true, Relaxed);
        answers
    });
    assert_eq!(entries(outside.path()), ["file"]);
    assert!(answers.iter().all(|answer| answer.is_empty() || answer == b"public"));
    assert!(answers.iter().any(|answer| answer == b"public"), "the swap was never undone");
}

#[test]
fn a_silent_client_a_slow_one_and_a_reset_one_keep_nobody_waiting() {
    let site = Site::new(&["--idle-timeout", "15"]);
    site.put("large", &noise(16 << 20));
    site.put("small", b"small");
    let _silent = site.server.connect();
    let _slow = site.say(b"D large");
    let _half = site.begin_upload("half", b"half");
    reset(site.say(b"D large"));
    reset(site.say(b"U"));
    assert_eq!(site.ask(b"D small"), b"small");
    assert!(site.server.stop().took < Duration::from_secs(2));
}

#[test]
fn who_is_silent_or_never_reads_is_let_go() {
    let site = Site::new(&["--idle-timeout", "0.3"]);
    site.put("large", &noise(16 << 20));
    let mut silent = site.server.connect();
    assert_eq!(silent.read(&mut [0]).unwrap(), 0);
    let _never_reads = site.say(b"D large");
    until("its download has begun", || !site.open_files().is_empty());
    until("it was let go", || site.open_files().is_empty());
}

#[test]
fn a_read_only_server_refuses_uploads_at_once() {
    let site = Site::new(&["--read-only"]);
    site.put("poem", b"old");
    fs::write(site.here.path().join("poem"), noise(1 << 20)).unwrap();
    let done = site.client("upload poem\nlist");
    assert_eq!(done.status.code(), Some(1));
    // Which call finds that the server has closed is a matter of time.
    let why = stderr(&done).splitn(4, ": ").take(3).collect::<Vec<_>>().join(": ");
    Said::on("mini_ftp_read_only").add("upload poem", &why);
    assert_eq!(site.stored("poem").unwrap(), b"old");
    assert_eq!(site.ask(b"D poem"), b"old");
}

#[test]
fn a_folder_that_is_none_is_told_before_the_port_is_taken() {
    let done = run(&["mini-ftp", "server", "0", "--root", "/nowhere/at/all"], b"");
    assert!(stdout(&done).is_empty());
    Said::on("mini_ftp_no_folder").ends("--root /nowhere/at/all", &done, 1);
}

// Our client.

/// A server that hears a command to its end, answers this, and closes or resets; and its port.
fn answering(answer: &'static [u8], with_reset: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
        stream.write_all(answer).unwrap();
        if with_reset {
            reset(stream);
        }
    });
    port
}

#[test]
fn our_client_says_what_the_protocol_cannot_tell_and_keeps_what_it_has() {
    let site = Site::new(&[]);
    site.put("empty", b"");
    let said = Said::on("mini_ftp_empty");
    for name in ["empty", "nothing"] {
        let mine = site.here.path().join(name);
        fs::write(&mine, b"mine").unwrap();
        let done = site.client(&format!("download {name}"));
        assert!(done.status.success(), "{}", stderr(&done));
        said.add(name, &stdout(&done));
        assert_eq!(fs::read(mine).unwrap(), b"mine");
    }
}

#[test]
fn our_client_keeps_nothing_of_a_download_that_broke_off() {
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("file"), b"mine").unwrap();
    let done = client(&answering(b"half of it", true), here.path(), "download file");
    Said::on("mini_ftp_broken_off").ends("download file", &done, 1);
    assert_eq!(fs::read(here.path().join("file")).unwrap(), b"mine");
    assert_eq!(entries(here.path()), ["file"]);
}

#[test]
fn our_client_shows_no_control_character_of_a_name() {
    let here = tempfile::tempdir().unwrap();
    let done = client(&answering(b"\x1b[2Jforged\nname\xff", false), here.path(), "list");
    assert_eq!(stdout(&done), "\\x1b[2Jforged\\nname\\xff\n");
}

#[test]
fn our_client_takes_only_plain_names_and_known_commands() {
    let site = Site::new(&[]);
    site.put("file", b"contents");
    let up = site.root.path().join("file").display().to_string();
    let named = |command: &str| {
        [".", "..", "", "../file", "a/b", "a\0b", &up].map(|name| format!("{command} {name}"))
    };
    let lines = named("download").into_iter().chain(named("upload"));
    for line in lines.chain(["download", "delete file", "List", "upload nothing"].map(String::from))
    {
        let done = site.client(&line);
        assert_eq!(done.status.code(), Some(1), "{line:?}");
        assert_eq!(stdout(&done), "", "{line:?}");
        assert!(stderr(&done).starts_with("netplay: "), "{line:?}: {}", stderr(&done));
    }
    assert_eq!(entries(site.here.path()), [""; 0]);
    assert_eq!(fs::read(up).unwrap(), b"contents");
}

#[test]
fn our_client_does_not_hang_on_a_fifo() {
    let site = Site::new(&[]);
    nix::unistd::mkfifo(&site.here.path().join("fifo"), Mode::S_IRWXU).unwrap();
    let done = site.client("upload fifo");
    Said::on("mini_ftp_fifo").ends("upload fifo", &done, 1);
    assert_eq!(site.entries(), [""; 0]);
}

#[test]
fn a_command_may_be_a_message() {
    let site = Site::new(&[]);
    site.put("file", b"contents");
    let port = site.server.port();
    let done = run(&["mini-ftp-client", "127.0.0.1", &port, "-q", "-m", "list", "-m", "list"], b"");
    assert_eq!(stdout(&done), "file\nfile\n");
}
