//! What the HTML picture claims, in a real Chromium that its chromedriver drives (W3C WebDriver).

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;

use crate::common::{DEADLINE, Said, Server, have, run, skip, until, wait};
use netplay::trace::{Event, Kind};
use serde_json::{Value, json};

// ---- the browser ----

/// A Chromium of its own, without a window. Dropping it ends it.
pub(super) struct Browser {
    driver: Child,
    session: String,
    _profile: tempfile::TempDir,
}

/// The keys that have no letter.
const RIGHT: &str = "\u{e014}";
const LEFT: &str = "\u{e012}";
const HOME: &str = "\u{e011}";
const END: &str = "\u{e010}";
const ESCAPE: &str = "\u{e00c}";
const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

/// A chromedriver and its port; none if it left at once.
fn driver() -> Option<(Child, String)> {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let stdout = BufReader::new(driver.stdout.take().unwrap());
    let (sender, port) = mpsc::channel();
    thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                let _ = sender.send(port.trim_end_matches('.').to_owned());
            }
        }
    });
    match port.recv_timeout(DEADLINE) {
        Ok(port) => Some((driver, port)),
        Err(RecvTimeoutError::Disconnected) => {
            wait(&mut driver);
            None
        }
        Err(RecvTimeoutError::Timeout) => panic!("chromedriver says nothing"),
    }
}

impl Browser {
    pub(super) fn start() -> Option<Browser> {
        if !have("chromium") || !have("chromedriver") {
            skip("no chromium with its chromedriver");
            return None;
        }
        let profile = tempfile::tempdir().unwrap();
        // It takes a free port of IPv4 and wants the same of IPv6; if that one is taken, it ends.
        let (driver, port) = (0..10).find_map(|_| driver()).expect("a chromedriver with a port");
        let mut browser = Browser { driver, session: String::new(), _profile: profile };
        let sessions = format!("http://127.0.0.1:{port}/session");
        let profile = format!("--user-data-dir={}", browser._profile.path().display());
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--force-prefers-reduced-motion",
            "--window-size=1280,800",
            &profile,
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        }}});
        let session = ask(minreq::post(&sessions), &wanted);
        browser.session = format!("{sessions}/{}", session["sessionId"].as_str().unwrap());
        Some(browser)
    }

    /// Opens a page of a file, and waits until it has drawn itself.
    fn open(page: &Path) -> Option<Browser> {
        let browser = Browser::start()?;
        browser.post("/url", &json!({ "url": format!("file://{}", page.display()) }));
        until("the page is drawn", || browser.count(".call") > 0);
        Some(browser)
    }

    pub(super) fn post(&self, path: &str, body: &Value) -> Value {
        ask(minreq::post(format!("{}{path}", self.session)), body)
    }

    /// What a function with this body returns.
    pub(super) fn js(&self, body: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": body, "args": [] }))
    }

    /// What a function with this body returns when the next frame has been drawn.
    pub(super) fn frame(&self, body: &str) -> Value {
        let script = format!(
            "const done = arguments[0];\
             requestAnimationFrame(() => requestAnimationFrame(() => done((() => {{ {body} }})())))"
        );
        self.post("/execute/async", &json!({ "script": script, "args": [] }))
    }

    pub(super) fn count(&self, selector: &str) -> u64 {
        self.js(&format!("return document.querySelectorAll('{selector}').length")).as_u64().unwrap()
    }

    pub(super) fn text(&self, selector: &str) -> String {
        let body = format!("return document.querySelector('{selector}')?.textContent ?? ''");
        self.js(&body).as_str().unwrap().to_owned()
    }

    /// What a screen reader was told last.
    pub(super) fn said(&self) -> String {
        self.text("#said")
    }

    fn step(&self) -> String {
        self.said().split(" of ").next().unwrap().to_owned()
    }

    pub(super) fn keys(&self, keys: &str) {
        let press = |key| {
            let key = String::from(key);
            [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })]
        };
        let actions: Vec<Value> = keys.chars().flat_map(press).collect();
        let source = json!({ "type": "key", "id": "keyboard", "actions": actions });
        self.post("/actions", &json!({ "actions": [source] }));
    }

    /// Steps from the first on until what is said contains this.
    fn step_to(&self, what: &str) {
        self.keys(HOME);
        while !self.said().contains(what) {
            let last = self.js("return document.getElementById('next').disabled") == true;
            assert!(!last, "no step says {what:?}");
            self.keys(RIGHT);
        }
    }

    fn element(&self, selector: &str) -> String {
        let found = self.post("/element", &json!({ "using": "css selector", "value": selector }));
        found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned()
    }

    pub(super) fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.post(&format!("/element/{element}/click"), &json!({}));
    }

    fn hover(&self, selector: &str) {
        let element = self.element(selector);
        let origin = json!({ "element-6066-11e4-a52e-4f735466cecf": element });
        let moved = json!({ "type": "pointerMove", "x": 0, "y": 0, "origin": origin });
        let source = json!({ "type": "pointer", "id": "mouse", "actions": [moved] });
        self.post("/actions", &json!({ "actions": [source] }));
    }

    /// Nothing may have been logged as an error, and nothing may have been asked for.
    fn assert_quiet(&self) {
        let log = self.post("/se/log", &json!({ "type": "browser" }));
        let severe = |entry: &&Value| entry["level"] == "SEVERE";
        let severe: Vec<&Value> = log.as_array().unwrap().iter().filter(severe).collect();
        assert!(severe.is_empty(), "logged as errors: {severe:?}");
        let asked = self.js("return performance.getEntriesByType('resource').map(e => e.name)");
        assert_eq!(asked, json!([]), "the page asked for something");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let _ = minreq::delete(&self.session).with_timeout(DEADLINE.as_secs()).send();
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn ask(request: minreq::Request, body: &Value) -> Value {
    let request = request.with_timeout(DEADLINE.as_secs()).with_json(body).unwrap();
    let answer: Value = request.send().unwrap().json().unwrap();
    let value = &answer["value"];
    assert!(value["error"].is_null(), "{body}: {value}");
    value.clone()
}

// ---- the pages ----

/// A page, and the folder that holds it.
struct Page {
    folder: tempfile::TempDir,
}

impl Page {
    /// The page of these traces.
    fn of(folder: tempfile::TempDir, traces: &[PathBuf], options: &[&str]) -> Page {
        let traces: Vec<String> = traces.iter().map(|path| path.display().to_string()).collect();
        let page = folder.path().join("page.html").display().to_string();
        let mut args = vec!["draw", "-o", &page];
        args.extend(traces.iter().map(String::as_str));
        args.extend(options);
        let drawn = run(&args, b"");
        assert!(drawn.status.success(), "{}", String::from_utf8_lossy(&drawn.stderr));
        Page { folder }
    }

    /// The page of records that were never made by a run.
    fn of_records(records: &[Event]) -> Page {
        Page::drawn(records, &[])
    }

    fn drawn(records: &[Event], options: &[&str]) -> Page {
        let folder = tempfile::tempdir().unwrap();
        let trace = folder.path().join("trace.jsonl");
        let line = |record| serde_json::to_string(record).unwrap() + "\n";
        std::fs::write(&trace, records.iter().map(line).collect::<String>()).unwrap();
        Page::of(folder, &[trace], options)
    }

    /// The page of a server and of a client that sends these messages, both real.
    fn of_run(example: &str, messages: &[&str], options: &[&str]) -> Page {
        let folder = tempfile::tempdir().unwrap();
        // A name that would be markup, if it were not text.
        let traces = ["server", "<i>client&amp;.jsonl"].map(|name| folder.path().join(name));
        let [ours, theirs] = traces.each_ref().map(|trace| trace.display().to_string());
        let server = Server::of(example).args(["--trace", &ours]).start();
        let port = server.port();
        let mut args = vec![example, "client", "127.0.0.1", &port, "-q", "--trace", &theirs];
        for message in messages {
            args.extend(["--message", message]);
        }
        assert!(run(&args, b"").status.success());
        assert!(server.stop().status.success());
        Page::of(folder, &traces, options)
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("page.html")
    }

    fn html(&self) -> String {
        std::fs::read_to_string(self.path()).unwrap()
    }
}

/// A call of a process: its pid, when it began and how long it took, in microseconds.
fn record(pid: i32, at: u64, took: u64, call: &str) -> Event {
    Event {
        v: 1,
        kind: Kind::Call,
        start_ns: at * 1_000,
        dur_ns: took * 1_000,
        pid,
        tid: pid,
        role: if pid == 1 { "server" } else { "client" }.into(),
        example: "none".into(),
        call: Some(call.into()),
        syscall: Some(call.into()),
        fd: Some(3),
        args: Some("3".into()),
        ret: Some(0),
        ..Event::default()
    }
}

fn failed(record: Event, errno: &str) -> Event {
    Event { ret: Some(-1), errno: Some(errno.into()), ..record }
}

/// A server and two clients, with three errors: in rows 2, 4 and 6.
fn three_errors() -> Vec<Event> {
    vec![
        record(1, 0, 10, "listen"),
        failed(record(2, 20, 10, "connect"), "ECONNREFUSED"),
        record(3, 40, 10, "getsockname"),
        failed(record(2, 60, 10, "send"), "EPIPE"),
        failed(record(1, 80, 10, "accept"), "EAGAIN"), // an ordinary answer
        failed(record(3, 100, 10, "recv"), "ECONNRESET"),
        record(1, 120, 10, "close"),
    ]
}

// ---- what it claims ----

#[test]
fn the_steps_step_by_keys_and_by_buttons() {
    let page = Page::of_records(&three_errors());
    let Some(browser) = Browser::open(&page.path()) else { return };
    let after = |keys: &str| {
        browser.keys(keys);
        browser.step()
    };
    assert_eq!(after(RIGHT), "Step 1");
    assert_eq!(after("jjj"), "Step 4");
    assert_eq!(after(LEFT), "Step 3");
    assert_eq!(after("k"), "Step 2");
    assert_eq!(after(END), "Step 7");
    assert_eq!(after(RIGHT), "Step 7");
    assert_eq!(after(HOME), "Step 1");
    browser.click("#next");
    assert_eq!(browser.step(), "Step 2");
    browser.click("#back");
    assert_eq!(browser.step(), "Step 1");
    let now = browser.frame("return document.querySelector('[aria-current=step]').textContent");
    assert_eq!(now, "listen(3) backlog ");
    assert_eq!(browser.count(".later"), 6);
    assert_eq!(after(ESCAPE), "The whole picture");
    assert_eq!(browser.frame("return document.querySelectorAll('.later').length"), 0);
    browser.assert_quiet();
}

#[test]
fn a_page_plays_to_its_end_at_the_chosen_speed() {
    let page = Page::of_records(&three_errors());
    let Some(browser) = Browser::open(&page.path()) else { return };
    browser.js("document.getElementById('speed').value = '20'");
    browser.keys(" ");
    until("the last step is taken", || browser.step() == "Step 7");
    until("it has stopped", || browser.text("#play") == "Play");
    browser.js("document.getElementById('speed').value = '0.5'");
    browser.keys(" ");
    until("it begins again", || browser.step() == "Step 1");
    assert_eq!(browser.text("#play"), "Pause");
    browser.keys(" ");
    assert_eq!(browser.text("#play"), "Play");
    browser.assert_quiet();
}

#[test]
fn errors_are_jumped_to() {
    let page = Page::of_records(&three_errors());
    let Some(browser) = Browser::open(&page.path()) else { return };
    let after = |keys: &str| {
        browser.keys(keys);
        browser.said()
    };
    assert!(after("e").contains("Step 2 of 7, client A: connect: "), "{}", browser.said());
    assert!(browser.text("#panel").contains("ECONNREFUSED: Connection refused"));
    assert!(after("ee").starts_with("Step 6 "), "EAGAIN is no error: {}", browser.said());
    assert_eq!(after("e"), "No error after this step");
    assert!(after("E").starts_with("Step 4 "), "{}", browser.said());
    browser.keys(HOME);
    browser.click("#error");
    assert_eq!(browser.step(), "Step 2");
    browser.assert_quiet();
}

#[test]
fn a_hidden_lane_vanishes_and_its_steps_with_it() {
    let page = Page::of_records(&three_errors());
    let Some(browser) = Browser::open(&page.path()) else { return };
    let names = "return [...document.querySelectorAll('.head')].map(e => e.firstChild.textContent)";
    assert_eq!(browser.js(names), json!(["server", "client A", "client B"]));
    browser.click("#lanes summary");
    browser.click("#lanes label:nth-of-type(2) input");
    assert_eq!(browser.frame(names), json!(["server", "client B"]));
    assert_eq!(browser.count(".call"), 5);
    browser.keys(ESCAPE);
    browser.js("document.activeElement.blur()");
    browser.keys(&format!("{HOME}{RIGHT}"));
    assert_eq!(browser.step(), "Step 3", "step 2 is of the hidden lane");
    browser.keys(&format!("{HOME}e"));
    assert_eq!(browser.step(), "Step 6", "so are the errors before");
    browser.assert_quiet();
}

#[test]
fn a_call_is_explained_in_words() {
    let page = Page::of_run("tcp-echo", &["hello"], &["--time", "true"]);
    let Some(browser) = Browser::open(&page.path()) else { return };
    assert_eq!(browser.js("return document.getElementById('scale').ariaPressed"), "true");
    browser.step_to("client A: connect");
    let connect = browser.frame("return document.querySelector('[aria-current]').dataset.key");
    let connect = format!(".call[data-key=\"{}\"]", connect.as_str().unwrap());
    browser.keys(ESCAPE);
    browser.hover(&connect);
    until("the call is explained", || browser.text("#panel").contains("connect(3, {sa_family"));
    assert_eq!(browser.text("#panel a"), "connect(2)");
    let link = browser.js("return document.querySelector('#panel a').href");
    assert_eq!(link, "https://man7.org/linux/man-pages/man2/connect.2.html");
    assert_eq!(browser.said(), "The whole picture", "to look is no step");
    browser.click(&connect);
    assert!(browser.said().contains("client A: connect"), "{}", browser.said());
    // From the cause to the effect.
    let to_accept = browser.text("#panel button");
    Said::on("page_cause").add("from connect", &to_accept);
    browser.click("#panel button");
    assert!(browser.said().contains("server: accept: client 127.0.0.1:"), "{}", browser.said());
    // With the keyboard alone.
    browser.js("document.getElementById('help').focus()");
    browser.keys(&format!("{TAB}{TAB}{ENTER}"));
    let focused = browser.frame("return document.activeElement.matches('.call.now')");
    assert_eq!(focused, true, "{}", browser.said());
    browser.assert_quiet();
}

#[test]
fn what_was_not_seen_is_said_to_be_not_seen() {
    let udp = |pid, at, call: &str, data: &str, local: &str, peer: &str| Event {
        ret: Some(5),
        bytes: Some(5),
        asked: Some(5),
        data: Some(data.into()),
        local: Some(local.into()),
        peer: Some(peer.into()),
        ..record(pid, at, 10, call)
    };
    let (ours, theirs) = ("127.0.0.1:7000", "127.0.0.1:41000");
    let socket = |pid, at| Event {
        args: Some("AF_INET, SOCK_DGRAM, IPPROTO_IP".into()),
        ret: Some(3),
        fd: None,
        ..record(pid, at, 10, "socket")
    };
    let page = Page::of_records(&[
        socket(1, 0),
        Event { local: Some(ours.into()), ..record(1, 20, 10, "bind") },
        socket(2, 40),
        udp(2, 60, "sendto", "lost!", theirs, ours),
        udp(2, 80, "sendto", "taken", theirs, ours),
        udp(1, 100, "recvfrom", "taken", ours, theirs),
        udp(1, 120, "sendto", "where", ours, "127.0.0.1:9"),
        Event { state: Some("CLOSE_WAIT, 0".into()), ..record(1, 140, 10, "getsockname") },
    ]);
    let Some(browser) = Browser::open(&page.path()) else { return };
    let panel_at = |step: usize| {
        browser.keys(HOME);
        browser.keys(&RIGHT.repeat(step - 1));
        browser.text("#panel")
    };
    let said = Said::on("page_not_seen");
    for step in 4..=8 {
        said.add(&format!("step {step}"), &panel_at(step));
    }
    said.add("the lanes", &browser.text("#heads"));
    browser.assert_quiet();
}

/// A connection, a message and its end; the client waits in recv meanwhile.
fn a_conversation() -> Vec<Event> {
    let [server, client] = ["127.0.0.1:5858", "127.0.0.1:40000"];
    let on = |record: Event, local: &str, peer: &str| Event {
        local: Some(local.into()),
        peer: Some(peer.into()),
        ..record
    };
    let moved = |record: Event| Event {
        args: Some("3, \"hello\", 5, 0, NULL, 0".into()),
        ret: Some(5),
        asked: Some(5),
        bytes: Some(5),
        data: Some("hello".into()),
        ..record
    };
    let end = |record: Event| Event { asked: Some(5), bytes: Some(0), ..record };
    let accepted = |record: Event| Event { ret: Some(4), ..record };
    let of_client = |record: Event| Event { fd: Some(4), ..record };
    let socket = Event {
        args: Some("AF_INET, SOCK_STREAM, IPPROTO_IP".into()),
        ret: Some(3),
        fd: None,
        ..record(2, 16, 2, "socket")
    };
    vec![
        on(record(1, 0, 10, "listen"), server, ""),
        socket,
        on(record(2, 20, 10, "connect"), client, server),
        accepted(on(record(1, 12, 38, "accept"), server, client)),
        moved(on(record(2, 60, 10, "send"), client, server)),
        moved(of_client(on(record(1, 80, 10, "recv"), server, client))),
        on(record(2, 100, 10, "close"), client, server),
        end(of_client(on(record(1, 120, 10, "recv"), server, client))),
    ]
}

#[test]
fn a_step_says_what_it_changed_in_both_languages() {
    for (lang, words) in [("en", "page_changes"), ("zh", "page_changes_zh")] {
        let page = Page::drawn(&a_conversation(), &["--lang", lang]);
        let Some(browser) = Browser::open(&page.path()) else { return };
        assert_eq!(browser.js("return document.documentElement.lang"), lang);
        let said = Said::on(words);
        for step in 1..=9 {
            browser.keys(if step == 1 { HOME } else { RIGHT });
            said.add(&format!("{step}"), &browser.said());
        }
        browser.keys(ESCAPE);
        said.add("the whole", &browser.text("#panel"));
        said.add("the tools", &browser.text("#tools"));
        said.add("the keys", &browser.text("#keys"));
        browser.assert_quiet();
    }
}

#[test]
fn bytes_and_the_end_stand_on_their_arrows() {
    let page = Page::of_records(&a_conversation());
    let Some(browser) = Browser::open(&page.path()) else { return };
    let words = "return [...document.querySelectorAll('#words > *')].map(e => e.textContent)";
    assert_eq!(browser.frame(words), json!(["connects", "5 bytes", "FIN"]));
    browser.assert_quiet();
}

#[test]
fn the_server_stays_in_view_and_what_is_hidden_is_named() {
    let records: Vec<Event> =
        (0..24).map(|i| record(1 + i % 12, 10 * i as u64, 5, "send")).collect();
    let page = Page::of_records(&records);
    let Some(browser) = Browser::open(&page.path()) else { return };
    let look = "
        const head = [...document.querySelectorAll('.head')].find((e) => e.textContent.startsWith('server'));
        const shown = (id) => { const e = document.getElementById(id); return e.hidden ? '' : e.textContent; };
        const call = document.querySelector('.call.server').getBoundingClientRect();
        const under = [...document.querySelectorAll('.call.client')].filter((e) => {
          const box = e.getBoundingClientRect();
          return box.left < call.right - 1;
        });
        return [head.getBoundingClientRect().right, shown('leftward'), shown('rightward'), under.length]";
    let first = browser.frame(look);
    assert_eq!(first[1], "");
    assert!(first[2].as_str().unwrap().contains("client K"), "{first}");
    browser.js("document.getElementById('scroll').scrollLeft = 1e9");
    let last = browser.frame(look);
    let moved = first[0].as_f64().unwrap() - last[0].as_f64().unwrap();
    assert!(moved.abs() < 1.0, "the server has moved by {moved}");
    assert!(last[1].as_str().unwrap().contains("client A"), "{last}");
    assert_eq!(last[2], "");
    assert_eq!(last[3], 0, "a call of a client lies over the server's");
    browser.click("#leftward");
    until("the clients come back", || {
        browser.frame(look)[2].as_str().is_some_and(|names| names.contains("client K"))
    });
    browser.keys(HOME);
    browser.keys(&RIGHT.repeat(11));
    until("the step is in view", || {
        browser.frame(
            "const box = document.querySelector('.call.now').getBoundingClientRect();
             const view = document.getElementById('view').getBoundingClientRect();
             return box.left >= view.left && box.right <= view.right + 1;",
        ) == true
    });
    browser.assert_quiet();
}

#[test]
fn large_type_is_a_key_away() {
    let page = Page::of_records(&three_errors());
    let Some(browser) = Browser::open(&page.path()) else { return };
    let size =
        || browser.frame("return getComputedStyle(document.querySelector('.call')).fontSize");
    let usual = size();
    browser.keys("l");
    assert_eq!(size(), "24px");
    assert_eq!(browser.js("return document.getElementById('large').ariaPressed"), "true");
    browser.click("#large");
    assert_eq!(size(), usual);
    browser.assert_quiet();
}

#[test]
fn a_lane_lives_from_its_first_record_to_its_last() {
    let page = Page::of_records(&three_errors());
    let Some(browser) = Browser::open(&page.path()) else { return };
    // How much of the way between two heights the lifeline of client A is there, in its colour: it stands
    // left of its labels.
    let drawn = |from: &str, to: &str| {
        let body = format!(
            "const ink = document.getElementById('ink'), pen = ink.getContext('2d');             const calls = [...document.querySelectorAll('.call.client')].map((call) => call.getBoundingClientRect());             const box = ink.getBoundingClientRect(), dots = ink.width / box.width;             const row = (key) => {{               const call = document.querySelector(`[data-key=\"${{key}}\"]`).getBoundingClientRect();               return (call.top + call.height / 2 - box.top) * dots;             }};             const [from, to] = [{from}, {to}].map(Math.round);             const at = document.querySelector('[data-key=\"1\"]').getBoundingClientRect().left - box.left;             const probe = document.createElement('canvas').getContext('2d');             probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue('--client');             probe.fillRect(0, 0, 1, 1);             const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;             const left = Math.round((at - 40) * dots), wide = Math.round(40 * dots);             const seen = pen.getImageData(left, from, wide, to - from).data;             let rows = 0;             for (let y = 0; y < to - from; y++) {{               let found = false;               for (let x = 0; x < wide; x++) {{                 const i = 4 * (y * wide + x);                 found ||= seen[i] === r && seen[i + 1] === g && seen[i + 2] === b && seen[i + 3] > 200;               }}               rows += found;             }}             return rows / (to - from);"
        );
        browser.frame(&body).as_f64().unwrap()
    };
    assert_eq!(drawn("row(0)", "row(1) - 8"), 0.0, "before its first record");
    assert!(drawn("row(1) + 8", "row(3) - 8") > 0.9, "between its records");
    assert_eq!(drawn("row(3) + 8", "row(6)"), 0.0, "after its last record");
    browser.assert_quiet();
}

/// Fonts, windows and screens differ, and with them where a lane stands: between two dots of the screen its
/// line would be a blur, wider and paler than it is.
#[test]
fn lifelines_are_crisp_on_every_screen() {
    let page = Page::of_records(&three_errors());
    let Some(browser) = Browser::open(&page.path()) else { return };
    let mut places = std::collections::HashSet::new();
    for (density, thick) in [(1.0, 2), (1.25, 2), (1.5, 2), (2.0, 3), (3.0, 5)] {
        for width in 1280..1288 {
            let screen = json!({
                "width": width, "height": 800, "deviceScaleFactor": density, "mobile": false,
            });
            let command = json!({
                "cmd": "Emulation.setDeviceMetricsOverride", "params": screen,
            });
            browser.post("/goog/cdp/execute", &command);
            until("the canvas has the size of the screen", || {
                browser.frame(
                    "const ink = document.getElementById('ink');
                     return ink.width === Math.round(ink.clientWidth * devicePixelRatio)
                       && document.documentElement.clientWidth === innerWidth;",
                ) == true
            });
            // The runs of dots with any ink in a row between two calls of client A, left of its labels.
            let runs = browser.frame(
                "const ink = document.getElementById('ink'), pen = ink.getContext('2d');
                 const dots = devicePixelRatio, box = ink.getBoundingClientRect();
                 const of = (key) => document.querySelector(`[data-key=\"${key}\"]`).getBoundingClientRect();
                 const middle = (key) => of(key).top + of(key).height / 2 - box.top;
                 const y = Math.round((middle(1) + middle(3)) / 2 * dots) + 12;
                 const left = Math.round((of(1).left - box.left - 40) * dots), wide = Math.round(40 * dots);
                 const seen = pen.getImageData(left, y, wide, 1).data;
                 const runs = [];
                 for (let x = 0, run = null; x < wide; x++) {
                   const alpha = seen[4 * x + 3];
                   if (!alpha) { run = null; continue; }
                   if (!run) runs.push(run = { at: x, alpha: [] });
                   run.alpha.push(alpha);
                 }
                 return runs;",
            );
            let expected = json!(vec![255; thick]);
            let lines: Vec<&Value> =
                runs.as_array().unwrap().iter().filter(|run| run["alpha"] == expected).collect();
            assert_eq!(lines.len(), 1, "{density} dots, {width} wide: {runs}");
            places.insert(lines[0]["at"].to_string());
        }
    }
    assert!(places.len() > 1, "the lane has not moved: {places:?}");
    browser.assert_quiet();
}

#[test]
fn what_a_peer_sends_stays_text() {
    let script = "<script>window.owned = 1</script><img src=x onerror='window.owned = 2'>{{trace}}";
    let page = Page::of_run("udp-echo", &[script, "</script><!--"], &[]);
    let html = page.html();
    assert!(!html.contains("<script>window") && !html.contains("<img"), "it is markup");
    let Some(browser) = Browser::open(&page.path()) else { return };
    assert_eq!(browser.count("script"), 2, "the trace and the page's own");
    let seen = browser.js(
        "return [...document.querySelectorAll('.call')].some(e => e.textContent.includes('<script>window'))",
    );
    assert_eq!(seen, true);
    browser.step_to("onerror");
    let told = browser.text("#panel");
    assert!(told.contains("<script>window.owned = 1</script>"), "{told}");
    assert!(browser.text("h1").contains("<i>client&amp;.jsonl"), "{}", browser.text("h1"));
    assert_eq!(browser.js("return window.owned ?? null"), Value::Null);
    assert_eq!(browser.count("img") + browser.count("i > *"), 0);
    browser.assert_quiet();
}

#[test]
fn spaces_stay_and_words_from_right_to_left_keep_their_place() {
    let sent = |at, data: &str| Event {
        ret: Some(8),
        asked: Some(8),
        bytes: Some(8),
        data: Some(data.into()),
        ..record(2, at, 10, "send")
    };
    let page = Page::of_records(&[sent(0, "\u{5e9}\u{5dc}\u{5d5}\u{5dd}"), sent(20, "ab    cd")]);
    let [trace, picture] = ["trace.jsonl", "picture.svg"].map(|name| page.folder.path().join(name));
    let (trace, drawn) = (trace.display().to_string(), picture.display().to_string());
    assert!(run(&["draw", &trace, "-o", &drawn], b"").status.success());
    let look = "
        const nodes = document.createTreeWalker(document, NodeFilter.SHOW_TEXT);
        const seen = [];
        for (let node = nodes.nextNode(); node; node = nodes.nextNode()) {
          if (!node.parentElement.closest('.call') || node.parentElement.closest('title')) continue;
          const text = node.data;
          const box = (from, to) => {
            const range = document.createRange();
            range.setStart(node, from);
            range.setEnd(node, to);
            return range.getBoundingClientRect();
          };
          const spaces = text.indexOf('    ');
          if (spaces > 0) {
            const width = box(spaces, spaces + 4).width / box(spaces, spaces + 1).width;
            seen.push(`${Math.round(width)} spaces`);
          }
          const hebrew = text.search(/[\\u05d0-\\u05ea]/);
          const quote = text.indexOf('\"', hebrew);
          if (hebrew > 0 && quote > 0) {
            const place = box(quote, quote + 1).left > box(hebrew, hebrew + 4).left;
            seen.push(place ? 'behind' : 'among');
          }
        }
        return seen";
    for file in [page.path(), picture] {
        let Some(browser) = Browser::open(&file) else { return };
        let seen = browser.frame(look);
        let seen: Vec<&str> = seen.as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert_eq!(seen, ["behind", "4 spaces"], "{}", file.display());
    }
}

#[test]
fn nothing_else_can_run_and_nothing_can_leave() {
    let page = Page::of_records(&three_errors());
    let Some(browser) = Browser::open(&page.path()) else { return };
    browser.js("const script = document.createElement('script');
         script.textContent = 'window.owned = 1';
         document.body.append(script);");
    assert_eq!(browser.js("return window.owned ?? null"), Value::Null);
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let body = format!(
        "const done = arguments[0];
         fetch('http://{}/').then(() => done('left'), () => done('refused'))",
        server.local_addr().unwrap()
    );
    let fetched = browser.post("/execute/async", &json!({ "script": body, "args": [] }));
    assert_eq!(fetched, "refused");
    server.set_nonblocking(true).unwrap();
    assert!(server.accept().is_err(), "somebody came");
}

#[test]
fn nothing_overlaps_and_nothing_is_cut_off() {
    let overlaps = "
        const boxes = [...document.querySelectorAll('.call, .wait')].map((e) => [e.textContent, e.getBoundingClientRect()]);
        const found = [];
        boxes.forEach(([a, p], i) => boxes.slice(i + 1).forEach(([b, q]) => {
          const wide = Math.min(p.right, q.right) - Math.max(p.left, q.left);
          const high = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
          if (wide > 1.5 && high > 1.5) found.push(`${a} | ${b}`);
        }));
        for (const e of document.querySelectorAll('.call span')) {
          if (e.scrollWidth > e.clientWidth + 1) found.push(`cut: ${e.textContent}`);
        }
        return found";
    for (example, options) in [
        ("select", ["--time", "even"]),
        ("fork", ["--time", "true"]),
        ("udp-echo", ["--time", "even"]),
    ] {
        let page = Page::of_run(example, &["hello", "a longer message of several words"], &options);
        let Some(browser) = Browser::open(&page.path()) else { return };
        for keys in ["", END, "t", "+++", "++++++", HOME, "t"] {
            browser.keys(keys);
            let found = browser.frame(overlaps);
            assert_eq!(found, json!([]), "{example} {options:?} after {keys:?}");
        }
        browser.assert_quiet();
    }
}

#[test]
fn only_what_is_in_view_is_in_the_tree() {
    let records: Vec<Event> = (0..100_000)
        .map(|i| {
            let call = Event {
                bytes: Some(5),
                data: Some(format!("{i:05}").into()),
                args: Some(format!("3, \"{i:05}\", 5, MSG_NOSIGNAL, NULL, 0").into()),
                ret: Some(5),
                ..record(1 + i % 64, 10 * i as u64, if i % 64 == 9 { 600 } else { 5 }, "send")
            };
            if i == 77_777 { failed(call, "EPIPE") } else { call }
        })
        .collect();
    let page = Page::of_records(&records);
    let Some(browser) = Browser::open(&page.path()) else { return };
    let few = |when: &str| {
        let elements = browser.frame("return document.querySelectorAll('*').length");
        // The menu of the 64 lanes and the panel are in it, too.
        assert!(elements.as_u64().unwrap() < 1_200, "{elements} elements {when}");
    };
    few("at first");
    browser.keys(END);
    few("at the end");
    assert!(browser.step().starts_with("Step 10"), "{}", browser.said());
    browser.keys("e");
    browser.keys("E");
    assert!(browser.said().contains("EPIPE"), "{}", browser.said());
    let seen = browser.frame("return document.querySelector('[aria-current=step]').textContent");
    assert!(seen.as_str().unwrap().contains("✗ "), "{seen}");
    browser.keys("t");
    few("to scale");
    browser.js("document.getElementById('scroll').scrollLeft = 1e9");
    few("at the right");
    assert!(browser.text("#heads > :last-child").contains("client 63"));
    browser.assert_quiet();
}

#[test]
fn a_page_without_its_script_is_a_table_of_the_calls() {
    let html = Page::of_records(&three_errors()).html();
    let table = html.split("<noscript>").nth(1).unwrap().split("</noscript>").next().unwrap();
    assert_eq!(table.matches("<tr><td>").count(), 7);
    assert!(table.contains("<td>client A</td><td>connect(3)  → ECONNREFUSED</td>"), "{table}");
    let many: Vec<Event> = (0..501).map(|i| record(1, i, 0, "close")).collect();
    let html = Page::of_records(&many).html();
    assert!(!html.contains("<table"));
    let instead = html.split("<noscript>").nth(1).unwrap().split("</noscript>").next().unwrap();
    Said::on("page_needs_its_script").add("501 calls", instead);
}

#[test]
fn text_can_be_read_by_day_and_by_night() {
    let palette = netplay::ink::variables();
    let (day, night) = palette.split_once("@media").unwrap();
    for (when, colours) in [("day", day), ("night", night)] {
        let light = |name: &str| {
            let (_, value) = colours.split_once(&format!("--{name}: #")).unwrap();
            let part = |i: usize| {
                let c =
                    f64::from(u8::from_str_radix(&value[2 * i..2 * i + 2], 16).unwrap()) / 255.0;
                if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * part(0) + 0.7152 * part(1) + 0.0722 * part(2)
        };
        for text in ["ink", "dim", "server", "client", "wait", "error"] {
            for ground in ["paper", "raised"] {
                let (a, b) = (light(text), light(ground));
                let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
                // WCAG 2, AA.
                assert!(contrast >= 4.5, "{text} on {ground} by {when}: {contrast:.2}");
            }
        }
    }
}

/// The page of a failure opens at the first of the calls that show it, and what stands above leads to each of them.
#[test]
fn the_page_of_a_failure_leads_to_the_calls_that_show_it() {
    if !crate::common::strace_may_trace() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let servers = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/grade/servers.py");
    let mut grade = crate::common::netplay();
    grade.args(["grade", "--seed", "7", "--protocol", "line", "--only", "bytes/cut", "-o"]);
    grade.arg(folder.path()).args(["--", "/usr/bin/python3"]).arg(servers);
    grade.args(["line-a-recv", "{host}", "{port}"]);
    assert_eq!(crate::common::finish(&mut grade, b"").status.code(), Some(3));
    let Some(browser) = Browser::open(&folder.path().join("bytes-cut.html")) else { return };
    let now = || browser.text(".call.now");
    // A call during which another one began is drawn in two rows: its begin, and its result, which is the step.
    let is_at = |result: &str| now().starts_with("◆") && now().contains(result);
    until("the step is drawn", || is_at("\"a\""));
    let opened = browser.step();
    browser.click("#preface li:nth-child(2) button");
    until("the second call is the step", || is_at("2 bytes"));
    assert_ne!(browser.step(), opened);
    // Marks stay with their calls, each with one result; all others have none.
    let results = "return [...document.querySelectorAll('.call')].filter(c => c.textContent.startsWith('◆') && c.textContent.includes('→')).length";
    assert_eq!(browser.js(results), 2);
    // The timeline takes the room when what stands above is closed.
    let height = || browser.js("return document.getElementById('scroll').clientHeight").as_u64();
    let before = height();
    browser.click("#preface summary");
    until("the timeline has more room", || height() > before);
    assert!(is_at("2 bytes"));
    browser.assert_quiet();
}
