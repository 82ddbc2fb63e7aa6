//! Every lab shows its phenomenon on this kernel, and is whole in both languages.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common;
use netplay::lab::{Lab, TABLE};
use netplay::lang::Lang;
use serde_json::Value;

/// Runs a lab; its figures, if it can run here.
fn shown(name: &str) -> Option<Value> {
    let out = netplay(&["lab", name, "--no-ask", "--json"]);
    if out.status.code() == Some(4) {
        common::skip(&format!("lab {name}: {}", String::from_utf8_lossy(&out.stderr).trim()));
        return None;
    }
    let story = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{story}{}", String::from_utf8_lossy(&out.stdout));
    Some(serde_json::from_slice(&out.stdout).unwrap())
}

fn netplay(args: &[&str]) -> std::process::Output {
    let state = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_netplay"))
        .args(args)
        .env("XDG_STATE_HOME", state.path())
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// A lab's test: it claims what it shows, its answer is one of the choices, every word is in both languages.
fn lab(name: &str) -> Option<Value> {
    let shown = shown(name)?;
    assert_eq!(shown["met"], true, "{shown:#}");
    let took = Duration::from_secs_f64(shown["seconds"].as_f64().unwrap());
    // Ten seconds are promised on a machine at rest.
    assert!(took < Duration::from_secs(30), "lab {name} took {took:?}");
    let text = Lab::named(name).unwrap().text(Lang::En);
    let answer =
        shown["answer"].as_u64().unwrap_or_else(|| panic!("{name} has no answer")) as usize;
    assert!((1..=text.choices.len()).contains(&answer), "{name}: answer {answer}");
    let claims: usize =
        ["run", "fix"].map(|act| shown[act]["claims"].as_object().unwrap().len()).iter().sum();
    assert!(claims > 1, "{name} claims next to nothing");

    let known: BTreeSet<&str> = text.keys().collect();
    let mut used = BTreeSet::new();
    for act in ["run", "fix"] {
        for group in ["figures", "claims", "tables"] {
            used.extend(shown[act][group].as_object().unwrap().keys().cloned());
        }
        for table in shown[act]["tables"].as_object().unwrap().values() {
            used.extend(
                table
                    .as_array()
                    .unwrap()
                    .iter()
                    .flat_map(|row| row.as_object().unwrap().keys().cloned()),
            );
        }
    }
    let missing: Vec<_> = used.iter().filter(|key| !known.contains(key.as_str())).collect();
    assert!(missing.is_empty(), "lessons/en/labs/{name}.md has no word for {missing:?}");
    Some(shown)
}

macro_rules! labs {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            lab(stringify!($name));
        })*

        #[test]
        fn every_lab_is_a_test() {
            let tested: BTreeSet<&str> = [$(stringify!($name)),*].into();
            let all: BTreeSet<&str> = TABLE.iter().map(|lab| lab.name).collect();
            assert_eq!(tested, all);
        }
    };
}

labs![
    framing, timewait, gone, deaf, shortwrite, byteorder, models, mux, halfclose, udploss,
    bindwhere, zombies, forkfd, sigpipe, reset, nagle, backlog, nbconnect, deadlock, limits
];

#[test]
fn every_lab_is_whole_in_both_languages() {
    for lab in TABLE {
        let [en, zh] = Lang::ALL.map(|lang| lab.text(lang));
        for (lang, text) in [("en", &en), ("zh", &zh)] {
            let name = lab.name;
            let parts = [
                &text.title,
                &text.intro,
                &text.question,
                &text.watch.body,
                &text.explain.body,
                &text.fix.body,
                &text.next,
                &text.own,
                &text.fix.heading,
            ];
            assert!(
                parts.iter().all(|part| !part.is_empty()),
                "{lang}/labs/{name}.md misses a part"
            );
            assert!(
                (2..=5).contains(&text.choices.len()),
                "{lang}/labs/{name}.md: {:?}",
                text.choices
            );
        }
        assert_eq!(en.choices.len(), zh.choices.len(), "{}", lab.name);
        assert_eq!(en.next, zh.next, "{}", lab.name);
        let keys =
            |text: &netplay::lab::Text| text.keys().map(String::from).collect::<BTreeSet<_>>();
        assert_eq!(keys(&en), keys(&zh), "{}", lab.name);
    }
}

#[test]
fn the_command_after_a_lab_exists() {
    for lab in TABLE {
        let next = lab.text(Lang::En).next;
        let words: Vec<&str> = next.split_whitespace().collect();
        assert_eq!(words.first(), Some(&"netplay"), "{}: {next}", lab.name);
        let known = netplay::cli::command().try_get_matches_from(words);
        assert!(known.is_ok(), "{}: {next}: {}", lab.name, known.unwrap_err());
    }
}

#[test]
fn every_lab_says_how_to_watch_ones_own_program() {
    for lab in TABLE {
        let [en, zh] = Lang::ALL.map(|lang| lab.text(lang));
        let [command, chinese] = [&en, &zh].map(|text| {
            let line = text.own.lines().find_map(|line| line.strip_prefix("$ "));
            line.unwrap_or_else(|| panic!("{}: {}", lab.name, text.own))
        });
        assert_eq!(command, chinese, "{}", lab.name);
        let words: Vec<&str> = command.split_whitespace().collect();
        assert_eq!(words[..2], ["netplay", "watch"], "{}: {command}", lab.name);
        let known = netplay::cli::command().try_get_matches_from(words);
        assert!(known.is_ok(), "{}: {}", lab.name, known.unwrap_err());
    }
}

/// What is not drawn is left out at the side that did it.
#[test]
fn the_flood_of_udploss_is_left_out_at_the_sender() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("udploss.jsonl");
    let out = netplay(&["lab", "udploss", "--no-ask", "-q", "--trace", file.to_str().unwrap()]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let trace = std::fs::read_to_string(file).unwrap();
    let records: Vec<Value> =
        trace.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said = common::Said::on("labs_not_recorded");
    for (side, call) in [("client", "sendto"), ("server", "recvfrom")] {
        let of_call = |note: &&Value| note["text"].as_str().is_some_and(|text| text.contains(call));
        let note = records.iter().find(of_call).unwrap();
        assert_eq!(note["role"], side, "{note}");
        said.add(side, note["text"].as_str().unwrap());
    }
}

#[test]
fn a_prediction_is_set_beside_the_measurement() {
    let out = netplay(&["lab", "framing", "--predict", "1", "--lang", "en"]);
    let text = String::from_utf8(out.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let beside = |two: &&[&str]| two[0].contains(" 1:  ") && two[1].contains(" 2:  ");
    let two = lines.windows(2).find(beside).unwrap_or_else(|| panic!("{text}"));
    common::Said::on("labs_prediction").add("framing, 1", &two.join("\n"));
}

#[test]
fn what_is_done_is_remembered_and_can_be_forgotten() {
    let state = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netplay"));
        command.args(args).env("XDG_STATE_HOME", state.path()).stdin(Stdio::null());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let done = |list: &str| {
        list.lines().filter(|line| line.starts_with("✓") || line.starts_with("x")).count()
    };
    assert_eq!(done(&run(&["lab"])), 0);
    run(&["lab", "framing", "--no-ask"]);
    assert_eq!(done(&run(&["lab"])), 1);
    run(&["lab", "--reset"]);
    assert_eq!(done(&run(&["lab"])), 0);
}

/// Each reads the marks, adds its own, and replaces the file.
#[test]
fn labs_that_end_at_the_same_time_keep_all_their_marks() {
    let mut most = 0;
    for _ in 0..4 {
        let state = tempfile::tempdir().unwrap();
        let lab = |args: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_netplay"));
            command.arg("lab").args(args).env("XDG_STATE_HOME", state.path()).stdin(Stdio::null());
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            command
        };
        let names = ["framing", "byteorder", "sigpipe", "bindwhere"];
        let running: Vec<_> =
            names.iter().map(|name| lab(&[name, "--no-ask"]).spawn().unwrap()).collect();
        let mut done = 0;
        for one in running {
            let out = one.wait_with_output().unwrap();
            // 4: the machine is too busy for this lab, which then leaves no mark.
            let code = out.status.code();
            assert!(matches!(code, Some(0 | 4)), "{}", String::from_utf8_lossy(&out.stderr));
            done += usize::from(code == Some(0));
        }
        let list = lab(&["--json"]).output().unwrap();
        let list = String::from_utf8(list.stdout).unwrap();
        assert_eq!(list.matches("\"done\": true").count(), done, "{list}");
        most = most.max(done);
    }
    assert!(most >= 2, "no two labs ended at the same time");
}

/// Whatever is wrong with the file of marks is a sentence, and no reason not to show a lab.
#[test]
fn a_file_of_marks_that_cannot_be_used_is_a_sentence() {
    type Spoil = fn(&Path);
    let spoilt: [(&str, Spoil); 4] = [
        ("a list that breaks off", |folder| {
            fs::write(folder.join("labs.json"), "{\"framing\": ").unwrap();
        }),
        ("a folder", |folder| fs::create_dir(folder.join("labs.json")).unwrap()),
        ("the lock is a folder", |folder| fs::create_dir(folder.join("labs.lock")).unwrap()),
        ("there can be no folder", |folder| {
            fs::remove_dir(folder).unwrap();
            fs::write(folder, "").unwrap();
        }),
    ];
    let page = common::Said::on("labs_marks");
    for (case, spoil) in spoilt {
        let state = tempfile::tempdir().unwrap();
        let folder = state.path().join("netplay");
        fs::create_dir(&folder).unwrap();
        spoil(&folder);
        let mut command = Command::new(env!("CARGO_BIN_EXE_netplay"));
        command.args(["lab", "byteorder", "--no-ask"]).env("XDG_STATE_HOME", state.path());
        let out = command.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{said}");
        let errors = common::errors(&said);
        assert_eq!(errors.lines().count(), 1, "{said}");
        page.add(case, &errors);
    }
}

/// Beside other programs that want the processor a lab shows what it claims, or says that it cannot.
#[test]
fn a_busy_machine_is_no_reason_to_deny() {
    // On one processor only, so that the other tests have theirs.
    let lab = std::thread::spawn(|| {
        let mut one = nix::sched::CpuSet::new();
        let all = nix::sched::sched_getaffinity(nix::unistd::Pid::from_raw(0)).unwrap();
        one.set((0..nix::sched::CpuSet::count()).find(|&n| all.is_set(n).unwrap()).unwrap())
            .unwrap();
        nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &one).unwrap();
        let busy =
            || Command::new("timeout").args(["60", "sh", "-c", "while :; do :; done"]).spawn();
        let mut beside: Vec<_> = (0..2).map(|_| busy().unwrap()).collect();
        let state = tempfile::tempdir().unwrap();
        let mut nice = Command::new("nice");
        nice.args(["-n", "12", env!("CARGO_BIN_EXE_netplay"), "lab", "models", "--no-ask"]);
        let out = nice.env("XDG_STATE_HOME", state.path()).stdin(Stdio::null()).output().unwrap();
        for one in &mut beside {
            // timeout passes the signal on to what it runs.
            nix::sys::signal::kill(
                nix::unistd::Pid::from_raw(one.id().cast_signed()),
                nix::sys::signal::Signal::SIGTERM,
            )
            .unwrap();
            one.wait().unwrap();
        }
        out
    });
    let out = lab.join().unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    match out.status.code() {
        Some(0) => {}
        Some(4) => {
            assert!(said.contains(TOO_BUSY), "{said}");
            assert!(out.stdout.is_empty() || !String::from_utf8_lossy(&out.stdout).contains('✗'));
        }
        _ => panic!("{:?} {said}", out.status),
    }
}

/// A lab says how much of the processor's time it got only when that was too little.
const TOO_BUSY: &str = " % of ";

/// Calls whose answer a lab measures, made to fail for a reason that the lab is not about: strace's words for it,
/// and what the lab must say.
const UNRELATED: [(&str, &str, &str); 7] = [
    ("timewait", "bind:error=ENOMEM:when=3", ": Cannot allocate memory"),
    ("forkfd", "bind:error=EACCES:when=2", ": Permission denied"),
    ("sigpipe", "sendto:error=ENOMEM:when=2", "send: Cannot allocate memory"),
    ("nbconnect", "connect:error=EACCES:when=2", ": Permission denied"),
    ("bindwhere", "socket:error=ENOMEM:when=8", "socket: Cannot allocate memory"),
    ("byteorder", "connect:error=EACCES:when=1", ": Permission denied"),
    ("limits", "connect:error=EACCES:when=6", ": Permission denied"),
];

/// A call may fail because of the machine. That is no answer to what the lab asks, and denies nothing.
#[test]
fn an_unrelated_failure_is_no_answer() {
    if !common::have("strace") {
        return common::skip("no strace");
    }
    for (lab, inject, why) in UNRELATED {
        let state = tempfile::tempdir().unwrap();
        let call = inject.split(':').next().unwrap();
        let mut strace = Command::new("timeout");
        let calls = state.path().join("calls");
        strace.args(["60", "strace", "-f", "-qq", "-tt", "-o"]).arg(&calls).args(["-e"]);
        strace.args([&format!("trace=%network,{call}"), "-e", &format!("inject={inject}")]);
        strace.arg(env!("CARGO_BIN_EXE_netplay")).args(["lab", lab, "--no-ask", "-q"]);
        let out = strace.env("XDG_STATE_HOME", state.path()).stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        let code = if said.contains(TOO_BUSY) { 4 } else { 1 };
        let calls = || std::fs::read_to_string(&calls).unwrap_or_default();
        assert_eq!(out.status.code(), Some(code), "{lab}: {said}\n{}", calls());
        assert!(said.contains(why), "{lab}: {said}\n{}", calls());
    }
}

#[test]
fn without_loopback_a_lab_says_so_at_once() {
    let Some(mut command) = common::alone("ip link set lo down") else { return };
    let began = Instant::now();
    command.arg(env!("CARGO_BIN_EXE_netplay")).args(["lab", "framing", "--no-ask", "-q"]);
    let out = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(4), "{said}");
    assert!(said.contains("ip link set lo up"), "{said}");
    assert!(began.elapsed() < Duration::from_secs(20), "it waited to be given up");
}

#[test]
fn json_and_a_picture_do_not_share_standard_output() {
    let out = netplay(&["lab", "framing", "--json", "-o", "-"]);
    assert_eq!(out.status.code(), Some(2), "{}", String::from_utf8_lossy(&out.stdout));
    assert!(out.stdout.is_empty());
}

#[test]
fn the_picture_of_a_lab_is_written_whole() {
    let folder = tempfile::tempdir().unwrap();
    let file: PathBuf = folder.path().join("framing.svg");
    let out = netplay(&["lab", "framing", "--no-ask", "-q", "-o", file.to_str().unwrap()]);
    assert!(out.status.success());
    let svg = std::fs::read_to_string(file).unwrap();
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{}", &svg[..80]);
    assert!(svg.contains("AAABBCCCC"));
}

/// A picture of a lab is for a class: it has the question, the answer and the fix, in the lab's language.
#[test]
fn a_picture_of_a_lab_tells_all_of_it_in_its_language() {
    let folder = tempfile::tempdir().unwrap();
    for lang in Lang::ALL {
        let text = Lab::named("framing").unwrap().text(lang);
        for suffix in ["svg", "html", "md"] {
            let file = folder.path().join(format!("{}.{suffix}", lang.code()));
            let args = ["lab", "framing", "--predict", "1", "-q", "--lang", lang.code(), "-o"];
            let out = netplay(&[&args[..], &[file.to_str().unwrap()]].concat());
            assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
            let picture = fs::read_to_string(&file).unwrap();
            let has = |words: &str| {
                // Lines may break anywhere, and code may be marked.
                let bare = |text: &str| {
                    let tags = ["<code>", "</code>", "<p>", "</p>"];
                    let text = tags.iter().fold(text.to_owned(), |text, tag| text.replace(tag, ""));
                    text.replace(['`', '*'], "").split_whitespace().collect::<Vec<_>>().join(" ")
                };
                bare(&picture).contains(&bare(words))
            };
            let first = |text: &str| {
                let plain = text.split(['`', '\n', '\'']).next().unwrap();
                plain.chars().take(12).collect::<String>()
            };
            for part in [
                &text.title,
                &first(&text.question),
                &first(&text.explain.body),
                &first(&text.fix.body),
                &text.explain.heading,
                &text.fix.heading,
            ] {
                assert!(has(part), "{lang:?} {suffix}: {part}");
            }
            let figures = match suffix {
                "svg" => picture.matches("class=\"figure\"").count(),
                "html" => picture.matches("<svg").count(),
                _ => picture.matches("```mermaid").count(),
            };
            assert_eq!(figures, 2, "before and after: {lang:?} {suffix}");
            let mut ids = BTreeSet::new();
            for id in picture.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
                assert!(ids.insert(id), "{lang:?} {suffix}: {id} is there twice");
            }
            if suffix == "svg" {
                roxmltree::Document::parse(&picture).unwrap();
            }
        }
    }
}

/// What a lab leaves out of its record is said in the language of the lab.
#[test]
fn the_notes_of_a_lab_are_in_its_language() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backlog.json");
    let out = netplay(&["lab", "backlog", "-q", "--lang", "zh", "-o", file.to_str().unwrap()]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let picture: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let notes: Vec<&str> = picture["calls"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|call| call["record"]["text"].as_str())
        .collect();
    assert!(notes.len() > 1 && notes.iter().all(|note| !note.is_ascii()), "{notes:?}");
}

#[test]
fn every_word_of_a_table_is_in_the_texts() {
    for lab in TABLE {
        let path = format!("{}/src/lab/{}.rs", env!("CARGO_MANIFEST_DIR"), lab.name);
        let source = std::fs::read_to_string(path).unwrap();
        let text = lab.text(Lang::Zh);
        let known: BTreeSet<&str> = text.keys().collect();
        for (at, marker) in source.match_indices("Value::Word(\"") {
            let word = source[at + marker.len()..].split('"').next().unwrap();
            assert!(known.contains(word), "lessons/*/labs/{}.md has no word for {word}", lab.name);
        }
    }
}

/// What the resolver says of a name it does not know is an answer of its own, and no address.
#[test]
fn a_lab_shows_why_a_name_has_no_address() {
    let Some(mut private) = common::private_mounts() else { return };
    let folder = tempfile::tempdir().unwrap();
    let order = folder.path().join("nsswitch.conf");
    fs::write(&order, "hosts: files\n").unwrap();
    let script = "mount --bind /dev/null /etc/hosts && mount --bind \"$0\" /etc/nsswitch.conf || exit 99; \
        exec \"$@\"";
    private.args(["sh", "-c", script]).arg(&order).arg(env!("CARGO_BIN_EXE_netplay"));
    private.args(["lab", "bindwhere", "--no-ask", "--json"]);
    private.env("LC_ALL", "C.UTF-8").env("XDG_STATE_HOME", folder.path());
    let output = common::finish(&mut private, b"");
    if output.status.code() == Some(99) {
        return common::skip("no /etc/nsswitch.conf here");
    }
    let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let localhost = told["run"]["figures"]["localhost"].as_str().unwrap_or_default();
    assert!(localhost.contains("Name or service not known"), "{told} {output:?}");
}
