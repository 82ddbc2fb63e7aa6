//! Listings: facts, times, patterns and links.

use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::time::Duration;

use super::site::Site;

#[test]
fn facts_can_be_chosen() {
    let site = Site::new(&[]);
    site.write("a", "12345");
    fs::create_dir(site.path("d")).unwrap();
    let mut ftp = site.client();
    ftp.ask("MFMT 20200102030405 a", 213);
    assert_eq!(ftp.ask("MDTM a", 213), "213 20200102030405\r\n");
    assert!(ftp.ask("MLST a", 250).contains(" type=file;size=5;modify=20200102030405;perm=adfrw;"));
    assert!(ftp.ask("OPTS MLST size;type;nonsense;", 200).contains("MLST OPTS type;size;"));
    assert!(ftp.ask("FEAT", 211).contains("MLST type*;size*;modify;perm;"));
    let mut lines = ftp.list("MLSD");
    lines.sort();
    assert_eq!(lines, ["type=dir; d", "type=file;size=5; a"]);
    ftp.ask("MLSD a", 501);
    assert!(ftp.ask("OPTS MLST", 200).contains("MLST OPTS \r\n"));
    assert!(ftp.ask("MLST d", 250).contains("\r\n  /d\r\n"));
    ftp.ask("MFMT 2020 a", 501);
}

/// The kernel puts the nearest time that the disk can hold in the place of one that it cannot.
#[test]
fn mfmt_answers_the_time_that_is_there() {
    let site = Site::new(&[]);
    site.write("a", "");
    let mut ftp = site.client();
    for (time, told) in [
        ("20200102030405", "20200102030405"),
        ("20200102030405.678", "20200102030405"),
        ("20161231235960", "20161231235959"), // a leap second
        ("20380119031408", "20380119031408"),
        ("00010101000000", "00010101000000"),
        ("99991231235959", "99991231235959"),
    ] {
        let before = ftp.ask("MDTM a", 213);
        let answer = ftp.try_to(&format!("MFMT {time} a"));
        let there = ftp.ask("MDTM a", 213);
        if answer.starts_with("550 ") {
            assert_eq!(there, before, "{time}: what is refused changes nothing");
            assert!(time.starts_with("0001") || time.starts_with("9999"), "{time}");
        } else {
            assert_eq!(answer, format!("213 Modify={told}; /a\r\n"));
            assert_eq!(there, format!("213 {told}\r\n"));
        }
    }
}

#[test]
fn options_before_a_path_are_no_path() {
    let site = Site::new(&[]);
    fs::create_dir(site.path("d")).unwrap();
    site.write("d/x y", "1");
    let mut ftp = site.client();
    assert!(ftp.list("LIST -la d")[0].ends_with(" x y"));
    assert!(ftp.list("LIST -l -a")[0].ends_with(" d"));
    assert_eq!(ftp.list("NLST d"), ["d/x y"]);
    assert_eq!(ftp.list("NLST d/x y"), ["d/x y"]);
    ftp.ask("CWD d", 250);
    assert_eq!(ftp.list("NLST"), ["x y"]);
    let told = ftp.ask("STAT x y", 213);
    assert!(told.contains("1 ftp      ftp ") && told.contains(" x y\r\n"), "{told}");
}

#[test]
fn a_pattern_lists_the_names_that_are_like_it() {
    let site = Site::new(&[]);
    fs::create_dir(site.path("d")).unwrap();
    for name in ["d/a.txt", "d/b.txt", "d/c.md", "d/.d.txt", "b*d", "bad"] {
        site.write(name, "");
    }
    let mut ftp = site.client();
    let mut names = ftp.list("NLST d/*.txt");
    names.sort();
    assert_eq!(names, ["d/a.txt", "d/b.txt"]);
    assert!(ftp.list("LIST -l d/c.??")[0].ends_with(" c.md"));
    assert_eq!(ftp.list("NLST b*d"), ["b*d"]); // there is a file of this very name
    assert!(ftp.list("NLST *.none").is_empty());
    ftp.ask("NLST nowhere/*", 550);
    ftp.ask("NLST d/../../../*/..", 425); // a folder, and nothing was said of a data connection
}

/// strace makes the second getdents64 of each thread fail: in the middle of a listing.
#[test]
fn a_listing_that_the_disk_cuts_does_not_look_whole() {
    let failing = ["-e", "trace=getdents64", "-e", "inject=getdents64:error=EIO:when=2"];
    let Some(site) = Site::under_strace(&failing) else { return };
    for n in 0..2000 {
        site.write(&format!("more than the kernel tells of at once {n}"), "");
    }
    for verb in ["LIST", "NLST", "MLSD", "NLST *"] {
        let mut ftp = site.client();
        let mut data = ftp.begin(verb);
        assert!(data.read_to_end(&mut Vec::new()).is_err(), "{verb}: a reset ends it");
        ftp.expect(451);
        assert_eq!(ftp.list(verb).len(), 2000, "the next one is whole");
    }
    site.client().ask("STAT /", 451);
}

/// A line that begins with l and has no target makes many a program give up the whole folder.
#[test]
fn a_link_is_listed_with_its_target_or_not_at_all() {
    let site = Site::new(&[]);
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir_all(site.path("d/e")).unwrap();
    site.write("d/a", "hello");
    for (to, name) in [
        ("a", "d/inside"),
        ("../d/e", "d/folder"),
        ("nowhere", "d/broken"),
        ("loop", "d/loop"),
        (".", "d/dot"),
        ("..", "d/e/up"),
        ("../../..", "d/e/out"),
        ("/etc/hostname", "d/absolute"),
        ("e/out/etc", "d/roundabout"),
        ("a\nb", "d/odd"),
    ] {
        symlink(to, site.path(name)).unwrap();
    }
    symlink(outside.path(), site.path("d/away")).unwrap();
    let mut ftp = site.client();
    let mut links: Vec<String> = ftp
        .list("LIST d")
        .into_iter()
        .filter(|line| line.starts_with('l'))
        .map(|line| line.split_whitespace().skip(8).collect::<Vec<_>>().join(" "))
        .collect();
    links.sort();
    assert_eq!(
        links,
        ["broken -> nowhere", "dot -> .", "folder -> ../d/e", "inside -> a", "loop -> loop"]
    );
    let all = ftp.list("LIST d").len() + ftp.list("LIST d/e").len();
    assert_eq!(all, 5 + 2 + 1, "beside them a, e, and the way up");
    // What is no link to them: which leads to a file or folder, and not back up for ever.
    let mut names = ftp.list("NLST d");
    names.sort();
    assert_eq!(names, ["d/a", "d/e", "d/folder", "d/inside"]);
    let mut facts = ftp.list("MLSD d");
    facts.retain(|line| line.starts_with("type=file;size=5;"));
    assert_eq!(facts.len(), 2, "a, and the link to it");
    assert!(ftp.list("NLST d/e").is_empty());
    assert_eq!(ftp.fetch("RETR d/dot/dot/inside"), b"hello");
}

#[test]
fn every_time_that_the_disk_holds_is_told() {
    let site = Site::new(&[]);
    let mut ftp = site.client();
    let folder = fs::create_dir(site.path("folder")).map(|()| "folder").unwrap();
    site.write("file", "");
    for name in ["file", folder] {
        for (time, told) in [
            ("19020101000000", "Jan  1  1902"),
            ("19691231235959", "Dec 31  1969"),
            ("19700101000000", "Jan  1  1970"),
            ("20380119031408", "Jan 19  2038"),
            ("21060207062816", "Feb  7  2106"),
        ] {
            let set = ftp.try_to(&format!("MFMT {time} {name}"));
            if time > "20380119031407" && set.starts_with("550 ") {
                continue; // 32 bits of seconds
            }
            assert!(set.starts_with("213 "), "{set}");
            assert_eq!(ftp.ask(&format!("MDTM {name}"), 213), format!("213 {time}\r\n"));
            let listed = ftp.list("LIST");
            assert!(
                listed.iter().any(|line| line.ends_with(&format!(" {told} {name}"))),
                "{listed:?}"
            );
            let facts = ftp.list("MLSD");
            let fact = format!("modify={time};");
            assert!(facts.iter().any(|line| line.contains(&fact)), "{facts:?}");
        }
    }
    // Some disks hold more than a stamp of 14 digits can say.
    let later = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(300_000_000_000);
    let file = fs::File::open(site.path("file")).unwrap();
    if file.set_modified(later).is_ok() && file.metadata().unwrap().modified().unwrap() == later {
        ftp.ask("MDTM file", 550);
        let listed = ftp.list("LIST");
        assert!(listed.iter().any(|line| line.ends_with("  11476 file")), "{listed:?}");
        assert!(!ftp.ask("MLST file", 250).contains("modify"));
    }
}
