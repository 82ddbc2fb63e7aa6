//! Every sentence is there in both languages.

use netplay::examples::{Both, Row, TABLE};

use crate::{code, root, under};

fn is_chinese(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

#[test]
fn every_row_speaks_both_languages() {
    for row in TABLE {
        let watch = match row {
            Row::Example(example) => Some(example.watch),
            Row::Command { .. } => None,
        };
        for Both { en, zh } in [Some(row.summary()), watch].into_iter().flatten() {
            assert!(!is_chinese(en) && is_chinese(zh), "{}: {en:?}, {zh:?}", row.name());
        }
    }
}

/// Where a remark is in one language on purpose: that Chinese cannot be written in ASCII is said in ASCII.
const ENGLISH: [&str; 1] = ["src/cli/explain.rs"];

/// A note of the story and a line beside it are made by `say!` or `pick`: a literal would always be English.
#[test]
fn no_note_is_a_literal_in_one_language() {
    let mut notes = 0;
    for file in ["src", "crates"].iter().flat_map(|folder| under(&root().join(folder))) {
        if ENGLISH.iter().any(|room| file.starts_with(root().join(room))) {
            continue;
        }
        let code = code(&file);
        for told in ["tracing::info!(", "tracing::warn!(", "remark("] {
            for (at, _) in code.match_indices(told) {
                notes += 1;
                let rest = code[at + told.len()..].trim_start();
                let rest = rest.strip_prefix("format_args!(").unwrap_or(rest).trim_start();
                let Some(literal) = rest.strip_prefix('"') else { continue };
                let literal = literal.split('"').next().unwrap();
                let words = literal.split(['{', '}']).step_by(2).flat_map(str::split_whitespace);
                let words: Vec<&str> =
                    words.filter(|word| word.chars().any(char::is_alphabetic)).collect();
                assert!(
                    words.len() < 3,
                    "{}: {told}{literal:?} is in one language",
                    file.display()
                );
            }
        }
    }
    assert!(notes > 30, "{notes} notes");
}
