//! The control connection: commands, replies, and what is promised.

use super::site::Site;
use crate::common;

#[test]
fn only_what_is_done_is_promised() {
    let site = Site::new(&[]);
    let mut ftp = site.client();
    for (command, code) in [
        ("TYPE E", 504),
        ("TYPE A T", 504),
        ("TYPE L 7", 504),
        ("TYPE X", 501),
        ("MODE S", 200),
        ("MODE B", 504),
        ("MODE C", 504),
        ("MODE x", 501),
        ("STRU F", 200),
        ("STRU R", 504),
        ("STRU P", 504),
        ("ALLO 5", 202),
        ("ACCT x", 202),
        ("SMNT x", 502),
        ("AUTH TLS", 502),
        ("PROT P", 503),
        ("PBSZ 0", 503),
        ("CCC", 533),
        ("SITE HELP", 214),
        ("SITE EXEC ls", 504),
        ("SYST", 215),
        ("HELP", 214),
        ("NOOP", 200),
        ("OPTS UTF8 ON", 200),
        ("OPTS X", 501),
        ("FOO", 500),
        ("", 500),
        ("RETR", 501),
        ("QUIT now", 501),
        ("RETR a", 550),
    ] {
        ftp.ask(command, code);
    }
    let features = ftp.ask("FEAT", 211);
    for feature in features.lines().filter_map(|line| line.strip_prefix(' ')) {
        let verb = feature.split(' ').next().unwrap();
        if !["TVFS", "UTF8"].contains(&verb) {
            let answer = ftp.try_to(&format!("{verb} 0"));
            assert!(!answer.starts_with("500") && !answer.starts_with("502"), "{verb}: {answer}");
        }
    }
    ftp.ask("REIN", 220);
    ftp.ask("PWD", 530);
    ftp.ask("QUIT", 221);
    ftp.ended();
}

#[test]
fn commands_may_come_in_any_case_in_pieces_and_many_at_once() {
    let site = Site::new(&[]);
    let mut ftp = site.guest();
    ftp.send("user u\npAsS p\r\nPW");
    ftp.expect(331);
    ftp.expect(230);
    ftp.send("D\r\nNOOP\r\nCDUP\n");
    ftp.expect(257);
    ftp.expect(200);
    ftp.expect(250);
    ftp.send(b"\xff\xfb\x01NO\xff\xf1OP\r\n");
    ftp.expect(200);
}

#[test]
fn whatever_is_said_is_answered() {
    let site = Site::new(&["--data-wait", "0.01"]);
    site.write("a", "hello");
    let verbs = [
        "ACCT", "NOOP", "SYST", "FEAT", "OPTS", "HELP", "SITE", "STAT", "PWD", "CWD", "CDUP",
        "TYPE", "MODE", "STRU", "ALLO", "REST", "PASV", "EPSV", "PORT", "EPRT", "ABOR", "LIST",
        "NLST", "MLSD", "MLST", "SIZE", "MDTM", "RETR", "STOR", "APPE", "STOU", "RNFR", "RNTO",
        "MKD", "MFMT", "AUTH",
    ];
    let arguments = [
        "",
        " ",
        " a",
        " .",
        " ..",
        " /",
        " -la",
        " I",
        " A N",
        " 1",
        " -1",
        " 4294967296",
        " ALL",
        " MLST ;",
        " UTF8",
        " 127,0,0,1,200,200",
        " 1,2,3,4,5,6",
        " |1|127.0.0.1|2|",
        " ||||",
        " 20200101000000 a",
        " a/b/../../..//c",
        " \"",
        " %n%s",
        " ☃",
        " 2020 ☃",
    ];
    let mut ftp = site.client();
    let mut chance = 1u64; // the same every time
    for _ in 0..1500 {
        chance =
            chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let verb = verbs[(chance >> 33) as usize % verbs.len()];
        let argument = arguments[(chance >> 45) as usize % arguments.len()];
        let reply = ftp.try_to(&format!("{verb}{argument}"));
        let second = match &reply[..3] {
            "150" => ftp.reply(),
            _ => reply.clone(),
        };
        assert!(reply.as_bytes()[0].is_ascii_digit(), "{verb}{argument}: {reply:?}");
        assert!(["2", "3", "4", "5"].contains(&&second[..1]), "{verb}{argument}: {second:?}");
    }
    ftp.ask("QUIT", 221);
    assert_eq!(site.read("a"), b"hello");
}

#[test]
fn a_long_line_is_one_command_and_refused() {
    let site = Site::new(&[]);
    let mut ftp = site.guest();
    for _ in 0..64 {
        ftp.send([b'x'; 64 * 1024]);
    }
    ftp.send("\r\nNOOP\r\n");
    ftp.expect(500);
    ftp.expect(200);
}

#[test]
fn nothing_that_a_client_says_comes_back_raw() {
    let site = Site::telling(&["-v"]);
    let mut ftp = site.client();
    let nasty = b"\x1b[2J\x07\x08\0\x7f\xc2\x9b\xff\xff\x80";
    for verb in [
        "USERX", "CWD", "MKD", "RETR", "STOR", "SIZE", "OPTS", "SITE", "TYPE", "PORT", "EPRT",
        "REST", "MLST", "HELP", "\x1b",
    ] {
        let mut line = [verb.as_bytes(), b" ", nasty].concat();
        line.extend(b"\r\n");
        ftp.send(line);
        let reply = ftp.reply();
        let text = reply.replace("\r\n", "");
        assert!(!text.chars().any(char::is_control), "{verb}: {reply:?}");
        assert!(reply.starts_with('5') || reply.starts_with('2'), "{verb}: {reply:?}");
    }
    assert!(site.names().is_empty());
    ftp.ask("QUIT", 221);
    ftp.ended();
    let told = site.server.stop().stderr;
    assert!(told.contains("MLST"), "{told}");
    assert!(!told.replace('\n', "").chars().any(char::is_control), "{told:?}");
}

#[test]
fn the_demo_tells_both_connections() {
    let ended = common::run(&["ftp", "demo"], b"");
    let told = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success(), "{told}\n{}", String::from_utf8_lossy(&ended.stderr));
    for part in [
        "227 Entering Passive Mode (127,0,0,1,",
        " x 256 + ",
        "sendfile",
        "226 It is done.",
        "the same here and there",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
}
