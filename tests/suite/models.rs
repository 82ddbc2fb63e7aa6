//! `netplay models`: the figures are measured, and the figure says so.
//!
//! Times are compared with lower bounds only: a busy machine is slow, not wrong.

use std::fs;
use std::process::Output;

use crate::common::{self, run, skip};
use serde_json::Value;

use netplay::child::WITH_PARENT;
use netplay::examples::models::{MODELS, ROW};
use netplay::examples::next;
use netplay::trace::{Event, Kind};

/// The figures of a run, by JSON.
fn figures(options: &[&str]) -> Value {
    let out = run(&[&["models", "--json"], options].concat(), b"");
    assert!(out.status.success(), "{out:?}");
    serde_json::from_slice(&out.stdout).unwrap()
}

/// Those models that can run here. Any but io_uring can, everywhere.
fn measured(figures: &Value) -> Vec<&Value> {
    let models = figures["models"].as_array().unwrap();
    let (can, cannot): (Vec<_>, Vec<_>) = models.iter().partition(|m| m["can_run"] == true);
    for model in cannot {
        assert_eq!(model["name"], "io_uring", "{model}");
        skip(&format!("io_uring: {}", model["reason"]));
    }
    can
}

fn named<'a>(figures: &'a Value, name: &str) -> &'a Value {
    figures["models"].as_array().unwrap().iter().find(|model| model["name"] == name).unwrap()
}

fn number(model: &Value, key: &str) -> f64 {
    model[key].as_f64().unwrap_or_else(|| panic!("no {key} in {model}"))
}

fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn every_model_waits_for_the_same_delay() {
    for options in [&["--delay", "20ms"][..], &["--delay", "0.02s", "--tcp"]] {
        let figures = figures(options);
        assert_eq!(figures["delay_us"], 20_000.0);
        for model in measured(&figures) {
            // The arrival is known on another clock, within the error.
            let waited = number(model, "waiting_us") + number(model, "clock_error_us");
            assert!(waited >= 20_000.0, "{model}");
            assert!(number(model, "sent_us") >= 20_000.0, "{model}");
            assert!(number(model, "done_us") >= number(model, "arrived_us"), "{model}");
        }
    }
}

#[test]
fn a_message_arrives_after_it_was_sent() {
    for model in measured(&figures(&["--delay", "3"])) {
        let arrived = number(model, "arrived_us") + number(model, "clock_error_us");
        assert!(arrived >= number(model, "sent_us"), "{model}");
    }
}

#[test]
fn a_busy_loop_counts_its_eagains() {
    let figures = figures(&["--delay", "20ms"]);
    for model in measured(&figures) {
        let (calls, eagains) = (number(model, "calls"), number(model, "eagains"));
        match model["name"].as_str().unwrap() {
            "nonblocking" => {
                assert!(eagains > 20.0, "{model}");
                assert_eq!(calls, eagains + 1.0, "only the last call finds something: {model}");
            }
            "blocking" => assert_eq!((calls, eagains), (1.0, 0.0), "{model}"),
            "select" | "poll" | "epoll" => assert_eq!((calls, eagains), (2.0, 0.0), "{model}"),
            _ => assert!(calls >= 2.0, "{model}"),
        }
    }
}

/// The busy loop burns the time in which the others sleep, even where it has to share the processor.
#[test]
fn only_the_busy_loop_needs_the_processor_to_wait() {
    let figures = figures(&["--delay", "100ms"]);
    let cpu = |model: &Value| number(model, "cpu_user_us") + number(model, "cpu_system_us");
    let busy = cpu(named(&figures, "nonblocking"));
    for model in measured(&figures) {
        assert!(model["name"] == "nonblocking" || cpu(model) < busy, "{busy} µs, but {model}");
    }
}

#[test]
fn blocking_does_not_pretend_to_separate_wakeup_and_copy() {
    let figures = figures(&["--delay", "2ms"]);
    for model in measured(&figures) {
        let in_one = matches!(model["name"].as_str().unwrap(), "blocking" | "io_uring");
        assert_eq!(model["both_in_one_us"].is_number(), in_one, "{model}");
        for key in ["copying_us", "copying_from_us", "until_it_knows_us"] {
            assert_eq!(model[key].is_null(), in_one, "{key}: {model}");
        }
    }
    let (text, _) = said(&run(&["models", "--delay", "2ms", "--ascii"], b""));
    let row = text.lines().rfind(|line| line.starts_with("  blocking")).unwrap();
    let figure = |word: &&str| word.contains(|c: char| c.is_ascii_digit()) || word.ends_with('s');
    let words: Vec<&str> = row.split_whitespace().filter(|word| !figure(word)).collect();
    common::Said::on("models_blocking").add("its row, without figures", &words.join(" "));
}

/// The phases of a model fill the time from its start to its end.
#[test]
fn the_phases_add_up() {
    for model in measured(&figures(&["--delay", "2ms"])) {
        let after = match model["both_in_one_us"].as_f64() {
            Some(both) => both,
            None => number(model, "until_it_knows_us") + number(model, "copying_us"),
        };
        let sum = number(model, "waiting_us") + after;
        assert!((sum - number(model, "done_us")).abs() < 0.01, "{model}");
    }
}

/// What the table of models says of the calls before the wait, and what the figures count, is what
/// the record has.
#[test]
fn the_calls_are_those_of_the_record() {
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("trace").display().to_string();
    let figures = figures(&["--delay", "2ms", "--trace", &trace]);
    let mut receivers: Vec<(i32, Vec<Event>)> = Vec::new();
    for line in fs::read_to_string(&trace).unwrap().lines() {
        let event: Event = serde_json::from_str(line).unwrap();
        if event.role == "server" && event.kind == Kind::Call {
            // One may still be writing its last lines while the next writes its first.
            match receivers.iter_mut().find(|(pid, _)| *pid == event.pid) {
                Some((_, events)) => events.push(event),
                None => receivers.push((event.pid, vec![event])),
            }
        }
    }
    assert_eq!(receivers.len(), MODELS.len(), "a process for each model");
    for (model, (_, events)) in MODELS.iter().zip(&receivers) {
        let figures = named(&figures, model.name);
        if figures["can_run"] != true {
            continue;
        }
        let warm_up = events.iter().position(|event| event.data.as_deref() == Some("warm-up"));
        let calls = events[warm_up.unwrap() + 1..].iter().filter_map(|event| event.call.as_deref());
        let calls: Vec<&str> = calls.filter(|&call| call != "close").collect();
        let (setup, timed) = calls.split_at(model.setup.len());
        assert_eq!(setup, model.setup, "{}", model.name);
        assert_eq!(number(figures, "calls"), timed.len() as f64, "{}: {timed:?}", model.name);
    }
}

/// The spread is that of the rounds, the figures of a model are those of its middle round, and the calls of
/// all rounds are those of the record.
#[test]
fn a_figure_has_the_median_of_its_rounds_and_their_spread() {
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("trace").display().to_string();
    let figures = figures(&["--delay", "2ms", "--rounds", "3", "--trace", &trace]);
    assert_eq!(figures["rounds"], 3);
    let record = fs::read_to_string(&trace).unwrap();
    let events: Vec<Event> =
        record.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for model in measured(&figures) {
        let rounds = model["rounds"].as_array().unwrap();
        assert_eq!(rounds.len(), 3, "{model}");
        let in_one = model["both_in_one_us"].is_number();
        for key in
            ["waiting_us", "until_it_knows_us", "copying_us", "both_in_one_us", "calls", "eagains"]
        {
            let spread = &model["spread"][key];
            if spread.is_null() {
                assert_eq!(in_one, key != "both_in_one_us", "{key}: {model}");
                continue;
            }
            let mut values: Vec<f64> = rounds.iter().map(|round| number(round, key)).collect();
            values.sort_by(f64::total_cmp);
            let said = ["least", "median", "most"].map(|part| number(spread, part));
            for (said, value) in said.iter().zip(&values) {
                assert!((said - value).abs() < 0.002, "{key}: {model}");
            }
        }
        let after = |figures: &Value| number(figures, "done_us") - number(figures, "arrived_us");
        let mut ends: Vec<f64> = rounds.iter().map(after).collect();
        ends.sort_by(f64::total_cmp);
        assert!((after(model) - ends[1]).abs() < 0.002, "{model}");
        if model["name"] == "nonblocking" {
            let asked: f64 = rounds.iter().map(|round| number(round, "calls")).sum();
            // A round in which the message was too early is repeated, and its calls are recorded as well.
            let eagains = events.iter().filter(|event| event.errno.as_deref() == Some("EAGAIN"));
            let (told, counted) = (eagains.count() as f64, asked - 3.0);
            assert!(told >= counted && counted > 0.0, "{told} told, {counted} counted");
        }
    }
}

/// Each form says of how many rounds its figures are, and a single round has no spread.
#[test]
fn every_form_says_how_many_rounds_there_were() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["a.svg", "a.html", "a.md", "a.txt"] {
        let path = directory.path().join(name);
        let path = path.to_str().unwrap();
        run(&["models", "--delay", "1", "-q", "--rounds", "3", "-o", path], b"");
        let several = fs::read_to_string(path).unwrap();
        assert!(several.contains("median") && several.contains(" 3 "), "{several}");
        assert!(several.contains(if name == "a.txt" { "    most " } else { "–" }), "{several}");
        run(&["models", "--delay", "1", "-q", "--rounds", "1", "-o", path], b"");
        let one = fs::read_to_string(path).unwrap();
        assert!(!one.contains("median") && !one.contains('–') && !one.contains("most "), "{one}");
    }
}

#[test]
fn a_picture_has_the_form_that_its_name_ends_in() {
    let directory = tempfile::tempdir().unwrap();
    for (name, begins, ends) in [
        ("a.svg", "<svg ", "</svg>\n"),
        ("a.html", "<!DOCTYPE html>", "</html>\n"),
        ("a.md", "# ", "```\n"),
        ("a.json", "{", "}\n"),
        ("a.txt", "", "\n"),
    ] {
        let path = directory.path().join(name);
        fs::write(&path, "what was there before").unwrap();
        let out = run(&["models", "--delay", "2", "-o", path.to_str().unwrap()], b"");
        assert!(out.status.success() && out.stdout.is_empty(), "{out:?}");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with(begins) && text.ends_with(ends), "{name}: {text}");
        for model in MODELS {
            assert!(text.contains(model.name), "{name} has no {}", model.name);
        }
        assert!(said(&out).1.contains(": netplay "), "{out:?}");
    }
    let title = |name: &str| {
        let text = fs::read_to_string(directory.path().join(name)).unwrap();
        text.lines().next().unwrap().trim_start_matches("# ").to_owned()
    };
    assert_eq!(title("a.md"), title("a.txt"));
    let left = fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(left, 5, "no half file stays");
}

/// What a screen reader says, what the dark needs, and nothing from elsewhere.
#[test]
fn the_picture_stands_alone() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["a.svg", "a.html"] {
        let path = directory.path().join(name);
        run(&["models", "--delay", "2", "-q", "-o", path.to_str().unwrap()], b"");
        let text = fs::read_to_string(&path).unwrap();
        for part in ["<title", "<desc", "role=\"img\"", "prefers-color-scheme: dark", "sans-serif"]
        {
            assert!(text.contains(part), "{name} has no {part}");
        }
        let elsewhere =
            text.replace("http://www.w3.org/2000/svg", "").replace("href=\"data:,\"", "");
        for from in ["http:", "https:", "href", "src=", "@import", "<script"] {
            assert!(!elsewhere.contains(from), "{name} has {from}");
        }
    }
}

#[test]
fn the_figure_fits_80_columns_and_ascii() {
    let figures = figures(&["--delay", "2ms"]);
    let models = figures["models"].as_array().unwrap().iter();
    let cannot = models.filter(|model| model["can_run"] != true);
    let cannot: Vec<&str> = cannot.map(|model| model["name"].as_str().unwrap()).collect();
    let (unicode, _) = said(&run(&["models", "--delay", "2"], b""));
    let (ascii, _) = said(&run(&["models", "--delay", "2", "--ascii"], b""));
    assert!(ascii.is_ascii() && !unicode.is_ascii(), "{ascii}");
    for text in [&unicode, &ascii] {
        // A reason for what cannot run may be longer.
        let lines = text.lines().filter(|line| !cannot.iter().any(|name| line.contains(name)));
        for line in lines {
            assert!(line.chars().count() <= 80, "{line}");
        }
        assert!(text.trim_end().ends_with(&format!("try next: {}", next(ROW.name()))), "{text}");
        assert!(!text.contains('\x1b'), "{text}");
    }
    let (colored, _) = said(&run(&["models", "--delay", "2", "--color", "always"], b""));
    assert!(colored.contains('\x1b'));
}

#[test]
fn the_calls_of_every_model_are_told_on_request() {
    let (_, story) = said(&run(&["models", "--delay", "2", "-v"], b""));
    for words in ["-- blocking (blocking)", "EAGAIN", "rt_sigtimedwait([IO]", "epoll_wait("] {
        assert!(story.contains(words), "{words}: {story}");
    }
    let (_, silence) = said(&run(&["models", "--delay", "2"], b""));
    assert_eq!(silence, "");
}

#[test]
fn a_wrong_option_is_a_usage_error_in_a_line() {
    let page = common::Said::on("models_bad_input");
    for options in [
        &["--delay", "soon"][..],
        &["--delay", "0"],
        &["--rounds", "0"],
        &["--rounds", "many"],
        &["-o", "models.png"],
        &["receive", "telepathy"],
    ] {
        let out = run(&[&["models"], options].concat(), b"");
        page.ends(&options.join(" "), &out, 2);
    }
    let nowhere = run(&["models", "--delay", "1", "-o", "/nonexistent/models.svg"], b"");
    page.ends("-o /nonexistent/models.svg", &nowhere, 1);
}

/// A receiver that learns too late that its sender was killed would wait for its message for ever.
#[test]
fn a_receiver_ends_with_its_sender_however_early_that_was_killed() {
    let mut gone = std::process::Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    for model in MODELS {
        let mut receiver = common::netplay();
        receiver.args(["models", "receive", model.name]);
        let out = common::finish(receiver.env(WITH_PARENT, gone.id().to_string()), b"");
        assert_eq!(out.status.code(), Some(143), "{}: {out:?}", model.name);
        assert!(out.stdout.is_empty(), "{}: {out:?}", model.name);
    }
}
