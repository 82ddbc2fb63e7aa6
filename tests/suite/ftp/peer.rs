//! The servers that our client meets: ours, pyftpdlib and vsftpd.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::Command;

use super::loopbacks;
use super::tool::url;
use crate::common::{Server, have, skip};
use tempfile::TempDir;

/// A server with a folder of its own. User `ftp`, password `p`.
pub struct Peer {
    pub server: Server,
    pub root: TempDir,
    /// Whether Tab can learn from it what is a folder: MLSD is younger than some servers.
    pub mlsd: bool,
    /// Whether a name may be bytes that are no UTF-8, and control characters.
    pub any_name: bool,
    /// What it reads before each session.
    _settings: Option<TempDir>,
}

pub type Start = fn(IpAddr) -> Peer;

pub const PYFTPDLIB: &str = r#"
import sys
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer
FTPHandler.authorizer = DummyAuthorizer()
FTPHandler.authorizer.add_user("ftp", "p", sys.argv[2], perm="elradfmwMT")
server = FTPServer((sys.argv[1], 0), FTPHandler)
host, port = server.address[:2]
print("ready: tcp", f"[{host}]:{port}" if ":" in host else f"{host}:{port}", flush=True)
server.serve_forever()
"#;

/// vsftpd cannot listen on port 0, but it takes a connection that another program has accepted, as from inetd.
pub const INETD: &str = r#"
import socket, subprocess, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
listener = socket.create_server((sys.argv[1], 0), family=family)
host, port = listener.getsockname()[:2]
print("ready: tcp", f"[{host}]:{port}" if ":" in host else f"{host}:{port}", flush=True)
while True:
    with listener.accept()[0] as peer:
        subprocess.Popen(sys.argv[2:], stdin=peer, stdout=peer, stderr=peer)
"#;

impl Peer {
    pub fn ours(ip: IpAddr) -> Peer {
        let root = tempfile::tempdir().unwrap();
        let server = Server::of("ftp").at([&ip.to_string(), "0"]).args(["--user", "ftp"]);
        let server = server.args(["--password", "p", "--root"]).arg(root.path()).start();
        Peer { server, root, mlsd: true, any_name: true, _settings: None }
    }

    pub fn pyftpdlib(ip: IpAddr) -> Peer {
        let root = tempfile::tempdir().unwrap();
        let mut python = Command::new("python3");
        let server = Server::from(python.args(["-c", PYFTPDLIB, &ip.to_string()]).arg(root.path()));
        Peer { server, root, mlsd: true, any_name: false, _settings: None }
    }

    pub fn vsftpd(ip: IpAddr) -> Peer {
        let root = tempfile::tempdir().unwrap();
        // It reads only a settings file of the user who runs it; this one belongs to the owner of the source.
        let place = tempfile::tempdir().unwrap();
        let (settings, passwords) = (place.path().join("conf"), place.path().join("passwords"));
        fs::write(&settings, include_str!("../../peers/vsftpd.conf")).unwrap();
        fs::write(&passwords, "p\n").unwrap();
        let mut python = Command::new("python3");
        python.args(["-c", INETD, &ip.to_string(), "vsftpd"]).arg(settings);
        python.args(["-olisten=NO", "-olisten_ipv6=NO", "-osecure_email_list_enable=YES"]);
        python.arg(format!("-oemail_password_file={}", passwords.display()));
        let server = Server::from(python.arg(format!("-oanon_root={}", root.path().display())));
        Peer { server, root, mlsd: false, any_name: true, _settings: Some(place) }
    }

    /// Ours, pyftpdlib and vsftpd, over IPv4 and IPv6.
    pub fn all() -> Vec<Peer> {
        let pyftpdlib = Command::new("python3").args(["-c", "import pyftpdlib"]).output();
        let pyftpdlib = pyftpdlib.is_ok_and(|found| found.status.success());
        let peers: [(&str, bool, Start); 3] = [
            ("netplay", true, Peer::ours),
            ("pyftpdlib", pyftpdlib, Peer::pyftpdlib),
            ("vsftpd", have("vsftpd") && have("python3"), Peer::vsftpd),
        ];
        let mut sites = Vec::new();
        for (name, there, start) in peers {
            if there {
                sites.extend(loopbacks().map(start));
            } else {
                skip(&format!("no {name}"));
            }
        }
        sites
    }

    pub fn one() -> Peer {
        Peer::ours(Ipv4Addr::LOCALHOST.into())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub fn url(&self, path: &str) -> String {
        url(self.server.address(), path)
    }
}
