//! What the lessons say is so: their quotes are the source, their commands run, their links lead
//! somewhere, and both languages say the same.
//!
//! `UPDATE_EXPECTED=1 cargo test --test suite lessons::` fills in the quotes; then look at what has changed.
//! (insta keeps a snapshot in a file of its own, or in a test; a quote has its place inside a lesson.)

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{ANYBODY, Server, alone, finish, netplay, run, skip};
use netplay::columns::{width, width_of};
use netplay::examples::{Place, Purpose, examples};
use netplay::lang::Lang;
use netplay::lesson::{LESSONS, Look, Subject, about_errno, contents, find, render, topics};
use nix::errno::Errno;
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn folder(lang: Lang) -> PathBuf {
    root().join("lessons").join(lang.code())
}

/// A file of lessons: `en/tcp.md`.
struct File {
    name: String,
    lang: Lang,
    text: String,
}

impl File {
    fn read(lang: Lang, topic: &str) -> File {
        let path = folder(lang).join(format!("{topic}.md"));
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        File { name: format!("{}/{topic}.md", lang.code()), lang, text }
    }

    fn parts(&self) -> Parts {
        Parts::of(&self.text)
    }
}

/// Every lesson in every language.
fn lessons() -> impl Iterator<Item = File> {
    Lang::ALL.into_iter().flat_map(|lang| topics().map(move |topic| File::read(lang, topic)))
}

/// The lessons and the tables of contents.
fn files() -> impl Iterator<Item = File> {
    lessons().chain(Lang::ALL.map(|lang| File::read(lang, "README")))
}

/// What a text is made of.
#[derive(Default)]
struct Parts {
    /// Level and words.
    headings: Vec<(usize, String)>,
    /// Info string and contents.
    blocks: Vec<(String, String)>,
    links: Vec<String>,
    /// The sentences, a paragraph a line; `x` stands for code.
    prose: String,
    html: bool,
}

/// Where the next words belong.
enum Within {
    Prose,
    Heading,
    Block,
}

impl Parts {
    fn of(text: &str) -> Parts {
        let mut parts = Parts::default();
        let mut within = Within::Prose;
        for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::CodeBlock(kind)) => {
                    let info = match kind {
                        CodeBlockKind::Fenced(info) => info.into_string(),
                        CodeBlockKind::Indented => "indented".to_owned(),
                    };
                    parts.blocks.push((info, String::new()));
                    within = Within::Block;
                }
                Event::End(TagEnd::CodeBlock | TagEnd::Heading(_)) => within = Within::Prose,
                Event::Start(Tag::Heading { level, .. }) => {
                    parts.headings.push((level as usize, String::new()));
                    within = Within::Heading;
                }
                Event::Start(Tag::Link { dest_url, .. }) => {
                    parts.links.push(dest_url.into_string())
                }
                Event::Text(said) => match within {
                    Within::Block => parts.blocks.last_mut().unwrap().1.push_str(&said),
                    Within::Heading => parts.headings.last_mut().unwrap().1.push_str(&said),
                    Within::Prose => parts.prose.push_str(&said),
                },
                Event::Code(said) => match within {
                    Within::Heading => parts.headings.last_mut().unwrap().1.push_str(&said),
                    _ => parts.prose.push('x'),
                },
                Event::SoftBreak => parts.prose.push(' '),
                Event::End(TagEnd::Paragraph | TagEnd::Item | TagEnd::TableCell) => {
                    parts.prose.push('\n');
                }
                Event::Html(_) | Event::InlineHtml(_) => parts.html = true,
                _ => {}
            }
        }
        parts
    }

    fn quotes(&self) -> impl Iterator<Item = &(String, String)> {
        self.blocks.iter().filter(|(info, _)| info.starts_with("rust"))
    }

    /// The commands of each console block.
    fn commands(&self) -> Vec<Vec<String>> {
        let console = self.blocks.iter().filter(|(info, _)| info == "console");
        let command = |line: &str| line.strip_prefix("$ ").map(String::from);
        console.map(|(_, text)| text.lines().filter_map(command).collect()).collect()
    }
}

// The table of contents.

/// Chapters and topics, as a file README.md has them.
fn chapters(lang: Lang) -> Vec<Vec<String>> {
    let mut chapters = Vec::new();
    for line in contents(lang).lines() {
        if line.starts_with("## ") {
            chapters.push(Vec::new());
        } else if let Some((topic, rest)) =
            line.strip_prefix("- [").and_then(|l| l.split_once("]("))
        {
            let (file, says) = rest.split_once(')').unwrap();
            assert_eq!(file, format!("{topic}.md"), "{line}");
            let says = says.strip_prefix(": ").or(says.strip_prefix('：'));
            assert!(says.is_some_and(|says| !says.is_empty()), "{line}");
            chapters.last_mut().unwrap().push(topic.to_owned());
        }
    }
    chapters
}

#[test]
fn the_table_of_contents_lists_every_lesson_in_both_languages() {
    let chapters = Lang::ALL.map(chapters);
    assert_eq!(chapters[0], chapters[1], "left: English; right: Chinese");
    let listed: Vec<&str> = chapters[0].iter().flatten().map(String::as_str).collect();
    assert_eq!(listed, topics().collect::<Vec<_>>(), "left: README.md; right: LESSONS");
    for lang in Lang::ALL {
        let there = fs::read_dir(folder(lang)).unwrap().map(|entry| entry.unwrap().path());
        let there = there.filter(|path| path.is_file());
        let there: BTreeSet<String> =
            there.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
        let mut known: BTreeSet<String> = topics().map(String::from).collect();
        known.insert("README".to_owned());
        assert_eq!(there, known, "left: the files of {}; right: LESSONS", lang.code());
    }
}

// The two languages.

#[test]
fn both_languages_say_the_same() {
    for lesson in LESSONS {
        let [en, zh] = Lang::ALL.map(|lang| Parts::of(lesson.text(lang)));
        let topic = lesson.topic;
        let levels = |parts: &Parts| parts.headings.iter().map(|(level, _)| *level).collect();
        let levels: [Vec<usize>; 2] = [levels(&en), levels(&zh)];
        assert_eq!(levels[0], levels[1], "the headings of {topic}");
        let quotes = |parts: &Parts| parts.quotes().cloned().collect::<Vec<_>>();
        assert_eq!(quotes(&en), quotes(&zh), "the quotes of {topic}");
        assert_eq!(en.commands(), zh.commands(), "the commands of {topic}");
        // One language may name first what the other names last.
        let links = |parts: &Parts| {
            let mut links = parts.links.clone();
            links.sort();
            links
        };
        assert_eq!(links(&en), links(&zh), "the links of {topic}");
        assert_eq!(en.blocks.len(), zh.blocks.len(), "the diagrams of {topic}");
        for ((info, text), (_, theirs)) in en.blocks.iter().zip(&zh.blocks) {
            let is_diagram = info.is_empty() || info == "text";
            assert!(!is_diagram || text != theirs, "a diagram of {topic} is in English: {text}");
        }
    }
}

#[test]
fn every_lesson_is_plain_markdown_under_one_title() {
    for file in files() {
        let (name, parts) = (&file.name, file.parts());
        assert!(file.text.starts_with("# "), "{name} does not begin with its title");
        let titles = parts.headings.iter().filter(|(level, _)| *level == 1);
        assert_eq!(titles.count(), 1, "{name}");
        assert!(!parts.html, "{name} has HTML in it");
        for line in file.text.lines() {
            assert_eq!(line, line.trim_end(), "{name}: a space ends {line:?}");
        }
    }
}

#[test]
fn every_lesson_ends_with_a_command_to_run() {
    for file in lessons() {
        let last = file.text.rfind("\n## ").unwrap_or_else(|| panic!("{}: no section", file.name));
        let section = &file.text[last + 1..];
        let title = if file.lang == Lang::Zh { "## 动手\n" } else { "## Run it\n" };
        assert!(section.starts_with(title), "{} ends with {section:?}", file.name);
        let commands = Parts::of(section).commands().concat();
        assert_eq!(commands.len(), 1, "{}: {commands:?}", file.name);
    }
}

// The quotes.

/// A function as it stands in a file, with its comment and attributes: `sendall`, or `Client::new`.
fn quoted(path: &str, name: &str) -> Result<String, String> {
    let text = fs::read_to_string(root().join(path)).map_err(|error| format!("{path}: {error}"))?;
    let lines: Vec<&str> = text.lines().collect();
    let (of, name) = name.rsplit_once("::").map_or((None, name), |(of, name)| (Some(of), name));
    let mut block = ""; // the line that opened the impl or trait that this one is in
    for (at, line) in lines.iter().enumerate() {
        if line.starts_with("impl") || line.contains("trait ") && !line.starts_with(' ') {
            block = line;
        } else if line.starts_with('}') {
            block = "";
        }
        let within = match of {
            Some(of) => words(block).any(|word| word == of),
            None => true,
        };
        if within && defines(line, name) {
            return Ok(whole(&lines, at));
        }
    }
    Err(format!("{path} has no {name}"))
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// Whether this line begins the definition of that name.
fn defines(line: &str, name: &str) -> bool {
    if line.trim_start().starts_with("//") {
        return false;
    }
    let of_it = |pair: &[&str]| {
        matches!(pair[0], "fn" | "struct" | "enum" | "trait" | "const" | "macro_rules")
            && pair[1] == name
    };
    words(line).collect::<Vec<_>>().windows(2).any(of_it)
}

/// The definition that begins at this line: from its comment to the brace that ends it.
fn whole(lines: &[&str], at: usize) -> String {
    let indent = lines[at].len() - lines[at].trim_start().len();
    let above =
        |line: &&&str| line.trim_start().starts_with("///") || line.trim_start().starts_with("#[");
    let start = at - lines[..at].iter().rev().take_while(above).count();
    let ends = |line: &&str| {
        let of_it = line.len() - line.trim_start().len() == indent;
        of_it && (line.trim_start().starts_with('}') || line.ends_with(';'))
    };
    let one_line = lines[at].ends_with(';') || lines[at].ends_with('}');
    let end = if one_line { at } else { at + 1 + lines[at + 1..].iter().position(ends).unwrap() };
    let moved = |line: &&str| format!("{}\n", line.get(indent..).unwrap_or(""));
    lines[start..=end].iter().map(moved).collect()
}

/// The text with every quote as it stands in the source.
fn with_quotes(text: &str) -> Result<String, String> {
    let mut filled = String::new();
    let mut inside = false;
    for line in text.lines() {
        inside &= line != "```";
        if inside {
            continue;
        }
        filled.push_str(&format!("{line}\n"));
        if let Some(place) = line.strip_prefix("```rust") {
            let (path, name) =
                place.trim().split_once(' ').ok_or(format!("what is quoted by {line:?}?"))?;
            filled.push_str(&quoted(path, name)?);
            inside = true;
        }
    }
    Ok(filled)
}

#[test]
fn every_quote_is_the_source() {
    for file in lessons() {
        let expected = with_quotes(&file.text).unwrap_or_else(|e| panic!("{}: {e}", file.name));
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            fs::write(root().join("lessons").join(&file.name), &expected).unwrap();
        } else {
            let quotes = |text: &str| Parts::of(text).quotes().cloned().collect::<Vec<_>>();
            assert_eq!(quotes(&file.text), quotes(&expected), "{}", file.name);
        }
    }
}

// The links.

/// The anchor of a heading, by the rule of GitHub: small letters, without punctuation, `-` for a space.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn every_link_leads_somewhere() {
    for file in files() {
        for link in file.parts().links {
            if link.contains("://") {
                let url =
                    fluent_uri::Uri::parse(link.as_str()).unwrap_or_else(|e| panic!("{link}: {e}"));
                assert_eq!(url.scheme().as_str(), "https", "{}: {link}", file.name);
                continue;
            }
            let (to, fragment) = link.split_once('#').unwrap_or((&link, ""));
            let from = Path::new(&file.name).file_name().unwrap().to_str().unwrap();
            let to = if to.is_empty() { from } else { to };
            let path = folder(file.lang).join(to);
            if to.starts_with("labs/") && !folder(file.lang).join("labs").exists() {
                skip("the labs have no texts");
                continue;
            }
            assert!(path.exists(), "{} links to {link}, which is not there", file.name);
            if !fragment.is_empty() {
                let headings = Parts::of(&fs::read_to_string(path).unwrap()).headings;
                let found = headings.iter().any(|(_, heading)| anchor(heading) == fragment);
                assert!(found, "{} links to {link}, a heading that is not there", file.name);
            }
        }
    }
}

// The commands.

/// What is not ours, and may be typed beside it.
const TOOLS: &[&str] = &[
    "cat", "chrt", "cmp", "curl", "dd", "dig", "diff", "echo", "ftp", "getent", "grep", "head",
    "ip", "kill", "lftp", "ls", "lsof", "man", "nc", "ncat", "nproc", "perf", "ping", "printf",
    "prlimit", "ps", "python3", "readelf", "seq", "sleep", "socat", "ss", "strace", "sudo",
    "sysctl", "tail", "tcpdump", "telnet", "time", "tshark", "ulimit", "uname", "watch", "wc",
    "wget", "xxd", "yes",
];

/// The words of a command, with quotes taken off, up to a comment.
fn split(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in command.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '#') if words.last().unwrap().is_empty() => break,
            (None, ' ') => words.push(String::new()),
            (_, c) => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The command line of netplay understands these words.
fn parses(words: &[String]) {
    if let Err(error) = netplay::cli::command().try_get_matches_from(words) {
        assert!(!error.use_stderr(), "{}: {error}", words.join(" "));
    }
}

/// The example and the side that a command starts: `tcp-server`, `select client`.
fn side(words: &[String]) -> Option<(&'static netplay::examples::Example, &str, usize)> {
    let first = words.get(1)?;
    let named = |name: &str| examples().find(|row| row.name == name || row.short == Some(name));
    if let Some((name, side @ ("server" | "client"))) = first.rsplit_once('-') {
        return Some((named(name)?, side, 2));
    }
    let side = words.get(2).filter(|side| ["server", "client"].contains(&side.as_str()))?;
    Some((named(first)?, side, 3))
}

/// The words behind the side, without HOST and PORT, or PATH.
fn options(words: &[String], from: usize) -> Vec<&str> {
    let places = words[from..].iter().take_while(|word| !word.starts_with('-')).count();
    words[from + places..].iter().map(String::as_str).collect()
}

/// A block of commands, typed one after the other: what ends by itself is run to its end, a server up
/// to the end of the block, and a client is run if the block has started its server.
fn type_in(commands: &[String], desk: &Path) {
    let mut servers = Vec::new();
    for command in commands {
        let words = split(command);
        let pipeline: Vec<&[String]> = words.split(|word| word == "|").collect();
        for part in &pipeline {
            let program = part.first().unwrap_or_else(|| panic!("no command: {command}"));
            assert!(
                program == "netplay" || TOOLS.contains(&program.as_str()),
                "{program} is not on the list of tools: {command}"
            );
            if program == "netplay" {
                parses(part);
            }
        }
        if pipeline.len() > 1 || words[0] != "netplay" {
            continue;
        }
        match side(&words) {
            Some((row, "server", from)) => {
                let path = desk.join(format!("{}.sock", row.name)).display().to_string();
                let place = if row.place == Place::Path { &path } else { "0" };
                let args = [&[row.name, "server", place], &options(&words, from)[..]].concat();
                servers.push((row.name, Server::from(netplay().args(args).current_dir(desk))));
            }
            Some((row, _, from)) => {
                let server = servers.iter().rev().find(|(name, _)| *name == row.name);
                let Some((_, server)) = server.filter(|_| row.purpose == Purpose::Echo) else {
                    continue;
                };
                let place = match row.place {
                    Place::Path => vec![server.place.clone()],
                    Place::Host => vec![], // its servers are other machines
                    Place::Internet | Place::Group { .. } => {
                        vec![server.address().ip().to_string(), server.port()]
                    }
                };
                let place: Vec<&str> = place.iter().map(String::as_str).collect();
                let timeout = ["--timeout", "10"];
                let all =
                    [&[row.name, "client"], &place[..], &timeout, &options(&words, from)].concat();
                ends_well(command, &all, desk);
            }
            None => ends_well(command, &words[1..], desk),
        }
    }
    for (name, server) in servers {
        let ended = server.stop();
        assert!(ended.status.success(), "{name}: {:?} {}", ended.status, ended.stderr);
    }
}

/// netplay, which also finds itself: a lesson grades its servers by their name.
fn with_netplay() -> std::process::Command {
    let own = Path::new(env!("CARGO_BIN_EXE_netplay")).parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::iter::once(own).chain(std::env::split_paths(&path));
    let mut netplay = netplay();
    netplay.env("PATH", std::env::join_paths(places).unwrap());
    netplay
}

fn ends_well(command: &str, args: &[impl AsRef<std::ffi::OsStr>], desk: &Path) {
    let mut output = finish(with_netplay().args(args).current_dir(desk), b"");
    if output.status.code() == Some(4) {
        // In a network of its own every user may ping.
        let Some(mut alone) = alone(ANYBODY) else { return };
        alone.arg(env!("CARGO_BIN_EXE_netplay")).args(args);
        output = finish(alone.current_dir(desk), b"");
    }
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => {}
        Some(4) => skip(&format!("{command} cannot run here: {said}")),
        code => panic!("{command} ended with {code:?}: {said}"),
    }
}

#[test]
fn every_command_runs() {
    let mut typed = HashSet::new();
    for file in files() {
        for commands in file.parts().commands() {
            if typed.insert(commands.clone()) {
                assert!(!commands.is_empty(), "{}: a console block without a command", file.name);
                type_in(&commands, tempfile::tempdir().unwrap().path());
            }
        }
    }
}

#[test]
fn only_commands_stand_in_a_console_block() {
    for file in files() {
        for (_, text) in file.parts().blocks.iter().filter(|(info, _)| info == "console") {
            for line in text.lines() {
                assert!(line.starts_with("$ "), "{}: {line:?}", file.name);
            }
        }
    }
}

// How it looks.

#[test]
fn no_line_is_wider_than_the_terminal() {
    for file in files() {
        for columns in [40, 80, 120] {
            for styled in [false, true] {
                let look = Look { columns, styled, ascii: false, links: true, lang: file.lang };
                let text = render(&file.text, &look);
                for line in console::strip_ansi_codes(&text).lines() {
                    assert!(width(line) <= columns, "{} at {columns}: {line:?}", file.name);
                    let first = line.trim_start_matches([' ', '│', '•']).chars().next();
                    let stays = "，。、；：！？）」』》”".contains(first.unwrap_or(' '));
                    // In a narrow terminal a command is broken itself, and its end may be a line.
                    assert!(
                        !stays || columns < 80,
                        "{} at {columns}: {line:?} begins with it",
                        file.name
                    );
                }
            }
        }
    }
}

#[test]
fn english_can_be_shown_in_ascii() {
    for file in files().filter(|file| file.lang == Lang::En) {
        let look = Look { columns: 80, styled: false, ascii: true, links: true, lang: Lang::En };
        let text = render(&file.text, &look);
        assert!(text.is_ascii(), "{}: {text}", file.name);
    }
}

// Chinese typography.

/// What is wrong between two characters that stand side by side.
fn slip(left: char, right: char) -> Option<&'static str> {
    let han = |c: char| matches!(c, '\u{3400}'..='\u{9fff}');
    match (left, right) {
        _ if matches!(left, '\u{ff10}'..='\u{ff19}' | '\u{ff21}'..='\u{ff3a}' | '\u{ff41}'..='\u{ff5a}') => {
            Some("a full-width letter or digit")
        }
        (left, ',' | '.' | ';' | ':' | '!' | '?' | '(') if han(left) => {
            Some("half-width punctuation")
        }
        (')', right) if han(right) => Some("half-width punctuation"),
        (left, right) if han(left) && right.is_ascii_alphanumeric() => Some("no space"),
        (left, right) if left.is_ascii_alphanumeric() && han(right) => Some("no space"),
        _ => None,
    }
}

/// The places where a text breaks the rules.
fn slips(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let wrong = |(at, pair): (usize, &[char])| {
        let what = slip(pair[0], pair[1])?;
        let around = &characters[at.saturating_sub(6)..characters.len().min(at + 8)];
        Some(format!("{what}: {}", around.iter().collect::<String>()))
    };
    characters.windows(2).enumerate().filter_map(wrong).collect()
}

#[test]
fn chinese_is_set_as_chinese() {
    for file in files().filter(|file| file.lang == Lang::Zh) {
        let parts = file.parts();
        let headings = parts.headings.iter().map(|(_, words)| format!("{words}\n"));
        let text = parts.prose.clone() + &headings.collect::<String>();
        assert_eq!(slips(&text), [""; 0], "{}", file.name);
        // A line break would be shown as a space, except in a diagram.
        let mut in_block = false;
        let lines = file.text.lines().map(|line| {
            in_block ^= line.starts_with("```");
            if in_block { "" } else { line }
        });
        let lines: Vec<&str> = lines.collect();
        for pair in lines.windows(2) {
            let (last, first) = (pair[0].chars().next_back(), pair[1].chars().next());
            let wide = |c: Option<char>| c.is_some_and(|c| width_of(c) == 2);
            assert!(!wide(last) || !wide(first), "{}: {:?} is broken", file.name, pair[0]);
        }
    }
}

#[test]
fn the_check_of_typography_sees_what_is_wrong() {
    for wrong in ["套接字,端口", "套接字.", "用select等", "第2个", "（ＴＣＰ）", "套接字(socket)"]
    {
        assert!(!slips(wrong).is_empty(), "{wrong}");
    }
    for right in ["套接字，用 select 等 2 个。", "select（见 tcp）", "2.5 秒，“SYN”"]
    {
        assert_eq!(slips(right), [""; 0], "{right}");
    }
}

// The command.

/// What it prints.
fn explains(args: &[&str], code: i32) -> String {
    let output = run(args, b"");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    said
}

#[test]
fn a_lesson_goes_by_its_topic_and_by_its_example() {
    let lesson = explains(&["explain", "tcp"], 0);
    assert!(lesson.starts_with("TCP\n═══\n"), "{lesson}");
    for args in [
        &["explain", "tcp-echo"][..],
        &["explain", "TCP"],
        &["explain", "handshake"],
        &["tcp-echo", "explain"],
    ] {
        assert_eq!(explains(args, 0), lesson, "{args:?}");
    }
}

#[test]
fn the_language_is_chosen_by_an_option_or_the_environment() {
    let chinese = explains(&["explain", "tcp", "--lang", "zh"], 0);
    assert!(chinese.contains("监听套接字"), "{chinese}");
    let by_locale = finish(netplay().args(["explain", "tcp"]).env("NETPLAY_LANG", "zh"), b"");
    assert_eq!(String::from_utf8(by_locale.stdout).unwrap(), chinese);
}

#[test]
fn plain_is_the_file_itself() {
    for lang in Lang::ALL {
        for topic in topics() {
            let text = explains(&["explain", topic, "--plain", "--lang", lang.code()], 0);
            assert_eq!(text, File::read(lang, topic).text);
        }
    }
}

#[test]
fn without_a_topic_there_is_the_table_of_contents() {
    for lang in Lang::ALL {
        let text = explains(&["explain", "--lang", lang.code()], 0);
        for topic in topics() {
            assert!(text.contains(&format!("• {topic}")), "{topic} is not in: {text}");
        }
    }
}

#[test]
fn an_errno_goes_by_its_name_and_by_its_number() {
    let named = explains(&["explain", "EADDRINUSE"], 0);
    assert!(named.starts_with("EADDRINUSE (98): Address already in use\n"), "{named}");
    assert_eq!(explains(&["explain", "eaddrinuse"], 0), named);
    assert_eq!(explains(&["explain", "98"], 0), named);
    assert_eq!(explains(&["explain", "EWOULDBLOCK"], 0), explains(&["explain", "EAGAIN"], 0));
}

#[test]
fn an_errno_that_no_call_returns_has_its_number_and_words_all_the_same() {
    for lang in Lang::ALL {
        assert!(about_errno(Errno::ENOTTY, lang).is_none());
        let text = explains(&["explain", "ENOTTY", "--lang", lang.code()], 0);
        assert!(text.starts_with("ENOTTY (25): Inappropriate ioctl for device\n"), "{text}");
        assert!(text.contains("`man 3 errno`"), "{text}");
    }
}

#[test]
fn every_section_of_errno_is_an_errno_with_a_command() {
    for file in lessons().filter(|file| file.name.ends_with("/errno.md")) {
        let headings = file.parts().headings;
        for (_, name) in
            headings.iter().filter(|(level, name)| *level == 2 && name.starts_with('E'))
        {
            let Some(Subject::Errno(errno)) = find(name) else { panic!("{name} is no errno") };
            let section =
                about_errno(errno, file.lang).unwrap_or_else(|| panic!("{name}: nothing"));
            assert_eq!(Parts::of(section).commands().len(), 1, "{}: {name}", file.name);
        }
    }
}

#[test]
fn a_lab_is_pointed_to() {
    assert!(explains(&["explain", "framing"], 0).contains("`netplay lab framing`"));
}

#[test]
fn an_unknown_topic_is_answered_with_a_known_one() {
    for (typed, meant) in
        [("tpc", "'tcp'"), ("EADDRINUS", "'EADDRINUSE'"), ("framming", "'framing'")]
    {
        assert!(explains(&["explain", typed], 2).contains(&format!(" {meant}?")));
    }
    assert!(explains(&["explain", "1234"], 2).contains("netplay explain "));
}

#[test]
fn chinese_without_utf_8_is_shown_with_a_word_of_warning() {
    let output = run(&["explain", "tcp", "--lang", "zh", "--ascii"], b"");
    let warning = String::from_utf8(output.stderr).unwrap();
    assert_eq!(warning.lines().count(), 1, "{warning}");
    assert!(warning.contains("--lang en"), "{warning}");
    assert!(String::from_utf8(output.stdout).unwrap().contains("套接字"));
}

#[test]
fn colours_are_for_who_wants_them() {
    assert!(explains(&["explain", "tcp", "--color", "always"], 0).contains("\u{1b}[1m"));
    assert!(!explains(&["explain", "tcp"], 0).contains('\u{1b}'));
}
