//! Data connections, passive and active, over both families: who may open one, and when it is given up.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};

use super::loopbacks;
use super::site::{Ftp, Site, connect_from, content};
use crate::common::{Said, Server, connect, netplay};
use netplay_ftp::data::{read_six_numbers, six_numbers};

#[test]
fn both_families_and_both_ways_carry_files() {
    let site = Site::new(&[]);
    let bytes = content(300_000);
    site.write("a", &bytes);
    for mut ftp in [site.client(), site.client_v6()] {
        assert_eq!(ftp.fetch("RETR a"), bytes);
        let own = ftp.stream().local_addr().unwrap().ip();
        let listener = TcpListener::bind((own, 0)).unwrap();
        let here = listener.local_addr().unwrap();
        let family = if here.is_ipv4() { 1 } else { 2 };
        ftp.ask(&format!("EPRT !{family}!{}!{}!", here.ip(), here.port()), 200);
        ftp.ask("RETR a", 150);
        let mut got = Vec::new();
        listener.accept().unwrap().0.read_to_end(&mut got).unwrap();
        ftp.expect(226);
        assert_eq!(got, bytes);
    }
}

#[test]
fn pasv_and_port_say_an_address_in_six_numbers() {
    let site = Site::new(&[]);
    site.write("a", "hello");
    let mut ftp = site.client();
    let reply = ftp.ask("PASV", 227);
    let six = reply.split(['(', ')']).nth(1).unwrap();
    let address = read_six_numbers(six).unwrap();
    assert_eq!(*address.ip(), Ipv4Addr::LOCALHOST);
    let mut data = connect(address.into());
    ftp.ask("RETR a", 150);
    let mut text = String::new();
    data.read_to_string(&mut text).unwrap();
    ftp.expect(226);
    assert_eq!(text, "hello");

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let SocketAddr::V4(here) = listener.local_addr().unwrap() else { unreachable!() };
    ftp.ask(&format!("PORT {}", six_numbers(here)), 200);
    ftp.ask("NLST", 150);
    let mut names = String::new();
    listener.accept().unwrap().0.read_to_string(&mut names).unwrap();
    ftp.expect(226);
    assert_eq!(names, "a\r\n");
}

#[test]
fn ipv6_keeps_to_its_family() {
    let site = Site::new(&[]);
    let mut ftp = site.client_v6();
    ftp.ask("PASV", 501);
    ftp.ask("PORT 127,0,0,1,156,64", 501);
    assert!(ftp.ask("EPSV 1", 522).contains("(2)"));
    assert!(ftp.ask("EPRT |1|127.0.0.1|40000|", 522).contains("(2)"));
    ftp.ask("EPSV 2", 229);
    let mut ftp = site.client();
    assert!(ftp.ask("EPSV 2", 522).contains("(1)"));
    assert!(ftp.ask("EPRT |2|::1|40000|", 522).contains("(1)"));
    ftp.ask("EPRT |3|x|40000|", 522);
    ftp.ask("EPRT |1|127.0.0.1|", 501);
    ftp.ask("EPSV 1", 229);
}

#[test]
fn epsv_all_ends_the_other_ways() {
    let site = Site::new(&[]);
    let mut ftp = site.client();
    ftp.ask("EPSV ALL", 200);
    ftp.ask("PASV", 501);
    ftp.ask("PORT 127,0,0,1,156,64", 501);
    ftp.ask("EPRT |1|127.0.0.1|40000|", 501);
    assert_eq!(ftp.fetch("NLST"), b"");
}

#[test]
fn it_can_keep_to_one_family() {
    let root = tempfile::tempdir().unwrap();
    let start = |args: &[&str]| {
        let mut command = netplay();
        command.args(["ftp", "server", "-q", "--anonymous"]).args(args).current_dir(&root);
        Server::from(&mut command)
    };
    let other = |server: &Server, ip: IpAddr| TcpStream::connect((ip, server.address().port()));
    let v4 = start(&["127.0.0.1", "0", "-4"]);
    assert!(other(&v4, Ipv6Addr::LOCALHOST.into()).is_err());
    let v6 = start(&["::1", "0"]);
    assert!(other(&v6, Ipv4Addr::LOCALHOST.into()).is_err());
    let every = start(&["0.0.0.0", "0"]);
    for ip in loopbacks() {
        Ftp::new(SocketAddr::new(ip, every.address().port()));
    }
}

/// Port 0 means one that is free in both families.
#[test]
fn the_port_is_the_same_in_both_families() {
    // Every port that the kernel may choose next is taken in one family: some of them, at least.
    let taken: Vec<TcpListener> =
        (0..2000).map_while(|_| TcpListener::bind("[::1]:0").ok()).collect();
    assert!(taken.len() > 100);
    for _ in 0..20 {
        let site = Site::new(&[]);
        site.client_v6().ask("QUIT", 221);
    }
}

#[test]
fn nobody_is_made_to_speak_to_others() {
    let site = Site::new(&[]);
    let victim = TcpListener::bind("127.0.0.2:0").unwrap();
    victim.set_nonblocking(true).unwrap();
    let port = victim.local_addr().unwrap().port();
    let (high, low) = (port / 256, port % 256);
    let mut ftp = site.client();
    ftp.ask(&format!("PORT 127,0,0,2,{high},{low}"), 504);
    ftp.ask(&format!("EPRT |1|127.0.0.2|{port}|"), 504);
    ftp.ask("PORT 127,0,0,1,0,25", 504);
    ftp.ask("EPRT |1|127.0.0.1|1023|", 504);
    ftp.ask("LIST", 425);
    assert!(victim.accept().is_err());
}

#[test]
fn a_stranger_gets_no_data_connection() {
    let site = Site::new(&[]);
    site.write("a", "for the client");
    let mut ftp = site.client();
    let address = ftp.passive();
    let mut stranger = connect_from([127, 0, 0, 2], address);
    let mut data = connect(address);
    ftp.ask("RETR a", 150);
    let mut text = String::new();
    data.read_to_string(&mut text).unwrap();
    assert_eq!(text, "for the client");
    ftp.expect(226);
    assert!(matches!(stranger.read(&mut [0; 1]), Ok(0) | Err(_)));
}

#[test]
fn passive_ports_are_of_the_range_and_given_back() {
    // A range that is free now; the kernel chose its first port.
    let low = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().min(65_500);
    let site = Site::new(&["--passive-ports", &format!("{low}-{}", low + 9)]);
    let mut ftp = site.client();
    let mut seen = std::collections::HashSet::new();
    for _ in 0..40 {
        let port = ftp.passive().port();
        assert!((low..low + 10).contains(&port), "{port}");
        seen.insert(port);
    }
    assert!(seen.len() > 2, "who saw one port knows the next: {seen:?}");
    for _ in 0..20 {
        assert!(ftp.list("NLST").is_empty());
    }
}

#[test]
fn passive_ports_are_nobodys_and_any_of_them() {
    let site = Site::new(&[]);
    let mut ftp = site.client();
    let ports: Vec<u16> = (0..8).map(|_| ftp.passive().port()).collect();
    // The kernel's own choice begins elsewhere: all eight up there happens once in a thousand.
    assert!(ports.iter().all(|&port| port >= 49152), "{ports:?}");
    assert!(ports.windows(2).any(|two| two[0].abs_diff(two[1]) > 100), "{ports:?}");
}

#[test]
fn why_there_is_no_data_connection_is_said() {
    let site = Site::new(&["--data-wait", "0.2"]);
    site.write("a", "hello");
    let mut ftp = site.client();
    let said = Said::on("ftp_no_data_connection");
    said.add("neither PASV nor PORT", &ftp.ask("RETR a", 425));
    ftp.passive();
    ftp.ask("RETR a", 150);
    said.add("the client does not come", &ftp.expect(425));
    // No program listens at this port any more.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    ftp.ask(&format!("PORT {}", six_numbers(address.to_string().parse().unwrap())), 200);
    ftp.ask("RETR a", 150);
    said.add("the client does not listen", &ftp.expect(425));
    said.add("PORT of another host", &ftp.ask("PORT 127,0,0,2,156,64", 504));
    said.add("PORT below 1024", &ftp.ask("PORT 127,0,0,1,0,21", 504));
}

#[test]
fn a_data_connection_that_never_comes_is_given_up() {
    let site = Site::new(&["--data-wait", "0.2"]);
    let mut ftp = site.client();
    let address = ftp.passive();
    ftp.ask("LIST", 150);
    ftp.expect(425);
    assert!(TcpStream::connect(address).is_err(), "the port is still held");
    // Active: a port where no program listens.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    ftp.ask(&format!("EPRT |1|127.0.0.1|{gone}|"), 200);
    ftp.ask("LIST", 150);
    ftp.expect(425);
    assert!(ftp.list("NLST").is_empty());
}
