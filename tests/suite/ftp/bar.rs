//! The bar on a terminal.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::time::{Duration, SystemTime};

use super::peer::Peer;
use super::site::content;
use super::stranger::Deed::{Leave, Usual};
use super::stranger::stranger;
use super::tool::{on_a_terminal, on_a_terminal_of_type, tool, url};
use tempfile::TempDir;

/// What can be read in the end on a screen to which all of this was written.
fn left_of(screen: &str) -> String {
    let mut lines = String::new();
    for line in screen.split('\n') {
        let (mut shown, mut column) = (Vec::new(), 0);
        for part in line.split_inclusive('\r') {
            // Clearing the line, or what is right of the cursor, which is in the first column then.
            let fresh = part.split("\x1b[2K").last().unwrap().split("\x1b[K").last().unwrap();
            if fresh.len() < part.len() {
                shown.clear();
            }
            for c in fresh.trim_end_matches('\r').chars() {
                shown.resize(shown.len().max(column + 1), ' ');
                shown[column] = c;
                column += 1;
            }
            if part.ends_with('\r') {
                column = 0;
            }
        }
        lines += String::from_iter(shown).trim_end();
        lines.push('\n');
    }
    lines
}

/// A folder here and a site, with a file `a` of 1,000,000 bytes in both.
fn two_of_a(site: Peer) -> (TempDir, Peer) {
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("a"), content(1_000_000)).unwrap();
    fs::write(site.path("a"), content(1_000_000)).unwrap();
    (here, site)
}

#[test]
fn a_bar_shows_a_transfer_on_a_terminal_and_leaves_nothing() {
    for site in Peer::all() {
        let (here, site) = two_of_a(site);
        let (host, port) = (site.server.address().ip().to_string(), site.server.port());
        let menu = ["ftp", "client", &host, &port, "--user", "ftp", "--password", "p"];
        let typed = |line| vec!["> ", line, "\r\na: ", "", "> ", "quit\r"];
        let url = site.url("a");
        let part = here.path().join("b.part");
        fs::write(&part, &content(1_000_000)[..300_000]).unwrap();
        let time = site.path("a").metadata().unwrap().modified().unwrap();
        let time = time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(time);
        File::options().write(true).open(&part).unwrap().set_modified(time).unwrap();
        for (steps, args, first) in [
            (vec![], &["ftp", "get", &url][..], " ] 0 B of 976.56 KiB"),
            (vec![], &["ftp", "get", "--ascii", &url], "-] 0 B of 976.56 KiB"),
            // 64 KiB are fetched once more.
            (
                vec![],
                &["ftp", "get", &url, "--continue", "--ascii", "-o", "b"],
                "-] 228.97 KiB of 976.56 KiB",
            ),
            (vec![], &["ftp", "put", "a", &url], " ] 0 B of 976.56 KiB"),
            (typed("download a\r"), &menu, " ] 0 B of 976.56 KiB"),
            (typed("upload a\r"), &menu, " ] 0 B of 976.56 KiB"),
            (typed("verify a\r"), &menu, " ] 0 B of 976.56 KiB"),
        ] {
            let Some((code, screen)) = on_a_terminal(here.path(), &steps, args) else { return };
            assert!(code == 0 && screen.contains(first), "{args:?}: {first}: {screen}");
            let left = left_of(&screen);
            assert!(!left.contains(" of 976.56 KiB"), "{args:?}: {left}");
            for whole in ["connect     ", "recv        ", "close       "] {
                assert!(left.contains(whole), "{args:?}: {whole}: {left}");
            }
        }
    }
}

#[test]
fn a_story_beside_a_bar_counts_the_calls_that_move_bytes() {
    let (here, site) = two_of_a(Peer::one());
    let large = content(20_000_000);
    fs::write(site.path("a"), &large).unwrap();
    let received = |told: &str| told.matches(" 65,536 bytes: ").count();
    let url = site.url("a");
    let Some((_, screen)) = on_a_terminal(here.path(), &[], &["ftp", "get", &url]) else { return };
    assert!(received(&screen) <= 3 && screen.contains("-- ... recv "), "{screen}");
    // Where a story is written to a file, each call has its line.
    let get = tool(here.path(), &["get", &url]).well("a: 20000000 bytes downloaded\n");
    assert!(received(&get.err) > 3 && !get.err.contains("-- ... recv "), "{}", get.err);
}

#[test]
fn no_bar_where_it_cannot_be_shown_or_is_not_wanted() {
    let (here, site) = two_of_a(Peer::one());
    let url = site.url("a");
    let on = |kind, args: &[&str]| on_a_terminal_of_type(kind, here.path(), &[], args);
    fs::write(here.path().join("password"), "p\n").unwrap();
    let bare = url.replace(":p@", "@");
    let Some(quiet) = on("xterm", &["ftp", "get", &bare, "-q", "--password-file", "password"])
    else {
        return;
    };
    assert_eq!(quiet, (0, "a: 1000000 bytes downloaded\r\n".to_owned()));
    let Some((code, dumb)) = on("dumb", &["ftp", "get", &url]) else { return };
    let piped = tool(here.path(), &["get", &url]).well("a: 1000000 bytes downloaded\n");
    for told in [dumb, piped.err] {
        assert!(code == 0 && told.contains("RETR"), "{told}");
        assert!(!told.contains("KiB") && !told.contains('\x1b'), "{told}");
    }
    // The bar has no colours: so it is shown without colours as well.
    let Some((_, plain)) = on("xterm", &["ftp", "get", &url, "--color", "never"]) else { return };
    assert!(plain.contains(" of 976.56 KiB") && !plain.contains("\x1b[0"), "{plain}");
}

#[test]
fn ctrl_c_takes_the_bar_along() {
    for (tells_sizes, shown) in [(true, "-] 1000 B of 976.56 KiB"), (false, "- 1000 B")] {
        let here = tempfile::tempdir().unwrap();
        // One recv brings these bytes. When the bar has them, nothing else is about to be written:
        // with Ctrl-C a terminal forgets what it has not shown yet.
        let (address, _) = stranger(&content(1_000_000), move |verb, _, session| match verb {
            "SIZE" if !tells_sizes => session.say("550 no"),
            "RETR" => {
                session.say("150 here it comes");
                let mut data = session.data();
                data.write_all(&content(1000)).unwrap();
                let _ = session.control.read(&mut [0]); // until the client has gone
                Leave
            }
            _ => Usual,
        });
        let get = ["ftp", "get", "--ascii", &url(address, "a")];
        let Some((code, screen)) = on_a_terminal(here.path(), &[shown, "\x03"], &get) else {
            return;
        };
        let left = left_of(&screen);
        assert!(code == 130 && left.ends_with("\n\n"), "{code}: {left}\n{screen}");
        assert!(!left.contains(shown) && !left.contains("^C"), "{left}");
        // 80 columns are taken for granted where the terminal does not say.
        let bar = screen.split("^C").next().unwrap().rsplit(['\r', '\n']).next().unwrap();
        let bar = bar.trim_start_matches("\x1b[2K");
        assert!(
            !bar.is_empty() && bar.chars().count() + 2 < 80,
            "^C has room behind the bar: {bar:?}"
        );
    }
}
