//! What the SVG pictures of `netplay draw` claim, read out of the pictures themselves.

use std::path::Path;

use crate::common::{self, netplay, run};
use roxmltree::{Document, Node};
use unicode_width::UnicodeWidthStr;

/// A trace in tests/draw.
fn trace(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/draw").join(name))
        .unwrap()
}

/// Its picture.
fn drawn(name: &str, options: &[&str]) -> String {
    drawn_from(&trace(name), options)
}

/// The picture of a trace in memory.
fn drawn_from(trace: &str, options: &[&str]) -> String {
    let output = run(&[&["draw", "-", "--format", "svg"], options].concat(), trace.as_bytes());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The lines of a trace that one side wrote.
fn only(role: &str, name: &str) -> String {
    let role = format!("\"role\": \"{role}\"");
    trace(name).split_inclusive('\n').filter(|line| line.contains(&role)).collect()
}

/// A text of a picture and the room it takes at most.
struct Text {
    text: String,
    left: f64,
    top: f64,
    right: f64,
    foot: f64,
}

impl Text {
    fn overlaps(&self, other: &Text) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.foot
            && other.top < self.foot
    }
}

fn classes<'a>(node: Node<'a, '_>) -> impl Iterator<Item = &'a str> {
    node.attribute("class").unwrap_or_default().split(' ')
}

fn is_of(node: Node, class: &str) -> bool {
    node.ancestors().any(|node| classes(node).any(|own| own == class))
}

fn number(node: Node, name: &str) -> f64 {
    node.attribute(name).unwrap().parse().unwrap()
}

/// How far the elements around this one are moved.
fn moved(node: Node) -> (f64, f64) {
    let moves = node.ancestors().filter_map(|node| node.attribute("transform"));
    moves.fold((0.0, 0.0), |(x, y), transform| {
        let of = transform.strip_prefix("translate(").unwrap().strip_suffix(')').unwrap();
        let (dx, dy) = of.split_once(' ').unwrap();
        (x + dx.parse::<f64>().unwrap(), y + dy.parse::<f64>().unwrap())
    })
}

fn words(node: Node) -> String {
    node.descendants().filter(Node::is_text).filter_map(|node| node.text()).collect()
}

fn with_class<'a>(picture: &'a Document, class: &str) -> Vec<Node<'a, 'a>> {
    picture.descendants().filter(|&node| classes(node).any(|own| own == class)).collect()
}

/// All texts that are seen.
fn texts(picture: &Document) -> Vec<Text> {
    let shown = picture.descendants().filter(|node| node.has_tag_name("text"));
    shown
        .map(|node| {
            let text = words(node);
            let size = match () {
                () if is_of(node, "small") => 10.0,
                () if is_of(node, "title") => 18.0,
                () => 11.6,
            };
            let width = text.width() as f64 * size * 0.61;
            let (dx, dy) = moved(node);
            let (x, y) = (number(node, "x") + dx, number(node, "y") + dy);
            let anchor = node.ancestors().find_map(|node| node.attribute("text-anchor"));
            let left = match anchor {
                Some("end") => x - width,
                Some("middle") => x - width / 2.0,
                _ => x,
            };
            Text { text, left, top: y - 0.8 * size, right: left + width, foot: y + 0.15 * size }
        })
        .collect()
}

/// What holds for every picture.
#[track_caller]
fn check(svg: &str) {
    let picture = Document::parse(svg).unwrap();
    let root = picture.root_element();
    assert_eq!(root.attribute("role"), Some("img"));
    let (width, height) = (number(root, "width"), number(root, "height"));
    let mut texts = texts(&picture);
    assert!(texts.len() > 5, "{svg}");
    for text in &texts {
        let inside =
            text.left >= 0.0 && text.right <= width && text.top >= 0.0 && text.foot <= height;
        assert!(inside, "cut off at the edge of {width} x {height}: {}", text.text);
    }
    texts.sort_by(|a, b| a.top.total_cmp(&b.top));
    for (i, text) in texts.iter().enumerate() {
        let near = texts[i + 1..].iter().take_while(|other| other.top < text.foot);
        for other in near {
            assert!(!text.overlaps(other), "{} and {}", text.text, other.text);
        }
    }
    no_strip_covers_words(&picture);
    for call in with_class(&picture, "call").into_iter().filter(|call| !is_of(*call, "legend")) {
        let seen = |node: Node| classes(node).any(|class| class == "mark" || class == "bar");
        assert!(call.descendants().any(seen), "no mark: {}", words(call));
        assert!(call.children().any(|node| node.has_tag_name("title")), "no tooltip");
    }
    for node in picture.descendants() {
        for attribute in node.attributes().filter(|attribute| attribute.name() == "href") {
            assert!(attribute.value().starts_with('#'), "another file: {attribute:?}");
        }
    }
    let without_names = svg.replace("http://www.w3.org/2000/svg", "");
    assert!(!without_names.contains("url(h") && !without_names.contains("@import"));
}

/// Where time is left out, the torn strip is drawn before the words that reach into it.
#[track_caller]
fn no_strip_covers_words(picture: &Document) {
    let strips = picture.descendants().filter(|node| node.has_tag_name("use"));
    let strips: Vec<(Node, f64)> = strips.map(|node| (node, number(node, "y"))).collect();
    for text in picture.descendants().filter(|node| node.has_tag_name("text")) {
        if !["call", "note", "words"].iter().any(|class| is_of(text, class)) {
            continue;
        }
        let y = number(text, "y");
        for (strip, at) in &strips {
            let reaches = y - 9.0 < at + 6.0 && y + 1.0 > at - 6.0;
            assert!(!reaches || *strip < text, "a strip covers {}", words(text));
        }
    }
}

/// The words beside the lifelines, from the top to the foot.
fn labels(picture: &Document) -> Vec<String> {
    let calls = picture
        .descendants()
        .filter(|node| node.has_tag_name("text") && (is_of(*node, "call") || is_of(*node, "note")));
    let mut labels: Vec<(f64, String)> = Vec::new();
    for node in calls {
        let (y, part) = (number(node, "y"), words(node));
        // The parts of a line stand from left to right: those that end at a point were written backwards.
        match labels.last_mut().filter(|(last, _)| *last == y) {
            Some((_, line)) if node.attribute("text-anchor") == Some("end") => {
                *line = format!("{part} {line}")
            }
            Some((_, line)) => *line += &format!(" {part}"),
            None => labels.push((y, part)),
        }
    }
    labels.sort_by(|a, b| a.0.total_cmp(&b.0));
    labels.into_iter().map(|(_, text)| text.trim().to_owned()).collect()
}

/// Where the line of an arrow begins and ends.
fn line(arrow: Node) -> [f64; 4] {
    let path = arrow.children().find(|node| node.has_tag_name("path")).unwrap();
    let numbers = path.attribute("d").unwrap().replace(['M', 'L'], " ");
    let numbers: Vec<f64> =
        numbers.split_whitespace().map(|number| number.parse().unwrap()).collect();
    numbers.try_into().unwrap()
}

/// The arrows of a kind, without the legend's.
fn arrows<'a>(picture: &'a Document, kind: &str) -> Vec<Node<'a, 'a>> {
    let mut arrows = with_class(picture, kind);
    arrows.retain(|node| node.has_tag_name("g") && !is_of(*node, "legend"));
    arrows
}

/// What is written on the arrows.
fn arrow_words(picture: &Document) -> Vec<String> {
    with_class(picture, "word").into_iter().map(words).collect()
}

#[test]
fn nothing_overlaps_and_nothing_is_cut_off() {
    for name in ["three_sends.jsonl", "one_lost.jsonl", "trouble.jsonl"] {
        for time in ["even", "true"] {
            check(&drawn(name, &["--time", time]));
        }
    }
    for role in ["server", "client"] {
        check(&drawn_from(&only(role, "three_sends.jsonl"), &[]));
        check(&drawn_from(&only(role, "one_lost.jsonl"), &[]));
    }
}

/// Runs the demos, and hands over their traces, with the states of the sockets.
fn for_demos(look: impl Fn(&str, &str)) {
    let folder = tempfile::tempdir().unwrap();
    for example in ["select", "udp-echo", "fork", "thread", "nonblocking", "unix-echo", "mini-ftp"]
    {
        let file = folder.path().join(example).with_extension("jsonl");
        let mut demo = netplay();
        demo.args([example, "demo", "-vv", "--trace"]).arg(&file);
        let output = common::finish(&mut demo, b"");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        look(example, &std::fs::read_to_string(&file).unwrap());
    }
}

#[test]
fn nothing_overlaps_in_the_pictures_of_the_demos() {
    for_demos(|_, trace| {
        for time in ["even", "true"] {
            check(&drawn_from(trace, &["--time", time]));
        }
    });
}

/// A trace of a server and its clients, each of which connects and sends.
fn crowd(clients: usize) -> String {
    let mut lines = String::new();
    let mut record = |at: usize, role: &str, pid: usize, rest: &str| {
        lines += &format!(
            "{{\"v\":1,\"kind\":\"call\",\"start_ns\":{},\"dur_ns\":30000,\"wall\":\"\",\"pid\":{pid},\
             \"tid\":{pid},\"role\":\"{role}\",\"example\":\"select\",{rest}}}\n",
            1_000_000 + at * 50_000,
        );
    };
    for i in 0..clients {
        let (at, pid, port) = (10 * i, 100 + i, 40_000 + i);
        let ends = format!("\"local\":\"127.0.0.1:{port}\",\"peer\":\"127.0.0.1:5000\"");
        let back = format!("\"local\":\"127.0.0.1:5000\",\"peer\":\"127.0.0.1:{port}\"");
        let socket = "\"call\":\"socket\",\"args\":\"AF_INET, SOCK_STREAM, IPPROTO_IP\",\"ret\":3";
        record(at, "client", pid, socket);
        record(at + 1, "client", pid, &format!("\"call\":\"connect\",\"fd\":3,\"ret\":0,{ends}"));
        let fd = 10 + i;
        record(at + 2, "server", 1, &format!("\"call\":\"accept\",\"fd\":3,\"ret\":{fd},{back}"));
        let five = "\"ret\":5,\"bytes\":5,\"asked\":5,\"data\":\"hello\"";
        record(at + 3, "client", pid, &format!("\"call\":\"send\",\"fd\":3,{five},{ends}"));
        record(at + 4, "server", 1, &format!("\"call\":\"recv\",\"fd\":{fd},{five},{back}"));
    }
    lines
}

#[test]
fn nothing_overlaps_with_seven_lanes_or_sixty_four() {
    for lanes in [7, 64] {
        let trace = crowd(lanes - 1);
        for time in ["even", "true"] {
            let svg = drawn_from(&trace, &["--time", time]);
            check(&svg);
            let picture = Document::parse(&svg).unwrap();
            assert_eq!(with_class(&picture, "life").len(), lanes);
            assert_eq!(arrows(&picture, "bytes").len(), lanes - 1);
        }
    }
}

/// A note and a call beside each of these lanes, long before and long after anything else.
fn notes(lanes: usize) -> String {
    let said = "a note that is long enough for three lines, each of them as wide as a note may be, up-to-here";
    let line = |at: usize, pid: usize, what: &str| {
        format!(
            "{{\"v\":1,\"start_ns\":{at},\"dur_ns\":0,\"wall\":\"\",\"pid\":{pid},\"tid\":{pid},\
             \"role\":\"client\",\"example\":\"select\",{what}}}\n"
        )
    };
    let both = |(nth, pid): (usize, usize)| {
        let at = 1_000_000 + nth * 100_000_000;
        let note = format!("\"kind\":\"note\",\"text\":\"{said}\"");
        let call = "\"kind\":\"call\",\"call\":\"close\",\"fd\":3,\"ret\":0";
        line(at, pid, &note) + &line(at + 50_000, pid, call)
    };
    (100..100 + lanes).chain([100]).enumerate().map(both).collect()
}

#[test]
fn a_note_is_whole_also_where_time_is_left_out_or_there_are_many_lanes() {
    for lanes in [1, 3, 11] {
        let svg = drawn_from(&notes(lanes), &[]);
        check(&svg);
        let picture = Document::parse(&svg).unwrap();
        let strips = picture.descendants().filter(|node| node.has_tag_name("use")).count();
        assert_eq!(strips, lanes, "time is left out between them");
        let texts = picture.descendants().filter(|node| node.has_tag_name("text"));
        let notes = texts.filter(|node| is_of(*node, "note"));
        let said = notes.map(words).collect::<Vec<_>>().join(" ");
        assert_eq!(said.matches("up-to-here").count(), lanes + 1, "{lanes} lanes: {said}");
        assert!(!said.contains('…'), "{lanes} lanes: {said}");
    }
}

#[test]
fn labels_are_cut_only_where_there_are_too_many_lanes() {
    let seven = drawn_from(&crowd(6), &[]);
    assert!(!labels(&Document::parse(&seven).unwrap()).iter().any(|label| label.contains('…')));
    let many = drawn_from(&crowd(63), &[]);
    assert!(labels(&Document::parse(&many).unwrap()).iter().any(|label| label.contains('…')));
}

#[test]
fn the_words_stand_in_the_order_of_what_happened() {
    let svg = drawn("three_sends.jsonl", &[]);
    let expected = "\
socket TCP (IPv4) → fd 3
bind(3) 127.0.0.1:5000
LISTEN
listen(3) backlog 128
accept(3)
socket TCP (IPv4) → fd 3
ESTABLISHED
connect(3) 127.0.0.1:5000 → connected
5.10 ms → fd 4, client 127.0.0.1:40000
send(3) \"one\" → 3 bytes
send(3) \"three\" → 5 bytes
send(3) \"four\" → 4 bytes
recv(4) → 12 bytes \"onethreefour\"
recv(4)
FIN_WAIT2
shutdown(3) SHUT_WR
recv(3)
CLOSE_WAIT
3.00 ms → 0: the end
close(4)
TIME_WAIT
400 µs → 0: the end
close(3)";
    assert_eq!(labels(&Document::parse(&svg).unwrap()).join("\n"), expected);
}

#[test]
fn three_sends_and_one_recv_are_three_arrows_into_one() {
    let svg = drawn("three_sends.jsonl", &[]);
    let picture = Document::parse(&svg).unwrap();
    let lines: Vec<[f64; 4]> = arrows(&picture, "bytes").into_iter().map(line).collect();
    assert_eq!(lines.len(), 3);
    assert!(lines.windows(2).all(|pair| pair[0][1] < pair[1][1]), "three beginnings: {lines:?}");
    assert!(lines.windows(2).all(|pair| pair[0][2..] == pair[1][2..]), "one end: {lines:?}");
    assert_eq!(arrow_words(&picture), ["connects", "3 bytes", "5 bytes", "4 bytes", "FIN", "FIN"]);
}

#[test]
fn a_wait_is_a_bar_between_its_two_rows_with_its_time() {
    let svg = drawn("three_sends.jsonl", &[]);
    let picture = Document::parse(&svg).unwrap();
    let bars: Vec<Node> = with_class(&picture, "bar");
    let accept = bars[0].parent_element().unwrap();
    let told = words(accept);
    assert!(told.contains(" 0.100 ms, ") && told.contains(" 5.10 ms"), "{told}");
    // From its own row over those of socket and connect, and what is left out counts two.
    assert_eq!(number(bars[0], "height"), 88.0);
    let time = accept.descendants().find(|&node| classes(node).any(|class| class == "time"));
    assert_eq!(words(time.unwrap()), "5.10 ms");
}

#[test]
fn true_heights_are_in_proportion() {
    let svg = drawn("three_sends.jsonl", &["--time", "true"]);
    let picture = Document::parse(&svg).unwrap();
    let tails: Vec<f64> = arrows(&picture, "bytes").into_iter().map(|node| line(node)[1]).collect();
    let [one, three, four] = tails[..] else { panic!("{tails:?}") };
    let [_, asked, _, accepted] = line(arrows(&picture, "connect")[0]);
    assert!(four - three > 3.0, "{tails:?}");
    assert!((four - three - (three - one)).abs() < 0.3, "100 µs each: {tails:?}");
    // The line ends where the head begins.
    assert!((accepted - asked - 2.0 * (four - three)).abs() < 9.0, "200 µs: {asked}, {accepted}");
}

#[test]
fn time_that_is_left_out_is_a_break_with_its_figure() {
    let svg = drawn("trouble.jsonl", &[]);
    let picture = Document::parse(&svg).unwrap();
    let figures: Vec<String> = with_class(&picture, "cut").into_iter().map(words).collect();
    assert_eq!(figures, ["3.199 s"]);
    assert_eq!(picture.descendants().filter(|node| node.has_tag_name("use")).count(), 1);
}

#[test]
fn a_lost_datagram_ends_in_the_air() {
    let svg = drawn("one_lost.jsonl", &[]);
    let picture = Document::parse(&svg).unwrap();
    let datagrams = arrows(&picture, "datagram");
    let is_lost = |node: &&Node| node.children().any(|node| classes(node).any(|own| own == "lost"));
    let [lost, found] = datagrams[..] else { panic!("{datagrams:?}") };
    assert!(is_lost(&&lost) && !is_lost(&&found));
    let length = |node: Node| (line(node)[0] - line(node)[2]).abs();
    assert!(length(lost) < length(found) / 2.0);
    assert_eq!(arrow_words(&picture), ["4 bytes: never received", "5 bytes"]);
}

#[test]
fn a_side_without_a_trace_says_so() {
    let svg = drawn_from(&only("server", "three_sends.jsonl"), &[]);
    let picture = Document::parse(&svg).unwrap();
    let outside = with_class(&picture, "outside");
    assert_eq!(outside.len(), 1);
    crate::common::Said::on("draw_one_side").add("svg", &words(outside[0]));
    let level = |node| line(node)[1] == line(node)[3];
    assert!(arrows(&picture, "bytes").into_iter().all(level), "the other side's time is unknown");
}

#[test]
fn a_long_name_is_whole_where_there_is_room_and_is_cut_where_there_is_none() {
    let named = |name: &str, lines: &str| {
        lines.replace("\"role\": \"server\"", &format!("\"role\": \"{name}\""))
    };
    let name = "a proxy between two networks";
    let svg = drawn_from(&named(name, &trace("three_sends.jsonl")), &[]);
    check(&svg);
    assert!(svg.contains(&format!(">{name}</text>")), "it is cut");
    let endless = "a name without an end ".repeat(20);
    for lines in [only("server", "three_sends.jsonl"), trace("three_sends.jsonl")] {
        check(&drawn_from(&named(&endless, &lines), &[]));
    }
    // One lane alone has no neighbour that bounds it.
    let socket = lines_of("three_sends.jsonl", 1);
    check(&drawn_from(&named(&endless, &socket), &[]));
}

/// The first lines of a trace.
fn lines_of(name: &str, count: usize) -> String {
    trace(name).split_inclusive('\n').take(count).collect()
}

#[test]
fn only_the_line_of_an_arrow_is_dashed() {
    let svg = drawn("one_lost.jsonl", &[]);
    let picture = Document::parse(&svg).unwrap();
    for arrow in with_class(&picture, "datagram") {
        assert_eq!(arrow.attribute("stroke-dasharray"), None, "not every program ends it again");
        let paths: Vec<Node> = arrow.children().filter(|node| node.has_tag_name("path")).collect();
        let dashed: Vec<bool> =
            paths.iter().map(|path| path.has_attribute("stroke-dasharray")).collect();
        assert_eq!(dashed, [true, false], "the line, and its head or the cross");
    }
}

#[test]
fn spaces_that_were_sent_are_kept_by_the_text_itself() {
    let trace = trace("three_sends.jsonl").replace("onethreefour", "one   four  ");
    let svg = drawn_from(&trace, &[]);
    let picture = Document::parse(&svg).unwrap();
    let spaced: Vec<Node> = picture
        .descendants()
        .filter(|node| node.has_tag_name("text"))
        .filter(|&node| words(node).contains("  "))
        .collect();
    assert!(!spaced.is_empty());
    for text in spaced {
        let space = text.attribute(("http://www.w3.org/XML/1998/namespace", "space"));
        assert_eq!(space, Some("preserve"), "{}", words(text));
    }
}

#[test]
fn a_failure_has_a_shape_of_its_own() {
    let svg = drawn("trouble.jsonl", &[]);
    let picture = Document::parse(&svg).unwrap();
    let marks = |class: &str| -> Vec<String> {
        let calls = with_class(&picture, class).into_iter().filter(|call| !is_of(*call, "legend"));
        let marks = calls.flat_map(|call| {
            call.children().filter(|&node| classes(node).any(|own| own == "mark"))
        });
        marks.map(|mark| mark.tag_name().name().to_owned()).collect()
    };
    assert_eq!(marks("failed"), ["path", "path"]);
    assert!(marks("call").iter().any(|mark| mark == "circle"));
    let refused = with_class(&picture, "failed")[0];
    assert!(words(refused).contains("ECONNREFUSED (Connection refused)"), "{}", words(refused));
}

#[test]
fn calls_that_found_nothing_are_one_bar_with_their_count() {
    let svg = drawn("trouble.jsonl", &[]);
    let picture = Document::parse(&svg).unwrap();
    let runs: Vec<Node> =
        with_class(&picture, "again").into_iter().filter(|bar| !is_of(*bar, "legend")).collect();
    assert_eq!(runs.len(), 1);
    assert!(
        labels(&picture).contains(&"44.0 µs → EAGAIN × 5".to_owned()),
        "{:?}",
        labels(&picture)
    );
}

#[test]
fn what_a_peer_sends_stays_text() {
    let svg = drawn("trouble.jsonl", &[]);
    let picture = Document::parse(&svg).unwrap();
    assert!(
        !picture.descendants().any(|node| node.has_tag_name("script") || node.has_tag_name("b"))
    );
    assert!(labels(&picture).iter().any(|label| label.contains("<script>alert")));
    assert!(labels(&picture).iter().any(|label| label.contains("你好，世界")));
}

#[test]
fn the_legend_explains_what_occurs_and_nothing_else() {
    let legend = |svg: &str| {
        let picture = Document::parse(svg).unwrap();
        words(with_class(&picture, "legend")[0])
    };
    let (stream, trouble) = (drawn("three_sends.jsonl", &[]), drawn("trouble.jsonl", &[]));
    for (words, in_stream, in_trouble) in [
        ("a call, as long as it lasted", true, true),
        ("the state of TCP", true, false),
        ("the end of a stream", true, false),
        ("a call that failed", false, true),
        ("a note", false, true),
        ("EAGAIN", false, true),
        ("is reset", false, true),
        ("never received", false, true),
        ("a datagram", false, false),
        ("not observed", false, false),
    ] {
        assert_eq!(legend(&stream).contains(words), in_stream, "{words}");
        assert_eq!(legend(&trouble).contains(words), in_trouble, "{words}");
    }
}

#[test]
fn no_demo_loses_anything() {
    for_demos(|example, trace| {
        let svg = drawn_from(trace, &[]);
        let words = arrow_words(&Document::parse(&svg).unwrap());
        assert!(!words.iter().any(|word| word.contains("never")), "{example}: {words:?}");
    });
}

#[test]
fn a_sender_bound_to_any_address_is_known_by_its_port() {
    let (here, any) = ("\"local\": \"127.0.0.1:40000\"", "\"local\": \"0.0.0.0:40000\"");
    let text = trace("one_lost.jsonl");
    assert!(text.contains(here));
    let svg = drawn_from(&text.replace(here, any), &[]);
    let picture = Document::parse(&svg).unwrap();
    assert_eq!(arrow_words(&picture), ["4 bytes: never received", "5 bytes"]);
}

#[test]
fn a_wait_is_a_bar_even_if_nothing_was_seen_meanwhile() {
    let svg = drawn_from(&only("server", "three_sends.jsonl"), &[]);
    let picture = Document::parse(&svg).unwrap();
    let mut bars = with_class(&picture, "bar");
    bars.retain(|bar| !is_of(*bar, "legend"));
    assert_eq!(bars.len(), 2, "accept, and the recv that returned 0");
}
