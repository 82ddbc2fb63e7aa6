//! The house is as the map says: arrows, reading order, and the tables for people.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod circles;
mod languages;
mod markup;
mod prose;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use netplay::call::Name;
use netplay::examples::{Row, TABLE, examples, next};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The code of a file: without its comments and doctests, and without its unit tests.
fn code(path: &Path) -> String {
    let text = read(path);
    let text = text.split("#[cfg(test)]").next().unwrap();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The Rust files of a module: `src/NAME.rs`, or everything under `src/NAME/`.
fn files(of: &str) -> Vec<PathBuf> {
    let single = root().join("src").join(format!("{of}.rs"));
    if single.exists() { vec![single] } else { under(&root().join("src").join(of)) }
}

fn under(folder: &Path) -> Vec<PathBuf> {
    with_ending(folder, "rs")
}

fn with_ending(folder: &Path, wanted: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(with_ending(&path, wanted));
        } else if path.extension().is_some_and(|ending| ending == wanted) {
            found.push(path);
        }
    }
    found
}

/// The page of an example: a file, or the first of a folder.
fn page(example: &str) -> PathBuf {
    let name = example.replace('-', "_");
    let single = root().join(format!("src/examples/{name}.rs"));
    if single.exists() { single } else { root().join(format!("src/examples/{name}/mod.rs")) }
}

/// The crates beside this one, and what stands in the `[dependencies]` of each. Cargo allows no circle.
fn crates() -> BTreeMap<String, BTreeSet<String>> {
    let mut crates = BTreeMap::new();
    for folder in fs::read_dir(root().join("crates")).unwrap() {
        let folder = folder.unwrap();
        let manifest = read(folder.path().join("Cargo.toml"));
        let (_, dependencies) = manifest.split_once("[dependencies]").unwrap();
        let lines = dependencies.lines().skip(1).take_while(|line| !line.starts_with('['));
        let to = lines.filter_map(|line| {
            Some(line.strip_prefix("netplay-")?.split(['.', ' ']).next().unwrap().to_owned())
        });
        crates.insert(folder.file_name().into_string().unwrap(), to.collect());
    }
    crates
}

/// What `src/lib.rs` passes on from the crates: `pub use netplay_call::{self as call, stop};` is call and stop.
fn passed_on(lib: &str) -> Vec<String> {
    let lines = lib.lines().filter_map(|line| line.strip_prefix("pub use netplay_"));
    let mut names = Vec::new();
    for line in lines {
        let items = match line.split_once('{') {
            Some((_, list)) => top_level(list),
            None => vec![line.trim_end_matches(';')],
        };
        names.extend(items.iter().map(|item| item.split(' ').next_back().unwrap().to_owned()));
    }
    names
}

/// The names in `mod` lines, in their order.
fn mods(text: &str) -> Vec<String> {
    let name = |line: &str| {
        let line = line.trim().trim_start_matches("pub ");
        Some(line.strip_prefix("mod ")?.strip_suffix(';')?.to_owned())
    };
    text.lines().filter_map(name).collect()
}

/// The words that follow `prefix` in the code: `crate::call` gives `call`; `crate::{call, demo}`,
/// both.
fn named_after(prefix: &str, code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        let rest = &code[at + prefix.len()..];
        let list = match rest.strip_prefix('{') {
            Some(list) => top_level(list),
            None => vec![rest],
        };
        let word = |text: &str| -> String {
            text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
        };
        names.extend(list.into_iter().map(word));
    }
    names
}

/// The items of a `{…}` list, without what is in braces inside it.
fn top_level(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut items) = (0, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                items.push(&list[start..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    items
}

#[test]
fn the_arrows_are_those_of_the_map() {
    let lib = read("src/lib.rs");
    let passed_on = passed_on(&lib);
    let order = [passed_on.clone(), mods(&lib)].concat();
    let crates = crates();
    let mut real = crates.clone();
    for (place, name) in order.iter().enumerate().skip(passed_on.len()) {
        let code: String = files(name).iter().map(|file| code(file)).collect();
        let mut to = named_after("crate::", &code);
        to.retain(|other| order.contains(other) && other != name);
        to.extend(
            named_after("netplay_", &code).into_iter().filter(|other| crates.contains_key(other)),
        );
        for other in &to {
            let back = order.iter().position(|known| known == other) > Some(place);
            assert!(!back, "{name} imports {other}, which comes later in src/lib.rs");
        }
        real.insert(name.clone(), to);
    }
    let map = read("ARCHITECTURE.md");
    let mut drawn = BTreeMap::new();
    for line in map.lines().filter(|line| line.starts_with("    ")) {
        if let Some((from, to)) = line.split_once("->") {
            let to: BTreeSet<String> = to.split_whitespace().map(String::from).collect();
            drawn.insert(from.trim().to_owned(), to);
        }
    }
    assert_eq!(real, drawn, "left: the code; right: ARCHITECTURE.md");
    assert!(map.lines().count() <= 100, "the map has grown beyond 100 lines");
}

#[test]
fn a_page_uses_earlier_pages_only() {
    let order = mods(&read("src/examples/mod.rs"));
    for (place, name) in order.iter().enumerate() {
        let mut files = vec![root().join("src/examples").join(format!("{name}.rs"))];
        if !files[0].exists() {
            files = under(&root().join("src/examples").join(name));
        }
        let code: String = files.iter().map(|file| code(file)).collect();
        let mut used = named_after("super::", &code);
        used.extend(named_after("examples::", &code)); // crate::examples::x, crate::{examples::x}
        for other in used.iter().filter(|other| order.contains(other)) {
            let earlier = order.iter().position(|known| known == other).unwrap() <= place;
            assert!(earlier, "{name} uses {other}, which is read later");
        }
    }
    let named: Vec<String> = TABLE.iter().map(|row| row.name().replace('-', "_")).collect();
    let order: Vec<String> = order.into_iter().skip_while(|page| *page != named[0]).collect();
    assert_eq!(order, named, "left: the mod lines; right: the table");
}

#[test]
fn the_check_of_the_arrows_reads_imports() {
    let code = "use crate::{call, trace::{self, story}, demo};\nlet x = crate::escape::escape(b);";
    let names: Vec<String> = named_after("crate::", code).into_iter().collect();
    assert_eq!(names, ["call", "demo", "escape", "trace"]);
}

#[test]
fn the_door_is_the_only_way_to_the_kernel() {
    // What clippy.toml cannot name: methods of traits, and calls that go around the list.
    let forbidden = [
        "SockRef",
        "std::net::ToSocketAddrs",
        "libc::recv",
        "libc::send",
        "libc::accept",
        "libc::poll(",
    ];
    for file in ["src", "crates"].iter().flat_map(|folder| under(&root().join(folder))) {
        if file.starts_with(root().join("crates/call")) || file.ends_with("shared/src/address.rs") {
            continue;
        }
        let code = code(&file);
        for word in forbidden {
            assert!(!code.contains(word), "{}: {word} belongs into crates/call/", file.display());
        }
    }
}

/// What a server does until it waits for clients stands on its page, call by call.
#[test]
fn what_pages_share_calls_nothing_for_them() {
    let shared = ["server", "client", "address", "files"];
    let paths = shared.map(|name| format!("crates/shared/src/{name}"));
    for shared in paths.into_iter().chain(["src/admission".to_owned()]) {
        let file = root().join(format!("{shared}.rs"));
        let files = if file.exists() { vec![file] } else { under(&root().join(&shared)) };
        let code: String = files.iter().map(|file| code(file)).collect();
        let steps =
            named_after("call::", &code).into_iter().filter(|name| Name::of(name).is_some());
        assert_eq!(steps.collect::<Vec<_>>(), [""; 0], "{shared} makes calls that no page shows");
    }
}

/// Each page that says it is ready for clients over TCP shows the calls that made it so; `handler` is about a server
/// that makes them for its users, and `pool` opens as `prefork` does.
#[test]
fn the_opening_stands_on_every_page() {
    let mut pages = 0;
    for name in mods(&read("src/examples/mod.rs")) {
        let single = root().join(format!("src/examples/{name}.rs"));
        let folder = root().join("src/examples").join(&name);
        let files = if single.exists() { vec![single] } else { under(&folder) };
        let code: String = files.iter().map(|file| code(file)).collect();
        if !code.contains("announce(\"tcp\"") || ["handler", "pool"].contains(&&*name) {
            continue;
        }
        pages += 1;
        for call in ["socket", "bind", "listen"] {
            assert!(code.contains(&format!("call::{call}(")), "{name} does not show {call}");
        }
    }
    assert!(pages > 8, "{pages} pages");
}

/// The links at the start of a line of a table or a list: `| [`NAME`](…` and `- [NAME](…`.
fn listed(text: &str) -> Vec<&str> {
    let name = |line| {
        let rest = ["| [`", "- ["].iter().find_map(|start| str::strip_prefix(line, start))?;
        Some(rest.split(['`', ']']).next().unwrap())
    };
    text.lines().filter_map(name).collect()
}

#[test]
fn the_order_of_the_table_is_the_order_everywhere() {
    let names: Vec<&str> = TABLE.iter().map(Row::name).collect();
    assert_eq!(listed(&read("README.md")), names, "left: README.md");

    let command = netplay::cli::command();
    let helped: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
    let helped: Vec<&str> = helped.into_iter().filter(|name| names.contains(name)).collect();
    assert_eq!(helped, names, "left: netplay --help");

    let topics: Vec<&str> = netplay::lesson::topics().collect();
    for lang in ["en", "zh"] {
        let contents = read(format!("lessons/{lang}/README.md"));
        assert_eq!(listed(&contents), topics, "left: lessons/{lang}/README.md; right: LESSONS");
    }
    // A lesson that several pages share has its place by the first; that of sockopt is behind every page.
    let mut lessons: Vec<&str> = Vec::new();
    for row in TABLE.iter().filter(|row| row.name() != "sockopt") {
        if !lessons.contains(&row.lesson()) {
            lessons.push(row.lesson());
        }
    }
    let of_pages: Vec<&str> = topics.into_iter().filter(|topic| lessons.contains(topic)).collect();
    assert_eq!(of_pages, lessons, "left: LESSONS");
}

/// Whoever does what is proposed after each page reads the book from the first to the last. What else is
/// proposed is about the page, and can be typed.
#[test]
fn what_to_try_next_follows_the_table() {
    for (place, row) in TABLE.iter().enumerate() {
        let next = next(row.name());
        let commands: Vec<Vec<&str>> =
            next.split("netplay ").skip(1).map(|rest| words(rest)).collect();
        let behind = TABLE.get(place + 1).unwrap_or(row).name();
        let (last, own) = commands.split_last().unwrap();
        assert_eq!(last[0], behind, "{}: {next}", row.name());
        assert!(own.iter().all(|words| words[0] == row.name()), "{}: {next}", row.name());
        for words in &commands {
            let typed = ["netplay"].iter().chain(words);
            let read = netplay::cli::command().try_get_matches_from(typed);
            assert!(read.is_ok(), "{}: {next}: {}", row.name(), read.unwrap_err());
        }
    }
}

/// The words of a command, up to the first that is about it.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for word in text.split(' ') {
        let bare = word.trim_end_matches([',', ';']);
        words.push(bare);
        if bare != word {
            break;
        }
    }
    words
}

#[test]
fn the_readme_says_of_every_example_what_the_table_says() {
    let readme = read("README.md");
    for row in TABLE {
        let listed = readme.lines().any(|line| {
            line.starts_with(&format!("| [`{}`](", row.name()))
                && line.ends_with(&format!(" | {} |", row.summary().en))
        });
        assert!(listed, "README.md has no row for {}: {}", row.name(), row.summary().en);
    }
}

#[test]
fn every_page_has_a_lesson() {
    for row in TABLE {
        let there = netplay::lesson::topics().any(|topic| topic == row.lesson());
        assert!(there, "{} names the lesson {}, which is not there", row.name(), row.lesson());
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    for document in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"] {
        let text = read(document);
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split(')').next().unwrap();
            if !target.contains("://") {
                assert!(
                    root().join(target).exists(),
                    "{document} links to {target}, which is not there"
                );
            }
        }
    }
}

/// The files under a folder that people read: documents, and the comments of Rust.
fn texts(folder: &Path) -> Vec<(PathBuf, String)> {
    let comments = |path: PathBuf| {
        let text = read(&path);
        let lines = text.lines().filter(|line| line.trim_start().starts_with("//"));
        let text = lines.collect::<Vec<_>>().join("\n");
        (path, text)
    };
    let documents = with_ending(folder, "md").into_iter().map(|path| (path.clone(), read(path)));
    documents.chain(under(folder).into_iter().map(comments)).collect()
}

#[test]
fn a_path_that_is_named_is_there() {
    let tops = ["src", "crates", "tests", "benches", "lessons", "docs", "scripts", "schema"];
    let documents = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"];
    let documents = documents.map(|name| (root().join(name), read(name)));
    let folders =
        ["src", "crates", "tests", "lessons", "docs"].map(|name| texts(&root().join(name)));
    for (file, text) in documents.into_iter().chain(folders.into_iter().flatten()) {
        let text = text.replace("../", "");
        for word in text.split(|c: char| !c.is_ascii_alphanumeric() && !"/._-".contains(c)) {
            let word = word.trim_end_matches(['.', '/', '-']);
            // NAME is anybody's; `upper` is the example that CONTRIBUTING.md makes.
            let made_up = ["NAME", "LANG", "TOPIC", "upper"].iter().any(|name| word.contains(name));
            let path = word.split_once('/').filter(|(top, _)| tops.contains(top) && !made_up);
            let there = path.is_none() || root().join(word).exists();
            assert!(there, "{}: {word} is not there", file.display());
        }
        for (at, _) in text.match_indices(".rs](") {
            let shown = text[..at + 3].rsplit('[').next().unwrap();
            let target = text[at + 5..].split(')').next().unwrap();
            assert!(target.ends_with(shown), "{}: {shown} leads to {target}", file.display());
        }
    }
}

#[test]
fn every_page_begins_with_what_it_is_and_what_to_watch_for() {
    for row in TABLE {
        let (name, page) = (row.name(), read(page(row.name())));
        assert!(page.starts_with("//! # "), "{name} has no title");
        let head: String =
            page.lines().take_while(|line| line.starts_with("//!")).collect::<Vec<_>>().join("\n");
        assert!(head.contains("```text"), "{name} has no diagram");
    }
    for row in examples() {
        let watch = 1..160;
        assert!(watch.contains(&row.watch.en.len()), "{} has nothing to watch for", row.name);
    }
}

/// Whoever wants the recorded calls in a program of his own does not build the command line's crates.
#[test]
fn the_library_alone_needs_few_crates() {
    let words = "tree --locked --offline -p netplay --no-default-features -e normal --prefix none";
    let tree = Command::new(env!("CARGO")).args(words.split(' ')).current_dir(root()).output();
    let tree = String::from_utf8(tree.unwrap().stdout).unwrap();
    let name = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let crates: BTreeSet<String> = tree.lines().filter(|line| !line.is_empty()).map(name).collect();
    assert!(crates.iter().any(|name| name.starts_with("libc ")), "{tree}");
    let belongs =
        ["clap ", "anyhow "].map(|name| crates.iter().any(|other| other.starts_with(name)));
    assert_eq!(belongs, [false; 2], "{crates:?}"); // a library has errors of its own
    assert!(crates.len() < 40, "{} crates: {crates:?}", crates.len()); // as the README says
}

/// A test asks for a record, a code, a count; what is said, word for word, is on a page of `tests/words`. So a sentence
/// is improved in one step.
#[test]
fn no_test_looks_for_a_sentence() {
    let mut left: BTreeMap<(String, &str), usize> = BTreeMap::new();
    for (file, words, _) in SENTENCES {
        left.insert(((*file).to_owned(), words), 0);
    }
    let mut found = Vec::new();
    let files = under(&root().join("tests"));
    for file in files.into_iter().filter(|file| !file.starts_with(root().join("tests/tidy"))) {
        let name = file.strip_prefix(root().join("tests")).unwrap().display().to_string();
        for sentence in sentences(&read(&file)) {
            match left.iter_mut().find(|((file, words), _)| *file == name && *words == sentence) {
                Some((_, times)) => *times += 1,
                None => found.push(format!("tests/{name}: {sentence:?}")),
            }
        }
    }
    assert!(found.is_empty(), "say it on a page (common::Said):\n{}", found.join("\n"));
    let idle: Vec<_> = left.iter().filter(|(_, times)| **times == 0).map(|(key, _)| key).collect();
    assert!(idle.is_empty(), "nothing needs these exceptions any more: {idle:?}");
}

/// Words that a test may look for, and why: they are another program's, the test's own, or a command.
const SENTENCES: &[(&str, &str, &str)] = &[
    ("cost.rs", "exited with 0 +++", "strace's"),
    ("suite/ftp/menu.rs", "ended with 130", "the test's own"),
    ("suite/page.rs", "started successfully on port ", "chromedriver's"),
    ("suite/lessons.rs", "netplay explain ", "a command"),
    ("suite/demo.rs", "$ netplay explain", "a command"),
    ("suite/labs.rs", "ip link set lo up", "a command"),
    ("suite/labs.rs", "Name or service not known", "libc's"),
    ("suite/ping.rs", " bytes from ", "what ping(8) says as well"),
    ("suite/lessons.rs", "EADDRINUSE (98): Address already in use\\n", "libc's"),
    ("suite/lessons.rs", "ENOTTY (25): Inappropriate ioctl for device\\n", "libc's"),
    ("suite/strace.rs", "= -1 EADDRINUSE (Address already in use)\\nclose(3) = 0", "strace's"),
    ("suite/strace.rs", "--- stopped by SIGSTOP ---", "strace's"),
    ("suite/strace.rs", "missing at the end", "the test's own"),
    ("suite/strace.rs", "invented at the end", "the test's own"),
    ("suite/strace.rs", "out of order", "the test's own"),
    ("suite/draw.rs", "bytes 5: client A send@100 -> server recv", "the test's own"),
    ("suite/bench.rs", "poll, again", "a name in a table"),
    ("suite/bench.rs", "| poll, again", "a name in a table"),
    ("suite/many.rs", "listening on", "sshd's"),
    ("suite/doctor.rs", "sudo setcap cap_net_raw+ep ", "a command"),
];

/// The literals in which a text is searched for two words of prose that follow each other.
fn sentences(code: &str) -> Vec<&str> {
    let searches = [
        ".contains(",
        ".starts_with(",
        ".ends_with(",
        ".matches(",
        ".find(",
        ".split(",
        ".split_once(",
        ".rsplit_once(",
        ".strip_prefix(",
        ".strip_suffix(",
    ];
    let mut found = Vec::new();
    for search in searches {
        for (at, _) in code.match_indices(search) {
            let rest = code[at + search.len()..].trim_start().trim_start_matches('&');
            let rest = rest.strip_prefix("format!(").unwrap_or(rest).trim_start();
            let Some(rest) = rest.strip_prefix('"') else { continue };
            let literal = literal(rest);
            let words: Vec<&str> = literal.split(' ').collect();
            let plain = |word: &str| {
                let word = word.trim_end_matches([',', ';']);
                word.len() > 1 && word.chars().all(|c| c.is_ascii_lowercase())
            };
            if words.windows(2).any(|two| two.iter().all(|word| plain(word))) {
                found.push(literal);
            }
        }
    }
    found
}

/// What stands before the quote that ends it.
fn literal(rest: &str) -> &str {
    let mut escaped = false;
    let end = rest.char_indices().find(|&(_, c)| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    &rest[..end.map_or(rest.len(), |(at, _)| at)]
}

#[test]
fn the_check_of_sentences_sees_them() {
    let code = r#"x.contains("the end, nothing"); y.contains(&format!("{a} is so, too {b}"));
        z.starts_with( "bind 127.0.0.1:80: Permission"); told.matches("no \"such\" thing").count();
        assert!(a.contains("SO_LINGER is 5 s"), "this is why"); b.contains("sendto(3, \"hi\", 2) = 2");"#;
    assert_eq!(sentences(code), ["the end, nothing", "{a} is so, too {b}"]);
}

/// A page of words that no test compares is a page that nobody keeps true.
#[test]
fn every_page_of_words_is_some_tests() {
    let code: String = under(&root().join("tests/suite")).iter().map(read).collect();
    for page in with_ending(&root().join("tests/words"), "snap") {
        let name = page.file_stem().unwrap().to_str().unwrap();
        assert!(code.contains(&format!("\"{name}\"")), "no test has the page {}", page.display());
    }
}
