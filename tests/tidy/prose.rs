//! Plain English: the words that this project does not use, and what to write instead.
//!
//! They are checked wherever a person reads: documents, lessons, comments, and the literals that become help, story and
//! errors. Code itself is free: a function may be called `is_none`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{read, root, under, with_ending};

/// What is not written here, and what is.
const WORDS: &[(&str, &str)] = &[
    ("nobody", "name the program or the socket that does not: \"no process\", \"is not read\""),
    ("whoever", "name it: \"a program that\", \"the side that\""),
    ("is to be had", "\"there is\", \"can be used\""),
    ("to be had", "\"available\""),
    ("but for", "\"except\""),
    (", too", "\"also\", before the verb"),
    ("so-manieth", "\"the n-th\", \"round-robin\""),
    ("so manieth", "\"the n-th\", \"round-robin\""),
    ("is none", "\"is not one\""),
];

/// What follows `, too` where it is no afterthought: ", too many", ", too large".
const MEASURED: [&str; 9] =
    ["many", "much", "large", "long", "late", "early", "small", "few", "old"];

/// Where a word stays, and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("CONTRIBUTING.md", "nobody", "it says that the word is not used"),
    ("CONTRIBUTING.md", "whoever", "it says that the word is not used"),
    ("src/why/words.rs", "nobody", "the user of that name"),
];

/// Rooms that still have such words, and how many. The numbers may only fall.
const LEFT: &[(&str, usize)] = &[];

/// The places at which a word that is not written here stands in a text.
fn found(text: &str) -> Vec<&'static str> {
    let text = text.to_lowercase();
    let mut found = Vec::new();
    for (word, _) in WORDS {
        for (at, _) in text.match_indices(word) {
            let letter = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
            let before = text[..at].chars().next_back();
            let rest = &text[at + word.len()..];
            let part = before.is_some_and(|c| letter(c) && !word.starts_with(','))
                || rest.chars().next().is_some_and(letter);
            let next = rest.split_whitespace().next().unwrap_or_default();
            let measured = *word == ", too" && MEASURED.iter().any(|how| next.starts_with(how));
            // "there is none" is plain; "to be had" is inside "is to be had", which has been counted.
            let before = &text[..at];
            let plain = *word == "is none" && before.ends_with("there ")
                || *word == "to be had" && before.ends_with("is ");
            if !part && !measured && !plain {
                found.push(*word);
            }
        }
    }
    found
}

/// What a person reads of a file of Rust: its comments, and the literals in which two words follow each other.
fn read_of(code: &str) -> String {
    let mut read = String::new();
    let mut chars = code.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let rest = &code[at..];
        let end = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if c == '"' {
            1 + literal_end(&rest[1..])
        } else if rest.starts_with("'\"'") {
            3
        } else if rest.starts_with("r#\"") {
            rest.find("\"#").map_or(rest.len(), |end| end + 2)
        } else {
            continue;
        };
        let text = &rest[..end];
        // A comment goes on in the next line.
        let text = text.trim_start_matches(['/', '!', ' ']);
        let literal = c != '/';
        if text.contains(' ') {
            read.push(if literal { '\n' } else { ' ' });
            read.push_str(&text.replace("\\n", "\n"));
        }
        while chars.next_if(|(next, _)| *next < at + end).is_some() {}
    }
    read
}

/// How long a literal is, its last quote included.
fn literal_end(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices() {
        if c == '"' && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    rest.len()
}

/// A document without the code that it quotes, which is checked where it stands.
fn prose(text: &str) -> String {
    let mut quoted = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.starts_with("```") {
            quoted = !quoted && line != "```text" && line != "```";
        } else if !quoted {
            prose.push_str(line);
            prose.push(if line.trim().is_empty() { '\n' } else { ' ' });
        }
    }
    prose
}

/// The files that people read, by their path.
fn pages() -> Vec<(String, String)> {
    let name = |path: &PathBuf| path.strip_prefix(root()).unwrap_or(path).display().to_string();
    let documents =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"];
    let mut documents: Vec<PathBuf> = documents.iter().map(|name| root().join(name)).collect();
    documents
        .extend(["lessons/en", "docs"].iter().flat_map(|at| with_ending(&root().join(at), "md")));
    let mut pages: Vec<_> = documents.iter().map(|path| (name(path), prose(&read(path)))).collect();
    let sources = ["src", "crates", "examples"].iter().flat_map(|at| under(&root().join(at)));
    pages.extend(sources.map(|path| (name(&path), read_of(&read(&path)))));
    pages
}

/// The room that a file belongs to: a crate, a folder of `src`, a page of its own.
fn room(file: &str) -> String {
    let parts: Vec<&str> = file.split('/').collect();
    match parts[..] {
        ["crates", name, ..] => format!("crates/{name}"),
        ["src", file] => format!("src/{}", Path::new(file).with_extension("").display()),
        ["src", name, ..] => format!("src/{name}"),
        _ => file.to_owned(),
    }
}

#[test]
fn the_words_are_plain() {
    let mut by_room: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut idle: Vec<_> = EXCEPTIONS.iter().map(|(file, word, _)| (*file, *word)).collect();
    for (file, text) in pages() {
        for word in found(&text) {
            if EXCEPTIONS.iter().any(|(at, exempt, _)| *at == file && *exempt == word) {
                idle.retain(|exception| *exception != (&*file, word));
                continue;
            }
            by_room.entry(room(&file)).or_default().push(format!("{file}: {word:?}"));
        }
    }
    assert!(idle.is_empty(), "nothing needs these exceptions any more: {idle:?}");
    let mut more = Vec::new();
    for (room, left) in LEFT {
        let now = by_room.remove(*room).unwrap_or_default();
        if now.len() != *left {
            more.push(format!("{room}: {} in LEFT, {} now: {now:?}", left, now.len()));
        }
    }
    assert!(
        more.is_empty(),
        "write no more of these words; with fewer, LEFT says so:\n{}",
        more.join("\n")
    );
    let instead: Vec<_> =
        WORDS.iter().map(|(word, instead)| format!("{word:?}: {instead}")).collect();
    let found: Vec<_> = by_room.into_values().flatten().collect();
    assert!(found.is_empty(), "{}\n\nInstead of\n{}", found.join("\n"), instead.join("\n"));
}

#[test]
fn the_check_of_the_words_sees_them() {
    let code = "/// Nobody reads\n/// it, too.\nlet x = \"where there is none, too\"; // but for\n//   one\nfn nobody() {}\n\
                let y = '\"'; let z = \"whoever\"; // is_none, , too many; that is none";
    assert_eq!(found(&read_of(code)), ["nobody", "but for", ", too", ", too", "is none"]);
    assert_eq!(
        found(&prose("a line, too\n```rust\nnobody\n```\nWhoever, too large")),
        ["whoever", ", too"]
    );
}
