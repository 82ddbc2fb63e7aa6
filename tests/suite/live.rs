//! `--serve`: the page that grows while the programs run, in a real Chromium and for peers that are less polite.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};

use serde_json::{Value, json};

use super::page::Browser;
use crate::common::{have, netplay, skip, until, wait};

const PYTHON: &str = "/usr/bin/python3";

/// A server that echoes, one client after the other.
const SERVER: &str = "import socket, sys
s = socket.socket()
s.bind(('127.0.0.1', 0))
s.listen(5)
open('port', 'w').write(str(s.getsockname()[1]))
while True:
    c, _ = s.accept()
    while data := c.recv(100):
        c.send(data)
    c.close()
";

/// A client that sends so many messages, so many a second (0: as fast as it can).
const CLIENT: &str = "import socket, sys, time
many, rate = int(sys.argv[1]), float(sys.argv[2])
c = socket.create_connection(('127.0.0.1', int(open('port').read())))
at = time.monotonic()
for n in range(many):
    c.send(b'<img src=x onerror=alert(1)> %d' % n)
    c.recv(100)
    at += 1 / rate if rate else 0
    time.sleep(max(0, at - time.monotonic())) if rate else None
c.close()
";

/// `netplay watch --serve`, and where its page is.
struct Served {
    folder: tempfile::TempDir,
    child: Child,
    stderr: BufReader<ChildStderr>,
    url: String,
}

impl Served {
    fn of(options: &[&str], many: usize, rate: usize) -> Option<Served> {
        if !have(PYTHON) {
            skip("no /usr/bin/python3");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("server.py"), SERVER).unwrap();
        std::fs::write(folder.path().join("client.py"), CLIENT).unwrap();
        let (many, rate) = (many.to_string(), rate.to_string());
        let mut command = netplay();
        command.args(["watch", "--serve", "--no-review"]).args(options);
        command.args(["--", PYTHON, "server.py", "::", PYTHON, "client.py", &many, &rate]);
        Some(Served::started(folder, command))
    }

    fn started(folder: tempfile::TempDir, mut command: Command) -> Served {
        command.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        let url = line.split_whitespace().find(|word| word.starts_with("http://"));
        let url = url.unwrap_or_else(|| panic!("{line:?}")).to_owned();
        Served { folder, child, stderr, url }
    }

    /// `127.0.0.1:PORT`, and `/TOKEN/`.
    fn place(&self) -> (&str, &str) {
        let rest = self.url.strip_prefix("http://").unwrap();
        rest.split_at(rest.find('/').unwrap())
    }

    /// Asks for something of the page, with these lines in the head.
    fn ask(&self, method: &str, target: &str, head: &str) -> TcpStream {
        let mut stream = crate::common::connect(self.place().0.parse().unwrap());
        stream.write_all(format!("{method} {target} HTTP/1.1\r\n{head}\r\n").as_bytes()).unwrap();
        stream
    }

    fn status(&self, method: &str, target: &str, head: &str) -> u16 {
        let mut line = String::new();
        BufReader::new(self.ask(method, target, head)).read_line(&mut line).unwrap();
        line.split(' ').nth(1).unwrap_or_else(|| panic!("{line:?}")).parse().unwrap()
    }

    fn events(&self, place: &str) -> Events {
        let (host, token) = self.place();
        let head = format!("Host: {host}\r\nLast-Event-ID: {place}\r\n");
        let stream = self.ask("GET", &format!("{token}events"), &head);
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        while stream.read_line(&mut line).unwrap() > 2 {
            line.clear();
        }
        Events { stream, rest: String::new() }
    }

    fn ended(mut self) -> (ExitStatus, tempfile::TempDir) {
        let mut told = String::new();
        self.stderr.read_to_string(&mut told).unwrap();
        (wait(&mut self.child), self.folder)
    }
}

/// What a browser hears.
struct Events {
    stream: BufReader<TcpStream>,
    rest: String,
}

impl Events {
    /// The next event: its id, its kind and its data. `None`: there will be no other.
    fn next(&mut self) -> Option<(String, String, String)> {
        loop {
            if let Some((event, rest)) = self.rest.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.rest = rest;
                let of = |name: &str| {
                    let line = event.lines().find_map(|line| line.strip_prefix(name));
                    line.unwrap_or_default().to_owned()
                };
                if event.contains("data:") {
                    return Some((of("id: "), of("event: "), of("data: ")));
                }
                continue;
            }
            // A chunk of HTTP/1.1: its length as a line, then its bytes.
            let mut length = String::new();
            if self.stream.read_line(&mut length).unwrap() == 0 {
                return None;
            }
            let length = usize::from_str_radix(length.trim(), 16).unwrap();
            let mut chunk = vec![0; length + 2];
            self.stream.read_exact(&mut chunk).unwrap();
            if length == 0 {
                return None;
            }
            self.rest += std::str::from_utf8(&chunk[..length]).unwrap();
        }
    }

    /// Takes what comes, until this is so or there is nothing more; the place after it.
    fn take(&mut self, page: &mut Value, mut enough: impl FnMut(&Value) -> bool) -> (String, bool) {
        let (mut place, mut ended) = (String::new(), false);
        while let Some((id, kind, data)) = self.next() {
            match kind.as_str() {
                "ended" => ended = true,
                "" => {
                    refill(page, &serde_json::from_str(&data).unwrap());
                    place = id;
                    if enough(page) {
                        break;
                    }
                }
                _ => {}
            }
        }
        (place, ended)
    }
}

fn no_page() -> Value {
    json!({ "words": [], "calls": { "lane": [], "sentence": [] }, "rows": [], "arrows": [] })
}

/// Of each list a beginning stays, and an end is new.
fn refill(page: &mut Value, news: &Value) {
    let fill = |list: &mut Value, at: &Value, new: &Value| {
        let (list, at) = (list.as_array_mut().unwrap(), at.as_u64().unwrap() as usize);
        assert!(at <= list.len(), "something was lost: {at} of {}", list.len());
        list.truncate(at);
        list.extend(new.as_array().unwrap().iter().cloned());
    };
    for list in ["words", "rows", "arrows"] {
        if let Some(new) = news.get(list) {
            fill(&mut page[list], &new[0], &new[1]);
        }
    }
    if let Some(calls) = news.get("calls") {
        for column in ["lane", "sentence"] {
            fill(&mut page["calls"][column], &calls["at"], &calls[column]);
        }
    }
}

#[test]
fn the_page_grows_and_stays_when_the_programs_have_ended() {
    let Some(served) = Served::of(&["-o", "run.html"], 20, 50) else { return };
    let Some(browser) = Browser::start() else { return };
    browser.post("/url", &json!({ "url": served.url }));
    until("a call is on the page", || browser.count(".call") > 0);
    until("the programs are said to have ended", || browser.count("#state.over") > 0);
    let (status, folder) = served.ended();
    assert!(status.success());
    // What a peer sent is text, on the page and in the panel.
    browser.frame("const s = document.getElementById('scroll'); s.scrollTop = 200");
    browser.keys("\u{e011}\u{e014}\u{e014}\u{e014}");
    assert_eq!(browser.count("img"), 0);
    let rows = browser.js("return document.getElementById('world').dataset.rows");
    let page = browser.js("return document.getElementById('calls').textContent");
    assert!(page.as_str().unwrap().contains("("), "{page}");
    let log = browser.post("/se/log", &json!({ "type": "browser" }));
    let severe = |entry: &&Value| entry["level"] == "SEVERE";
    assert_eq!(log.as_array().unwrap().iter().filter(severe).count(), 0, "{log}");
    // It has what the file has, and the file is a page by itself.
    let file = format!("file://{}", folder.path().join("run.html").display());
    browser.post("/url", &json!({ "url": file }));
    until("the file is drawn", || browser.count(".call") > 0);
    browser.keys("\u{e010}");
    let last = format!("Step {} of {0},", rows.as_str().unwrap());
    assert!(browser.said().starts_with(&last), "{} instead of {last}", browser.said());
}

/// A window of 400 px has room for the server and one lane more, and gets that size while the page follows the newest call.
#[test]
fn the_newest_call_stays_in_view_in_a_window_that_becomes_narrow() {
    let Some(served) = Served::of(&[], 150, 50) else { return };
    let Some(browser) = Browser::start() else { return };
    browser.post("/url", &json!({ "url": served.url }));
    until("a call is on the page", || browser.count(".call") > 0);
    let screen = json!({ "width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": false });
    let command = json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": screen });
    browser.post("/goog/cdp/execute", &command);
    // A label of the client, whole, and how many rows there are.
    let seen = || {
        browser.frame(
            "const view = document.getElementById('scroll').getBoundingClientRect();
             const is = (label) => {
               const { left, right, top, bottom } = label.getBoundingClientRect();
               return left >= view.left && right <= view.right && bottom <= view.bottom && top >= view.top;
             };
             const labels = [...document.querySelectorAll('.call:not(.left)')];
             const follows = document.getElementById('newest').hidden;
             const rows = Number(document.getElementById('world').dataset.rows);
             return [innerWidth, labels.some(is), follows, rows];",
        )
    };
    until("the window is narrow", || seen()[0] == 400);
    let before = seen()[3].as_u64().unwrap();
    until("there are more calls", || seen()[3].as_u64().unwrap() > before + 20);
    until("the newest is in view", || seen()[1] == true && seen()[2] == true);
    until("the programs are said to have ended", || browser.count("#state.over") > 0);
    assert_eq!(seen()[2], true, "it still follows");
    assert!(served.ended().0.success());
}

#[test]
fn a_demo_is_shown_as_it_happens_with_the_names_of_its_clients() {
    let mut command = netplay();
    command.args(["select", "demo", "--serve", "-q", "-o", "run.html"]);
    let served = Served::started(tempfile::tempdir().unwrap(), command);
    let Some(browser) = Browser::start() else { return };
    browser.post("/url", &json!({ "url": served.url }));
    until("the programs are said to have ended", || browser.count("#state.over") > 0);
    let (status, folder) = served.ended();
    assert!(status.success());
    let rows = "return document.getElementById('world').dataset.rows";
    let rows = browser.js(rows).as_str().unwrap().to_owned();
    let heads =
        "return [...document.querySelectorAll('#lanes label')].map(lane => lane.textContent)";
    let lanes = browser.js(heads);
    let file = format!("file://{}", folder.path().join("run.html").display());
    browser.post("/url", &json!({ "url": file }));
    until("the file is drawn", || browser.count(".call") > 0);
    browser.keys("\u{e010}");
    assert!(browser.said().starts_with(&format!("Step {rows} of {rows},")), "{}", browser.said());
    assert_eq!(browser.js(heads), lanes);
    assert_eq!(lanes.as_array().unwrap().len(), 4, "{lanes}");
}

#[test]
fn a_button_and_a_key_of_the_page_let_the_next_call_happen() {
    let Some(served) = Served::of(&["--step"], 1, 0) else { return };
    let Some(browser) = Browser::start() else { return };
    browser.post("/url", &json!({ "url": served.url }));
    let held = || browser.count("#state.held") > 0;
    let mut seen = std::collections::BTreeSet::new();
    for press in 0..6 {
        until("a call is held", held);
        let now = browser.text("#state");
        seen.insert(now.clone());
        match press % 2 {
            0 => browser.click("#call"),
            _ => browser.keys("\u{e007}"),
        }
        until("another one is held", || held() && browser.text("#state") != now);
    }
    assert_eq!(seen.len(), 6, "{seen:?}");
    until("the server has a socket", || browser.count(".socket") > 0);
    until("its state is lit", || browser.count(".tcp.lit") > 0);
    browser.click("#run");
    until("the programs are said to have ended", || browser.count("#state.over") > 0);
    assert!(served.ended().0.success());
}

#[test]
fn those_who_do_not_know_the_token_or_name_another_host_are_refused() {
    let Some(served) = Served::of(&[], 1, 0) else { return };
    let (host, token) = served.place();
    let ours = format!("Host: {host}\r\n");
    assert_eq!(served.status("GET", token, &ours), 200);
    for (method, target, head, status) in [
        ("GET", "/", ours.as_str(), 403),
        ("GET", "/0123456789abcdef0123456789abcdef/", &ours, 403),
        ("GET", token, "Host: evil.example\r\n", 403),
        ("GET", token, "", 403),
        ("POST", token, &ours, 405),
        ("GET", &format!("{token}next?n=1"), &ours, 409),
        ("GET", &format!("{token}else"), &ours, 404),
    ] {
        assert_eq!(served.status(method, target, head), status, "{method} {target} {head}");
    }
    // No answer allows another site to read it.
    let mut answer = String::new();
    let asked = format!("{ours}Origin: http://evil.example\r\n");
    served.ask("GET", token, &asked).read_to_string(&mut answer).unwrap();
    let head = answer.split("\r\n\r\n").next().unwrap().to_lowercase();
    assert!(!head.contains("access-control") && head.contains("no-store"), "{head}");
    served.events("0.0").take(&mut no_page(), |_| false);
    assert!(served.ended().0.success());
}

/// The calls as sentences, in the order of the rows.
fn told(page: &Value) -> Vec<String> {
    let (words, calls) = (&page["words"], &page["calls"]["sentence"]);
    let rows = page["rows"].as_array().unwrap().iter();
    rows.map(|call| {
        let word = calls[call.as_u64().unwrap() as usize].as_u64().unwrap() as usize;
        words[word].as_str().unwrap().to_owned()
    })
    .collect()
}

#[test]
fn each_browser_has_everything_once_however_late_or_often_it_comes() {
    let Some(served) = Served::of(&[], 200, 200) else { return };
    // It reads nothing, and holds up nothing.
    let (host, token) = served.place();
    let asleep = served.ask("GET", &format!("{token}events"), &format!("Host: {host}\r\n"));
    let mut steady = served.events("0.0");
    let steady = std::thread::spawn(move || {
        let mut page = no_page();
        let (_, ended) = steady.take(&mut page, |_| false);
        (page, ended)
    });
    // One that is cut off twice, and comes again with what it had heard last.
    let (mut again, mut place) = (no_page(), "0.0".to_owned());
    for many in [50, 200] {
        let enough = |page: &Value| page["calls"]["lane"].as_array().unwrap().len() > many;
        (place, _) = served.events(&place).take(&mut again, enough);
    }
    let (mut rest, mut late) = (served.events(&place), served.events("0.0"));
    assert!(rest.take(&mut again, |_| false).1);
    let mut of_late = no_page();
    assert!(late.take(&mut of_late, |_| false).1);
    let (steady, ended) = steady.join().unwrap();
    assert!(ended && told(&steady).len() > 400, "{}", told(&steady).len());
    assert_eq!(told(&again), told(&steady));
    assert_eq!(told(&of_late), told(&steady));
    assert!(served.ended().0.success());
    drop(asleep);
}

/// How long after it returned a call is on the screen, at a thousand calls a second. Printed with --nocapture; the bound is
/// generous, because tests share their processors.
#[test]
fn a_call_is_on_the_screen_soon_after_it_returned() {
    let Some(served) = Served::of(&["--trace", "run.jsonl", "-q"], 2000, 250) else { return };
    let Some(browser) = Browser::start() else { return };
    // The calendar's time at the zero of CLOCK_MONOTONIC, in milliseconds.
    let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let zero = wall.as_secs_f64() * 1e3 - netplay::call::monotonic() as f64 / 1e6;
    browser.post("/url", &json!({ "url": served.url }));
    // Each frame says, once it has been shown, up to which moment it goes.
    browser.js(
        "window.shown = []; let last = '';\
         const look = () => { const until = document.getElementById('world').dataset.until;\
           if (until !== undefined && until !== last) shown.push([Number(last = until), performance.timeOrigin + performance.now()]);\
           requestAnimationFrame(look); }; look();",
    );
    until("the programs are said to have ended", || browser.count("#state.over") > 0);
    let shown = browser.js("return window.shown");
    let shown: Vec<(u64, f64)> = serde_json::from_value(shown).unwrap();
    let (status, folder) = served.ended();
    assert!(status.success());
    let trace = std::fs::read_to_string(folder.path().join("run.jsonl")).unwrap();
    let records: Vec<Value> =
        trace.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |record: &Value, key: &str| record[key].as_u64().unwrap();
    let start = records.iter().map(|record| of(record, "start_ns")).min().unwrap();
    let calls = records.iter().filter(|record| {
        ["send", "recv", "sendto", "recvfrom"].contains(&record["call"].as_str().unwrap_or(""))
    });
    let mut late: Vec<f64> = calls
        .filter_map(|record| {
            let end = of(record, "start_ns") + of(record, "dur_ns");
            let frame = shown.iter().find(|(until, _)| *until >= end - start)?;
            Some(frame.1 - (zero + end as f64 / 1e6))
        })
        .collect();
    late.sort_by(f64::total_cmp);
    let at = |part: f64| late[((late.len() - 1) as f64 * part) as usize];
    let [median, most, worst] = [0.5, 0.95, 1.0].map(at);
    println!(
        "{} calls on the screen after {median:.0} ms (median), {most:.0} ms (95 %), {worst:.0} ms (all); {} frames",
        late.len(),
        shown.len()
    );
    assert!(late.len() > 7000, "{}", late.len());
    assert!(median < 2000.0, "{median}");
}
