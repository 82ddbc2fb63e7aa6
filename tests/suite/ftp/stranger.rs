//! A server that says what a test tells it to.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

/// What a test makes of a command.
pub enum Deed {
    /// What a good server does.
    Usual,
    /// All of it was done.
    Done,
    /// The server closes the control connection.
    Leave,
}

use Deed::{Done, Leave, Usual};

/// A session, as the server sees it.
pub struct Session {
    pub control: TcpStream,
    pub listener: Option<TcpListener>,
    pub rest: usize,
    pub file: Arc<Mutex<Vec<u8>>>,
}

impl Session {
    pub fn say(&mut self, text: &str) -> Deed {
        let _ = self.control.write_all(format!("{text}\r\n").as_bytes());
        Done
    }

    pub fn data(&mut self) -> TcpStream {
        self.listener.take().unwrap().accept().unwrap().0
    }

    /// Begins a download, and sends so much of it.
    pub fn send(&mut self, bytes: &[u8]) {
        self.say("150 here it comes");
        self.data().write_all(bytes).unwrap();
    }

    pub fn passive(&mut self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        self.listener = Some(listener);
        port
    }

    pub fn pasv(&mut self, before: &str, behind: &str) -> Deed {
        let [high, low] = self.passive().to_be_bytes();
        self.say(&format!("{before}127,0,0,1,{high},{low}{behind}"))
    }

    pub fn usual(&mut self, verb: &str) {
        let bytes = || self.file.lock().unwrap().clone();
        match verb {
            "" => self.say("220 hello"),
            "USER" => self.say("331 and?"),
            "PASS" => self.say("230 come in"),
            "FEAT" => self.say("211-these\r\n REST STREAM\r\n211 end"),
            "SIZE" => {
                let size = bytes().len();
                self.say(&format!("213 {size}"))
            }
            "MDTM" => self.say("213 20200203040506"),
            "PASV" => self.pasv("227 here (", ")"),
            "RETR" => {
                let bytes = bytes();
                self.say("150 here it comes");
                let from = std::mem::take(&mut self.rest);
                let _ = self.data().write_all(&bytes[from..]);
                self.say("226 there it is")
            }
            "STOR" | "APPE" => {
                self.say("150 go on");
                let mut bytes = Vec::new();
                let _ = self.data().read_to_end(&mut bytes);
                let mut file = self.file.lock().unwrap();
                if verb == "STOR" {
                    file.clear();
                }
                file.extend(bytes);
                drop(file);
                self.say("226 I have it")
            }
            "QUIT" => self.say("221 bye"),
            "MLST" => self.say("502 not here"),
            "RNFR" => self.say("350 and now?"),
            _ => self.say("200 so be it"),
        };
    }
}

/// A server with one file, for any number of sessions. `does` is asked first; the greeting is the verb "".
pub fn stranger(
    file: &[u8],
    does: impl Fn(&str, &[u8], &mut Session) -> Deed + Send + Sync + 'static,
) -> (SocketAddr, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let file = Arc::new(Mutex::new(file.to_vec()));
    let (held, does) = (file.clone(), Arc::new(does));
    thread::spawn(move || {
        while let Ok((control, _)) = listener.accept() {
            let (file, does) = (held.clone(), does.clone());
            thread::spawn(move || {
                let mut lines = BufReader::new(control.try_clone().unwrap());
                let mut session = Session { control, listener: None, rest: 0, file };
                let mut line = Vec::new();
                loop {
                    let text = line.strip_suffix(b"\r\n").unwrap_or(&line);
                    let at = text.iter().position(|&byte| byte == b' ').unwrap_or(text.len());
                    let verb = String::from_utf8_lossy(&text[..at]).into_owned();
                    let name = text.get(at + 1..).unwrap_or_default();
                    match does(&verb, name, &mut session) {
                        Usual if verb == "REST" => {
                            session.rest = String::from_utf8_lossy(name).parse().unwrap();
                            session.say("350 from there");
                        }
                        Usual => session.usual(&verb),
                        Done => {}
                        Leave => return,
                    }
                    line.clear();
                    if lines.read_until(b'\n', &mut line).unwrap_or(0) == 0 {
                        return;
                    }
                }
            });
        }
    });
    (address, file)
}

pub const GOT: &str = "f: 5 bytes downloaded\n";

/// A server with the files of a folder that ends a session, without a word, after so many bytes of a
/// transfer: as if the network was gone. Uploads leave the part that came. A file that is not so long
/// arrives, and is longer then.
pub fn cutter(root: &Path, after: u64) -> SocketAddr {
    let root = root.to_owned();
    let cut = move |verb: &str, name: &[u8], session: &mut Session| {
        let path = root.join(OsStr::from_bytes(name));
        match verb {
            "SIZE" if path.exists() => {
                session.say(&format!("213 {}", path.metadata().unwrap().len()))
            }
            "MDTM" if path.exists() => session.say(&format!("213 {}", mdtm(&path))),
            "SIZE" | "MDTM" => session.say("550 no"),
            "RETR" => {
                session.say("150 here it comes");
                let mut bytes = File::open(&path).unwrap().take(after);
                if io::copy(&mut bytes, &mut session.data()).unwrap() == after {
                    return Leave;
                }
                File::options().append(true).open(path).unwrap().write_all(b"more").unwrap();
                session.say("226 there it is")
            }
            "STOR" => {
                session.say("150 here it comes");
                let mut file = File::create(path).unwrap();
                io::copy(&mut session.data().take(after), &mut file).unwrap();
                Leave
            }
            _ => Usual,
        }
    };
    stranger(b"", cut).0
}

fn mdtm(path: &Path) -> String {
    let time = path.metadata().unwrap().modified().unwrap();
    chrono::DateTime::<chrono::Utc>::from(time).format("%Y%m%d%H%M%S").to_string()
}
