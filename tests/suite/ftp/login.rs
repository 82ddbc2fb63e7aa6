//! The door: who is let in, and those who guess.

use std::fs;
use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::site::{Ftp, Site, connect_from, threads};
use crate::common::{Said, Server, connect, until};
use socket2::{Domain, Socket, Type};

#[test]
fn nothing_opens_before_the_login() {
    let site = Site::new(&[]);
    let mut ftp = site.guest();
    for command in [
        "PASV",
        "EPSV",
        "PORT 127,0,0,1,156,64",
        "EPRT |1|127.0.0.1|40000|",
        "LIST",
        "NLST",
        "MLSD",
        "MLST",
        "RETR a",
        "STOR a",
        "APPE a",
        "STOU",
        "SIZE a",
        "MDTM a",
        "MFMT 20200101000000 a",
        "DELE a",
        "MKD a",
        "RMD a",
        "RNFR a",
        "RNTO a",
        "CWD a",
        "PWD",
        "STAT",
        "SITE HELP",
        "REST 1",
    ] {
        ftp.ask(command, 530);
    }
    ftp.ask("PASS p", 503);
}

#[test]
fn an_unknown_user_and_a_wrong_password_are_answered_alike_and_slowly() {
    let site = Site::new(&[]);
    let mut ftp = site.guest();
    let start = Instant::now();
    let known = (ftp.ask("USER u", 331), ftp.ask("PASS wrong", 530));
    let unknown = (ftp.ask("USER nobody", 331), ftp.ask("PASS p", 530));
    assert_eq!(known, unknown);
    assert!(start.elapsed() >= Duration::from_secs(1 + 2), "{:?}", start.elapsed());
    ftp.ask("USER anonymous", 331);
    ftp.ask("PASS guest@", 421);
    ftp.ended();
}

/// How many passwords were wrong: nothing else is remarked of a client.
fn wrong(site: &Site) -> usize {
    site.server.stderr().matches(" -- client ").count()
}

/// Says a wrong password, and does not wait for the answer.
fn guess(ftp: &mut Ftp) {
    ftp.ask("USER u", 331);
    ftp.send("PASS wrong\r\n");
}

#[test]
fn passwords_beside_a_guesser_are_compared_one_after_the_other() {
    let site = Site::telling(&[]);
    let guest = || Ftp::over(connect(site.server.address()));
    let mut guesser = guest();
    guess(&mut guesser);
    until("it was wrong", || wrong(&site) == 1);
    let story = site.server.stderr();
    let line = story.split(" -- client ").nth(1).unwrap().lines().next().unwrap();
    Said::on("ftp_wrong_password").add("PASS wrong", line);
    let mut guests: Vec<Ftp> = (0..50).map(|_| guest()).collect();
    guests.iter_mut().for_each(|ftp| drop(ftp.ask("USER u", 331)));
    let start = Instant::now();
    guests.iter_mut().for_each(|ftp| ftp.send("PASS wrong\r\n"));
    until("all were wrong", || wrong(&site) == 51);
    // Each 20 ms behind the one before it; they themselves wait for up to half a minute.
    assert!(start.elapsed() >= Duration::from_millis(49 * 20), "{:?}", start.elapsed());
    site.client().ask("PWD", 257);
}

#[test]
fn guessers_are_slowed_down_and_who_knows_the_password_is_not() {
    let site = Site::new(&["--anonymous"]);
    let start = Instant::now();
    // Over three sessions, and answered as over one: after 1, 3 and 6 seconds.
    let mut guests: Vec<Ftp> = (0..3).map(|_| site.guest()).collect();
    let guessers: Vec<_> = guests
        .drain(..)
        .map(|mut ftp| {
            ftp.ask("USER u", 331);
            ftp.send("PASS wrong\r\n");
            std::thread::spawn(move || {
                ftp.expect(530);
                (start.elapsed(), ftp)
            })
        })
        .collect();
    // From the same host, at the same time.
    site.client().ask("PWD", 257);
    let mut anybody = site.guest();
    anybody.ask("USER anonymous", 331);
    anybody.ask("PASS me@", 230);
    let elsewhere = connect_from([127, 0, 0, 2], site.server.address());
    Ftp::over(elsewhere).logged_in().ask("PWD", 257);
    site.client_v6().ask("PWD", 257);
    let heard = start.elapsed();
    let mut answers: Vec<_> = guessers.into_iter().map(|guesser| guesser.join().unwrap()).collect();
    answers.sort_by_key(|(after, _)| *after);
    let last = answers.last().unwrap().0;
    assert!(heard < last, "{heard:?}, {last:?}");
    for ((after, _), at_least) in answers.iter().zip([1, 3, 6]) {
        assert!(*after >= Duration::from_secs(at_least), "{after:?} < {at_least} s");
    }
    // One that was wrong and then knows it is let in at once: no answer to a wrong one is so quick.
    let (_, mut ftp) = answers.pop().unwrap();
    ftp.ask("USER u", 331);
    ftp.ask("PASS p", 230);
}

/// Ends them, even if the test fails.
struct Guesses<'a>(&'a AtomicBool);

impl Drop for Guesses<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_hundred_guessers_without_a_pause_do_not_keep_out_the_password() {
    let site = Site::new(&["--max-clients", "4"]);
    let address = site.server.address();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for n in 0..100 {
            let over = &over;
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let Ok(mut stream) = TcpStream::connect(address) else { continue };
                    let _ = stream.write_all(b"USER u\r\nPASS wrong\r\n");
                    // Some leave at once, some take a short silence for an answer, some wait.
                    let patience = [1, 100, 1000][n % 3];
                    let _ = stream.set_read_timeout(Some(Duration::from_millis(patience)));
                    let _ = io::copy(&mut stream, &mut io::sink());
                }
            });
        }
        let guesses = Guesses(&over);
        for _ in 0..10 {
            let mut ftp = Ftp::new(address).logged_in();
            ftp.ask("QUIT", 221);
            ftp.ended();
        }
        drop(guesses);
    });
}

#[test]
fn at_a_crowded_door_who_waits_in_vain_makes_room() {
    let site = Site::telling(&["--max-clients", "4"]);
    let guest = || Ftp::over(connect(site.server.address()));
    // One after the other: the last four wait for a quarter of a minute and more.
    let mut guessers = Vec::new();
    for n in 1..=8 {
        guessers.push(guest());
        guess(guessers.last_mut().unwrap());
        until("it was wrong", || wrong(&site) == n);
    }
    guessers.drain(..4).for_each(Ftp::leave);
    until("they have gone", || threads(&site.server) == 1 + 4);
    let mut silent: Vec<Ftp> = (0..256 - 4).map(|_| guest()).collect();
    let mut newcomers = Vec::new();
    // First those who wait for the answer to a wrong password; then, after a second, the silent.
    for n in 0..8 {
        until("there is room", || {
            let mut ftp = Ftp { control: BufReader::new(connect(site.server.address())) };
            let served = ftp.reply().starts_with("220");
            newcomers.extend(served.then_some(ftp));
            served
        });
        let mut gone = if n < 4 { guessers.remove(0) } else { silent.remove(0) };
        assert!(gone.reply().starts_with("421"), "{n}");
        gone.ended();
    }
    newcomers.pop().unwrap().logged_in();
}

#[test]
fn those_who_are_sent_away_from_the_door_have_no_place_any_more() {
    // Each from a host of its own, and none of them silent: they come as clients, and turn out to guess.
    let site = Site::telling(&[]);
    let count = 300;
    let mut guessers: Vec<TcpStream> = Vec::new();
    for n in 0..count {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let from = SocketAddr::from(([127, 1, (n / 250) as u8, (n % 250 + 1) as u8], 0));
        socket.bind(&from.into()).unwrap();
        socket.connect(&site.server.address().into()).unwrap();
        let mut stream = TcpStream::from(socket);
        stream.write_all(b"USER u\r\nPASS wrong\r\n").unwrap();
        guessers.push(stream);
        if n % 50 == 49 {
            until("they were wrong", || wrong(&site) == n + 1);
        }
    }
    until("the door has let go of those who were too many", || threads(&site.server) <= 1 + 256);
    drop(guessers);

    // From one host, with a QUIT that waits behind the answer.
    let site = Site::telling(&[]);
    guess(&mut site.guest());
    let quitter = |_| {
        let mut stream = connect(site.server.address());
        stream.write_all(b"USER u\r\nPASS wrong\r\nQUIT\r\n").unwrap();
        stream
    };
    let guessers: Vec<TcpStream> = (0..300).map(quitter).collect();
    let taken = || site.server.stderr().matches("421 Others").count();
    until("some were sent away", || taken() > 20);
    until("and are gone", || threads(&site.server) <= 1 + 256);
    drop(guessers);
}

#[test]
fn a_guesser_who_leaves_waits_no_longer_and_delays_no_stop() {
    let site = Site::new(&[]);
    let mut ftp = site.guest();
    for code in [530, 530] {
        ftp.ask("USER u", 331);
        ftp.ask("PASS wrong", code);
    }
    // The third would be answered after three seconds; a stop is not kept waiting either.
    ftp.ask("USER u", 331);
    let start = Instant::now();
    ftp.send("PASS wrong\r\n");
    ftp.leave();
    until("its thread has ended", || threads(&site.server) == 1);
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    let mut ftp = site.guest();
    guess(&mut ftp);
    until("it is served", || threads(&site.server) == 2);
    let took = site.server.stop().took;
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn a_user_called_ftp_must_give_his_password() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path().to_str().unwrap();
    let own = ["--user", "ftp", "--password", "p", "--anonymous", "--root", root];
    let server = Server::of("ftp").args(own).start();
    for (user, password, code) in
        [("ftp", "p", 230), ("ftp", "wrong", 530), ("anonymous", "wrong", 230)]
    {
        let mut ftp = Ftp::new(server.address());
        ftp.ask(&format!("USER {user}"), 331);
        ftp.ask(&format!("PASS {password}"), code);
    }
}

#[test]
fn anonymous_and_read_only_change_nothing() {
    let write =
        ["STOR b", "APPE a", "STOU", "DELE a", "MKD d", "RMD d", "RNFR a", "MFMT 20200101000000 a"];
    let site = Site::new(&["--anonymous"]);
    site.write("a", "hello");
    let mut ftp = site.guest();
    ftp.ask("USER anonymous", 331);
    ftp.ask("PASS me@", 230);
    let read_only = Site::new(&["--read-only"]);
    read_only.write("a", "hello");
    for mut ftp in [ftp, read_only.client()] {
        for command in write {
            ftp.ask(command, 550);
        }
        assert_eq!(ftp.fetch("RETR a"), b"hello");
        assert!(ftp.ask("MLST a", 250).contains("perm=r;"));
    }
    assert_eq!(site.names(), ["a"]);
}

#[test]
fn without_a_user_there_is_a_password_for_one_run() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("a"), "hello").unwrap();
    let server = Server::of("ftp").in_folder(root.path()).start();
    let line = || {
        let told = server.stderr();
        told.lines().find(|line| line.contains("password ")).map(str::to_owned)
    };
    until("the password is said", || line().is_some());
    let line = line().unwrap();
    let password = line.split("password ").nth(1).unwrap().split(',').next().unwrap();
    let said = Said::on("ftp_password_for_one_run");
    said.hide(password, "[password]");
    said.add("without --user", &line);
    let mut ftp = Ftp::new(server.address());
    ftp.ask("USER netplay", 331);
    ftp.ask(&format!("PASS {password}"), 230);
    ftp.ask("TYPE I", 200);
    assert_eq!(ftp.fetch("RETR a"), b"hello");
    ftp.ask("DELE a", 550);
}
