//! Every kind of picture is right in a program that is no browser: librsvg draws it, and the dots are
//! looked at. A picture whose colours it does not understand comes out black.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{finish, have, netplay, skip};

/// Pictures are drawn as wide as this.
const WIDTH: usize = 1_000;

/// The dots of a picture: red, green, blue.
fn dots(picture: &Path) -> Vec<[u8; 3]> {
    let mut render = Command::new("rsvg-convert");
    render.args(["--width", &WIDTH.to_string(), "--background-color", "white"]).arg(picture);
    let drawn = finish(&mut render, b"");
    assert!(drawn.status.success(), "{}", String::from_utf8_lossy(&drawn.stderr));
    let mut reader = png::Decoder::new(Cursor::new(drawn.stdout)).read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    assert_eq!(info.bit_depth, png::BitDepth::Eight);
    bytes.chunks_exact(info.color_type.samples()).map(|dot| [dot[0], dot[1], dot[2]]).collect()
}

fn part_of(dots: &[[u8; 3]], which: impl Fn(&[u8; 3]) -> bool) -> f64 {
    dots.iter().filter(|dot| which(dot)).count() as f64 / dots.len() as f64
}

/// Light paper, dark ink, and some colour.
#[track_caller]
fn check(picture: &Path) {
    let dots = dots(picture);
    let least = |dot: &[u8; 3]| dot.iter().min().copied().unwrap();
    let most = |dot: &[u8; 3]| dot.iter().max().copied().unwrap();
    let light = part_of(&dots, |dot| least(dot) > 215);
    let dark = part_of(&dots, |dot| most(dot) < 90);
    let colour = part_of(&dots, |dot| most(dot) - least(dot) > 60);
    let name = picture.file_name().unwrap().display();
    assert!(light > 0.6, "{name}: {light:.4} of it is light");
    assert!((0.0003..0.2).contains(&dark), "{name}: {dark:.4} of it is dark");
    assert!(colour > 0.001, "{name}: {colour:.4} of it has a colour");
}

/// What only browsers know stands in no picture, but for the dark, which only browsers have.
#[track_caller]
fn check_words(picture: &Path) {
    let text = std::fs::read_to_string(picture).unwrap();
    let (before, rest) = text.split_once("<style>").unwrap();
    let (style, after) = rest.split_once("</style>").unwrap();
    let rules: Vec<&str> = style.trim().lines().collect();
    let (first, last) = (rules[0], rules[rules.len() - 1]);
    assert_eq!((first, last), ("@media (prefers-color-scheme: dark) {", "}"));
    assert!(rules[1..rules.len() - 1].iter().all(|rule| rule.starts_with("[fill=\"#")), "{style}");
    for word in ["var(", "color-mix", "currentColor", "paint-order", "baseline", " style=", " dy="]
    {
        assert!(!before.contains(word) && !after.contains(word), "{word} in {}", picture.display());
    }
}

#[test]
fn every_kind_of_picture_is_right_outside_browsers() {
    let folder = tempfile::tempdir().unwrap();
    let mut pictures: Vec<PathBuf> = Vec::new();
    for (name, args) in [
        ("timeline", "select demo"),
        ("datagrams", "udp-echo demo"),
        ("lab", "lab framing --no-ask"),
        ("models", "models --rounds 1"),
        ("bench", "bench --models select,epoll --seconds 0.05 --rounds 1"),
    ] {
        let picture = folder.path().join(name).with_extension("svg");
        let made = finish(netplay().args(args.split(' ')).arg("-o").arg(&picture), b"");
        assert!(made.status.success(), "{args}: {}", String::from_utf8_lossy(&made.stderr));
        pictures.push(picture);
    }
    for trace in ["three_sends", "one_lost", "trouble"] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let trace = root.join("tests/draw").join(trace).with_extension("jsonl");
        let picture = folder.path().join(trace.file_stem().unwrap()).with_extension("svg");
        let made = finish(netplay().arg("draw").arg(&trace).arg("-o").arg(&picture), b"");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        pictures.push(picture);
    }
    for picture in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")).unwrap() {
        let picture = picture.unwrap().path();
        if picture.extension().is_some_and(|ending| ending == "svg") {
            pictures.push(picture);
        }
    }
    pictures.iter().for_each(|picture| check_words(picture));
    if !have("rsvg-convert") {
        return skip("no rsvg-convert (Debian: librsvg2-bin)");
    }
    pictures.iter().for_each(|picture| check(picture));
}
