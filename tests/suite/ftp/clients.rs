//! Real clients.

use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use super::loopbacks;
use super::site::{Site, content};
use crate::common::{finish, have, names_in, skip};

/// Runs a client; its output, if it ends well.
#[track_caller]
fn works(command: &mut Command) -> String {
    let ended = finish(command, b"");
    let (out, err) =
        (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success(), "{command:?}: {}\n{out}\n{err}", ended.status);
    out.into_owned()
}

#[test]
fn python_ftplib_works() {
    if !have("python3") {
        return skip("no python3");
    }
    let site = Site::new(&[]);
    let script = r#"
import ftplib, io, sys
big = bytes(range(256)) * 20000
for host in "127.0.0.1", "::1":
    for passive in True, False:
        f = ftplib.FTP(timeout=20)
        assert f.connect(host, int(sys.argv[1])).startswith("220")
        f.login("u", "p")
        f.set_pasv(passive)
        f.mkd("d"); f.cwd("d"); assert f.pwd() == "/d"
        f.storbinary("STOR big", io.BytesIO(big))
        assert f.size("big") == len(big)
        got = io.BytesIO(); f.retrbinary("RETR big", got.write); assert got.getvalue() == big
        got = io.BytesIO(); f.retrbinary("RETR big", got.write, rest=1000); assert got.getvalue() == big[1000:]
        f.storlines("STOR text", io.BytesIO(b"one\ntwo\n"))
        lines = []; f.retrlines("RETR text", lines.append); assert lines == ["one", "two"]
        assert sorted(f.nlst()) == ["big", "text"], f.nlst()
        assert sorted(n for n, facts in f.mlsd() if facts["type"] == "file") == ["big", "text"]
        lines = []; f.retrlines("LIST", lines.append); assert len(lines) == 2
        f.voidcmd("TYPE I")
        conn = f.transfercmd("RETR big"); conn.recv(10)
        assert f.abort().startswith("426"); assert f.voidresp().startswith("226"); conn.close()
        assert f.voidcmd("NOOP").startswith("200")
        f.rename("big", "b"); f.delete("b"); f.delete("text"); f.cwd(".."); f.rmd("d")
        assert f.quit().startswith("221")
"#;
    works(Command::new("python3").args(["-c", script, &site.port().to_string()]));
    assert!(site.names().is_empty());
}

#[test]
fn curl_works() {
    if !have("curl") {
        return skip("no curl");
    }
    let site = Site::new(&[]);
    let here = tempfile::tempdir().unwrap();
    let bytes = content(1_000_000);
    fs::write(here.path().join("up"), &bytes).unwrap();
    for ip in loopbacks() {
        let url = format!("ftp://u:p@{}/", SocketAddr::new(ip, site.port()));
        let curl = |args: &[&str]| {
            works(
                Command::new("curl")
                    .args(["-sSg", "--max-time", "20"])
                    .args(args)
                    .current_dir(&here),
            )
        };
        for way in [&["--ftp-pasv"][..], &["--disable-epsv"], &["--ftp-port", "-"]] {
            let with = |args: &[&str]| curl(&[way, args].concat());
            with(&["-T", "up", &format!("{url}new/folder/a%20b"), "--ftp-create-dirs"]);
            assert_eq!(site.read("new/folder/a b"), bytes);
            with(&["-o", "down", &format!("{url}new/folder/a%20b")]);
            assert_eq!(fs::read(here.path().join("down")).unwrap(), bytes);
            fs::write(here.path().join("down"), &bytes[..400_000]).unwrap();
            with(&["-C", "-", "-o", "down", &format!("{url}new/folder/a%20b")]);
            assert_eq!(fs::read(here.path().join("down")).unwrap(), bytes);
            site.write("part", &bytes[..600_000]);
            with(&["-C", "-", "-T", "up", &format!("{url}part")]);
            assert_eq!(site.read("part"), bytes);
            assert!(with(&["-l", &url]).contains("part"));
            assert!(with(&[&url]).contains(" 1000000 "));
            assert!(with(&["-I", &format!("{url}part")]).contains("Content-Length: 1000000"));
            with(&[&url, "-Q", "DELE part", "-o", "/dev/null"]);
            assert!(!site.path("part").exists());
        }
    }
}

#[test]
fn lftp_works() {
    if !have("lftp") {
        return skip("no lftp");
    }
    let site = Site::new(&[]);
    let here = tempfile::tempdir().unwrap();
    let tree = here.path().join("tree");
    fs::create_dir_all(tree.join("deep/er")).unwrap();
    for i in 0..20 {
        fs::write(tree.join(format!("deep/file {i}")), content(i * 1000)).unwrap();
    }
    fs::write(tree.join("deep/er/big"), content(3_000_000)).unwrap();
    for ip in loopbacks() {
        let lftp = |script: &str| {
            let open = format!(
                "set cmd:fail-exit yes; set net:max-retries 1; set net:timeout 20; open -u u,p ftp://{}; ",
                SocketAddr::new(ip, site.port())
            );
            works(Command::new("lftp").args(["--norc", "-c", &(open + script)]).current_dir(&here))
        };
        let there = if ip.is_ipv4() { "v4" } else { "v6" };
        lftp(&format!("mirror -R -P 3 tree {there}; mirror -P 3 {there} back-{there}"));
        let back = here.path().join(format!("back-{there}"));
        works(Command::new("diff").args(["-r"]).arg(&tree).arg(&back));
        works(Command::new("diff").args(["-r"]).arg(&tree).arg(site.path(there)));
        fs::write(here.path().join("big"), &content(3_000_000)[..1_234_567]).unwrap();
        lftp(&format!("get -c {there}/deep/er/big; pget -n 4 {there}/deep/er/big -o pieces"));
        assert_eq!(fs::read(here.path().join("big")).unwrap(), content(3_000_000));
        assert_eq!(fs::read(here.path().join("pieces")).unwrap(), content(3_000_000));
        fs::remove_file(here.path().join("pieces")).unwrap();
        lftp(&format!(
            "set ftp:passive-mode no; put big -o {there}/active; ls {there}; rm -r {there}"
        ));
    }
    assert!(site.names().is_empty());
}

#[test]
fn ncftp_works() {
    if !have("ncftpget") || !have("ncftpput") || !have("ncftpls") {
        return skip("no ncftp");
    }
    let site = Site::new(&[]);
    let (here, port) = (tempfile::tempdir().unwrap(), site.port().to_string());
    let ncftp = |program: &str, args: &[&str]| {
        let mut command = Command::new(program);
        command.args(["-u", "u", "-p", "p", "-P", &port]).args(args);
        works(command.current_dir(&here).env("HOME", here.path()))
    };
    fs::create_dir_all(here.path().join("tree/deep")).unwrap();
    fs::write(here.path().join("tree/a b"), content(70_000)).unwrap();
    fs::write(here.path().join("tree/deep/x"), "x").unwrap();
    works(
        Command::new("touch")
            .args(["-d", "1965-03-04T05:06:07Z"])
            .arg(here.path().join("tree/a b")),
    );
    ncftp("ncftpput", &["-m", "-R", "127.0.0.1", "/new/folder", "tree"]);
    works(
        Command::new("diff")
            .arg("-r")
            .arg(here.path().join("tree"))
            .arg(site.path("new/folder/tree")),
    );
    let modified = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
    let there = modified(&site.path("new/folder/tree/a b"));
    assert_eq!(there, modified(&here.path().join("tree/a b")), "MFMT");
    symlink("tree/a b", site.path("new/folder/link")).unwrap();
    symlink("nowhere", site.path("new/folder/broken")).unwrap();
    let listed = ncftp("ncftpls", &["-l", "ftp://127.0.0.1/new/folder/"]);
    assert!(
        listed.contains("link -> tree/a b") && listed.contains("broken -> nowhere"),
        "{listed}"
    );
    fs::write(here.path().join("a b"), &content(70_000)[..1234]).unwrap();
    ncftp("ncftpget", &["-z", "127.0.0.1", ".", "new/folder/tree/a b", "new/folder/link"]);
    for name in ["a b", "link"] {
        assert_eq!(fs::read(here.path().join(name)).unwrap(), content(70_000), "{name}");
        assert_eq!(modified(&here.path().join(name)), there, "{name}");
    }
}

#[test]
fn busybox_works() {
    if !have("busybox") {
        return skip("no busybox");
    }
    let site = Site::new(&[]);
    let (here, port) = (tempfile::tempdir().unwrap(), site.port().to_string());
    let busybox = |applet: &str, args: &[&OsStr]| {
        let mut command = Command::new("busybox");
        command.args([applet, "-u", "u", "-p", "p", "-P", &port]);
        if applet == "ftpget" {
            command.arg("-c");
        }
        works(command.arg("127.0.0.1").args(args).current_dir(&here))
    };
    // A name of cp1251, with the byte 255 in it, said once.
    let name = OsStr::from_bytes(b"\xff\xf9\xe8\xea a");
    fs::write(here.path().join("up"), content(70_000)).unwrap();
    busybox("ftpput", &[name, OsStr::new("up")]);
    assert_eq!(fs::read(site.root.path().join(name)).unwrap(), content(70_000));
    fs::write(here.path().join("down"), &content(70_000)[..1234]).unwrap();
    busybox("ftpget", &[OsStr::new("down"), name]);
    assert_eq!(fs::read(here.path().join("down")).unwrap(), content(70_000));
}

#[test]
fn rclone_works() {
    if !have("rclone") {
        return skip("no rclone");
    }
    let site = Site::new(&[]);
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("conf"), "").unwrap();
    let obscured = works(Command::new("rclone").args(["obscure", "p"]));
    let conf = format!(
        "[there]\ntype = ftp\nhost = 127.0.0.1\nport = {}\nuser = u\npass = {obscured}\n",
        site.port()
    );
    fs::write(here.path().join("conf"), conf).unwrap();
    let rclone = |args: &[&str]| {
        let mut command = Command::new("rclone");
        command.args(["--config", "conf", "--retries", "1", "--low-level-retries", "1"]).args(args);
        works(command.current_dir(&here))
    };
    fs::create_dir_all(here.path().join("tree/deep er")).unwrap();
    fs::write(here.path().join("tree/a"), content(70_000)).unwrap();
    fs::write(here.path().join("tree/deep er/世界"), "").unwrap();
    works(
        Command::new("touch").args(["-d", "1965-03-04T05:06:07Z"]).arg(here.path().join("tree/a")),
    );
    rclone(&["sync", "tree", "there:up"]);
    let modified = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
    assert_eq!(modified(&site.path("up/a")), modified(&here.path().join("tree/a")), "MFMT");
    symlink("b", site.path("up/link")).unwrap();
    symlink("nowhere", site.path("up/broken")).unwrap();
    symlink("..", site.path("up/back")).unwrap();
    rclone(&["moveto", "there:up/a", "there:up/b"]);
    rclone(&["deletefile", "there:up/link"]);
    rclone(&["sync", "there:up", "tree"]);
    assert_eq!(names_in(&here.path().join("tree")), ["b", "deep er"]);
    assert_eq!(fs::read(here.path().join("tree/b")).unwrap(), content(70_000));
    assert_eq!(modified(&here.path().join("tree/b")), modified(&site.path("up/b")));
}

#[test]
fn wget_works() {
    if !have("wget") {
        return skip("no wget");
    }
    let site = Site::new(&[]);
    fs::create_dir_all(site.path("d/e")).unwrap();
    site.write("d/one", content(5000));
    site.write("d/e/two", content(70_000));
    let here = tempfile::tempdir().unwrap();
    for (i, ip) in loopbacks().into_iter().enumerate() {
        let url = format!("ftp://{}/d/", SocketAddr::new(ip, site.port()));
        let to = here.path().join(i.to_string());
        works(
            Command::new("wget")
                .args(["-q", "-r", "-nH", "-t", "1", "-T", "20", "--user=u", "--password=p", "-P"])
                .arg(&to)
                .arg(url),
        );
        works(Command::new("diff").arg("-r").arg(site.path("d")).arg(to.join("d")));
    }
}

#[test]
fn tnftp_works() {
    if !have("tnftp") {
        return skip("no tnftp");
    }
    let site = Site::new(&[]);
    let bytes = content(200_000);
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("up"), &bytes).unwrap();
    for ip in loopbacks() {
        for way in [&[][..], &["-A"]] {
            let script = "user u p\nmkdir d\ncd d\nput up\nrename up b\nget b down\nappend up b\nls\nsize b\n\
                          modtime b\nmget *\nmdelete z*\nascii\nput up text\nget text text\ndelete b\ndelete text\ncdup\nrmdir d\nquit\n";
            let mut tnftp = Command::new("tnftp");
            tnftp
                .args(["-n", "-i", "-v"])
                .args(way)
                .arg(ip.to_string())
                .arg(site.port().to_string());
            let ended = finish(tnftp.current_dir(&here), script.as_bytes());
            let said = String::from_utf8_lossy(&ended.stdout).into_owned();
            assert!(ended.status.success(), "{said}");
            assert_eq!(fs::read(here.path().join("down")).unwrap(), bytes, "{said}");
            assert_eq!(fs::read(here.path().join("b")).unwrap().len(), 400_000, "{said}");
            fs::remove_file(here.path().join("b")).unwrap();
            assert!(said.contains("400000") && said.contains("221 Goodbye"), "{said}");
            assert!(site.names().is_empty(), "{said}");
        }
    }
}
