//! Names: files and folders, bytes that are no text, and no way out of the root.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::site::Site;
use crate::common::{connect, names_in, until};

#[test]
fn names_and_folders_can_be_changed() {
    let site = Site::new(&[]);
    let mut ftp = site.client();
    assert!(ftp.ask("MKD a", 257).contains("\"/a\""));
    assert!(ftp.ask("XMKD /a/b \"c\"", 257).contains("\"/a/b \"\"c\"\"\""));
    ftp.ask("MKD a", 550);
    ftp.ask("CWD a/b \"c\"", 250);
    assert!(ftp.ask("PWD", 257).contains("\"/a/b \"\"c\"\"\""));
    ftp.store("STOR one", "1");
    ftp.ask("RNFR one", 350);
    ftp.ask("RNTO ../two", 250);
    ftp.ask("RNTO three", 503);
    ftp.ask("RNFR two", 550);
    ftp.ask("CDUP", 250);
    assert_eq!(site.read("a/two"), b"1");
    ftp.ask("RMD /a", 550);
    ftp.ask("DELE two", 250);
    ftp.ask("XRMD b \"c\"", 250);
    ftp.ask("XCUP", 250);
    ftp.ask("RMD a", 250);
    assert!(site.names().is_empty());
    ftp.ask("RMD /", 550);
    ftp.ask("DELE /", 550);
}

#[test]
fn a_rename_is_two_commands_right_behind_each_other() {
    let site = Site::new(&[]);
    site.write("a", "");
    let mut ftp = site.client();
    ftp.ask("RNFR a", 350);
    ftp.ask("NOOP", 200);
    ftp.ask("RNTO b", 503);
    assert_eq!(site.names(), ["a"]);
}

#[test]
fn stou_tells_the_name_it_chose() {
    let site = Site::new(&[]);
    let mut ftp = site.client();
    let mut data = connect(ftp.passive());
    let name = ftp.ask("STOU", 150).trim_end().strip_prefix("150 FILE: ").unwrap().to_owned();
    data.write_all(b"unique").unwrap();
    drop(data);
    ftp.expect(226);
    assert_eq!(site.read(&name), b"unique");
}

#[test]
fn nothing_outside_the_root_is_reached() {
    let site = Site::new(&[]);
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "12345").unwrap();
    fs::create_dir(outside.path().join("folder")).unwrap();
    let there = outside.path().to_str().unwrap();
    symlink(there, site.path("link")).unwrap();
    symlink(outside.path().join("secret"), site.path("file")).unwrap();
    symlink("../../../../../../../../", site.path("up")).unwrap();
    symlink("/proc/self/root", site.path("magic")).unwrap();
    let name = outside.path().file_name().unwrap().to_str().unwrap();
    let mut ftp = site.client();
    for path in [
        format!("{there}/secret"),
        "link/secret".into(),
        "link/../link/secret".into(),
        "file".into(),
        format!("../{name}/secret"),
        format!("../../../../../..{there}/secret"),
        format!("up{there}/secret"),
        format!("magic{there}/secret"),
        format!("/..{there}/secret"),
    ] {
        for verb in [
            "RETR",
            "SIZE",
            "MDTM",
            "MLST",
            "STAT",
            "CWD",
            "LIST",
            "NLST",
            "MLSD",
            "MFMT 20200101000000",
        ] {
            ftp.ask(&format!("{verb} {path}"), 550);
        }
    }
    for path in ["link/folder", "link/new", "up/tmp/netplay-new", "magic/tmp/netplay-new"] {
        for verb in ["MKD", "RMD", "DELE", "STOR", "APPE", "RNFR"] {
            ftp.ask(&format!("{verb} {path}"), 550);
        }
    }
    site.write("mine", "");
    ftp.ask("RNFR mine", 350);
    ftp.ask("RNTO link/mine", 550);
    assert_eq!(names_in(outside.path()), ["folder", "secret"]);
    // The links are only names: listings do not tell where they lead.
    let listing = ftp.list("LIST").join("\n");
    assert!(!listing.contains(name) && !listing.contains("->"), "{listing}");
    assert_eq!(ftp.list("NLST"), ["mine"]);
    // A link that leads outside can be replaced and removed: the link, not what it leads to.
    ftp.store("STOR file", "mine");
    ftp.ask("DELE link", 250);
    assert_eq!(fs::read(outside.path().join("secret")).unwrap(), b"12345");
    assert_eq!(site.read("file"), b"mine");
}

#[test]
fn links_inside_the_root_work() {
    let site = Site::new(&[]);
    fs::create_dir(site.path("d")).unwrap();
    site.write("d/a", "hello");
    symlink("d", site.path("link")).unwrap();
    symlink("../d/a", site.path("d/again")).unwrap();
    let mut ftp = site.client();
    assert_eq!(ftp.fetch("RETR link/again"), b"hello");
    ftp.store("STOR link/b", "new");
    assert_eq!(site.read("d/b"), b"new");
}

#[test]
fn a_link_swapped_in_between_leads_nowhere() {
    let site = Site::new(&[]);
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("a"), "secret").unwrap();
    for folder in ["real", "away"] {
        fs::create_dir(site.path(folder)).unwrap();
    }
    site.write("real/a", "public");
    symlink(outside.path(), site.path("evil")).unwrap();
    let over = &AtomicBool::new(false);
    let path = |name| site.root.path().join(name);
    let [real, away, evil] = ["real", "away/real", "evil"].map(path);
    thread::scope(|scope| {
        scope.spawn(move || {
            // real is now the folder, now a link to the outside.
            while !over.load(Ordering::Relaxed) {
                for (from, to) in [(&real, &away), (&evil, &real), (&real, &evil), (&away, &real)] {
                    fs::rename(from, to).unwrap();
                }
            }
        });
        let _over = Over(over); // also if an assertion fails: the scope waits for the thread
        let mut ftp = site.client();
        // Both answers, many times: who runs when is the scheduler's choice.
        let (mut served, mut refused) = (0, 0);
        until("the folder was there often, and often not", || {
            let address = ftp.passive();
            if ftp.try_to("MDTM real/a").starts_with("550") {
                refused += 1;
                return false;
            }
            let mut data = connect(address);
            if ftp.try_to("RETR real/a").starts_with("150") {
                let mut text = String::new();
                data.read_to_string(&mut text).unwrap();
                ftp.expect(226);
                assert_eq!(text, "public");
                served += 1;
            }
            served >= 30 && refused >= 30
        });
    });
}

/// Says that it is over when it ends, however it ends.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn fifos_and_devices_are_refused_and_nobody_hangs() {
    let site = Site::new(&[]);
    nix::unistd::mkfifo(&site.path("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(site.path("socket")).unwrap();
    let mut ftp = site.client();
    for name in ["fifo", "socket"] {
        for verb in ["RETR", "STOR", "APPE", "SIZE", "MDTM", "MLST", "CWD"] {
            ftp.ask(&format!("{verb} {name}"), 550);
        }
    }
    assert_eq!(ftp.list("LIST").len(), 2);
    assert!(ftp.list("NLST").is_empty());
}

#[test]
fn a_newline_in_a_name_forges_no_line() {
    let site = Site::new(&[]);
    site.write("a\r\ntype=file;size=1; forged", "");
    site.write("b\n-rw-r--r-- 1 ftp ftp 1 Jan 1 1970 forged", "");
    let mut ftp = site.client();
    let long = ftp.list("LIST");
    assert_eq!(long.len(), 2, "{long:?}");
    assert!(long.iter().all(|line| line.starts_with("-rw-") && line.contains('?')), "{long:?}");
    assert!(ftp.list("NLST").is_empty());
    assert!(ftp.list("MLSD").is_empty());
    assert_eq!(ftp.ask("STAT .", 213).lines().count(), 4);
    ftp.send("MKD x\0y\r\n");
    ftp.expect(501);
    ftp.send("STOR a\rb\r\n");
    ftp.expect(501);
}

/// Names as a client in China, one in Russia and one who mistyped have made them; of the byte 255, Telnet
/// wants two.
#[test]
fn a_name_is_bytes() {
    let site = Site::new(&[]);
    for name in [
        &b"\xd6\xd0\xce\xc4.txt"[..],
        b"\xed\xec\xff",
        b"\xff\xff\xfd",
        b"\xff",
        b"a\tb\x1b[2J\x7f\x01",
        b"\xc2\x85 \xe2\x80\xae",
        b" a \"quoted\" \\ name; ",
        b"-la",
        b"*?[x]",
        "世界".as_bytes(),
    ] {
        let wire = |name: &[u8]| {
            name.split(|&byte| byte == 255).collect::<Vec<_>>().join(&b"\xff\xff"[..])
        };
        let say = |verb: &[u8], name: &[u8]| [verb, b" ", &wire(name)].concat();
        let path = site.root.path().join(OsStr::from_bytes(name));
        let shown = name.escape_ascii();
        let mut ftp = site.client();
        let mut data = connect(ftp.passive());
        ftp.ask_bytes(&say(b"STOR", name), 150);
        data.write_all(b"hello").unwrap();
        drop(data);
        ftp.expect(226);
        assert_eq!(fs::read(&path).unwrap(), b"hello", "{shown}");
        let line = [name, b"\r\n"].concat();
        assert!(ftp.fetch_bytes(b"LIST").ends_with(&[b" ", &*line].concat()), "{shown}");
        assert_eq!(ftp.fetch_bytes(b"NLST"), line, "{shown}");
        assert!(ftp.fetch_bytes(b"MLSD").ends_with(&[b"; ", &*line].concat()), "{shown}");
        assert_eq!(ftp.fetch_bytes(&say(b"RETR", name)), b"hello", "{shown}");
        assert_eq!(ftp.ask_bytes(&say(b"SIZE", name), 213), b"213 5\r\n");
        ftp.ask_bytes(&say(b"MDTM", name), 213);
        let there = ftp.ask_bytes(&say(b"MFMT 20200102030405", name), 213);
        assert_eq!(there, [b"213 Modify=20200102030405; /", &*wire(name), b"\r\n"].concat());
        ftp.ask_bytes(&say(b"MLST", name), 250);
        let fact = [b" type=file;size=5;modify=20200102030405;", &*wire(name)].concat();
        let mut told = Vec::new();
        ftp.control.read_until(b'\n', &mut told).unwrap();
        ftp.expect(250);
        assert!(
            told.starts_with(&fact[..40])
                && told.ends_with(&[b" /", &*wire(name), b"\r\n"].concat())
        );
        ftp.ask_bytes(&say(b"RNFR", name), 350);
        ftp.ask("RNTO other", 250);
        ftp.ask("RNFR other", 350);
        ftp.ask_bytes(&say(b"RNTO", name), 250);
        ftp.ask_bytes(&say(b"DELE", name), 250);
        let quoted = |name: &[u8]| {
            let quotes = name.split(|&byte| byte == b'"').collect::<Vec<_>>().join(&b"\"\""[..]);
            [b"257 \"/", &*wire(&quotes), b"\" is "].concat()
        };
        assert!(ftp.ask_bytes(&say(b"MKD", name), 257).starts_with(&quoted(name)), "{shown}");
        ftp.ask_bytes(&say(b"CWD", name), 250);
        assert!(ftp.ask_bytes(b"PWD", 257).starts_with(&quoted(name)), "{shown}");
        ftp.ask("CDUP", 250);
        ftp.ask_bytes(&say(b"RMD", name), 250);
        assert!(site.names().is_empty());
    }
    // A client that knows nothing of Telnet says one where there should be two.
    for name in [&b"\xff \xe0\xff"[..], b"\xff\xf9\xe8\xea"] {
        fs::write(site.root.path().join(OsStr::from_bytes(name)), "ya").unwrap();
        assert_eq!(site.client().fetch_bytes(&[b"RETR ", name].concat()), b"ya");
    }
}
