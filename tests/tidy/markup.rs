//! Markup is written in one file a kind: what is drawn says where and how, and escapes nothing itself.

use super::{code, root, under};

/// Whether a tag of this name is opened in the code.
fn opens(code: &str, tag: &str) -> bool {
    let open = format!("<{tag}");
    code.match_indices(&open).any(|(at, _)| {
        let next = code[at + open.len()..].chars().next();
        next.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '_')
    })
}

#[test]
fn one_file_writes_svg_and_one_writes_tables() {
    let shapes =
        ["svg", "g", "rect", "path", "circle", "line", "text", "use", "defs", "pattern", "desc"];
    let tables = ["html", "table", "tr", "td", "th", "caption"];
    let rooms = [(&shapes[..], "crates/draw/src/shapes.rs"), (&tables, "crates/draw/src/page.rs")];
    for file in ["src", "crates"].iter().flat_map(|folder| under(&root().join(folder))) {
        let code = code(&file);
        for (tags, room) in rooms.iter().filter(|(_, room)| file != root().join(room)) {
            for tag in *tags {
                assert!(!opens(&code, tag), "{}: <{tag}> belongs into {room}", file.display());
            }
        }
    }
}

#[test]
fn the_check_of_the_markup_finds_tags() {
    assert!(opens("write!(out, \"<g class=…\")", "g") && opens("\"<path{dashes} d=…\"", "path"));
    assert!(!opens("Vec<group>", "g") && !opens("\"</g>\"", "g"));
}
