//! Where a test plays: the program, the tester's own connections, and the records of both.

use std::net::SocketAddr;

use netplay_record::Event;
use netplay_text::both;
use netplay_text::both::Both;
use netplay_trace::Collection;
use netplay_watch::{StartError, Status, Twist};

use super::guard::Stuck;
use super::peer::{Peer, Sender, Trouble, free_port};
use super::plan::{Model, Plan};
use super::program::{Program, Start, takes};
use super::protocol::Exchange;
use super::verdict::{Broken, How, fault};

/// What a client has written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Written {
    pub(crate) output: Vec<u8>,
    pub(crate) errors: Vec<u8>,
}

/// Where one test plays.
pub(crate) struct Stage<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) random: fastrand::Rng,
    collection: &'a Collection,
    program: Option<Program>,
    /// The records of programs that have ended.
    records: Vec<Event>,
    /// What the programs did after this time is left out of them.
    until: Option<u64>,
    /// How the last one ended.
    pub(crate) status: Option<Status>,
    pub(crate) errors: String,
    /// It could not be started at all.
    pub(crate) cannot: Option<StartError>,
    /// How the client behaved to a calm server: what it wrote.
    pub(crate) calm: &'a mut Option<Written>,
}

impl<'a> Stage<'a> {
    pub(crate) fn new(
        plan: &'a Plan,
        collection: &'a Collection,
        calm: &'a mut Option<Written>,
    ) -> Stage<'a> {
        let _ = collection.take();
        Stage {
            plan,
            random: fastrand::Rng::with_seed(plan.seed),
            collection,
            program: None,
            records: Vec::new(),
            until: None,
            status: None,
            errors: String::new(),
            cannot: None,
            calm,
        }
    }

    /// The program, which has been started.
    pub(crate) fn program(&self) -> &Program {
        self.program.as_ref().expect("a test starts the program first")
    }

    pub(crate) fn program_mut(&mut self) -> &mut Program {
        self.program.as_mut().expect("a test starts the program first")
    }

    pub(crate) fn is_datagrams(&self) -> bool {
        self.plan.model == Model::Udp
    }

    /// An address for the program that is free.
    pub(crate) fn address(&self) -> Result<SocketAddr, Broken> {
        let port = free_port(self.plan.host, self.is_datagrams());
        let _ = self.collection.take(); // the search for it is no part of the test
        match port {
            Ok(port) => Ok(SocketAddr::new(self.plan.host, port)),
            Err(error) => {
                Err(Broken::Skip(both!("no port is free: {error}", "没有空闲端口：{error}")))
            }
        }
    }

    /// Starts the program, and waits until clients can reach it.
    pub(crate) fn start(&mut self) -> Result<(), Broken> {
        self.start_with(Twist::default())
    }

    /// Starts the program with changes to its calls.
    pub(crate) fn start_with(&mut self, twist: Twist) -> Result<(), Broken> {
        let address = self.address()?;
        self.start_at(address, twist, None)?;
        self.reach()
    }

    /// Starts the program at an address.
    pub(crate) fn start_at(
        &mut self,
        address: SocketAddr,
        twist: Twist,
        input: Option<Vec<u8>>,
    ) -> Result<(), Broken> {
        self.end();
        self.status = None;
        let start = Start {
            command: &self.plan.command,
            address,
            watched: self.plan.watched,
            twist,
            input,
            timeout: self.plan.timeout,
        };
        match Program::start(start) {
            Ok(program) => {
                self.program = Some(program);
                Ok(())
            }
            Err(error) => {
                let why = error.to_string();
                self.cannot = Some(error);
                Err(Broken::Skip(both!("it could not be started: {why}", "无法启动：{why}")))
            }
        }
    }

    /// Waits until clients can reach the program.
    pub(crate) fn reach(&mut self) -> Result<(), Broken> {
        let datagrams = self.is_datagrams();
        let program = self.program_mut();
        let ready = program.ready(datagrams);
        if let Some(error) = program.start_error() {
            let why = error.to_string();
            self.cannot = Some(error);
            return Err(Broken::Skip(both!("it could not be started: {why}", "无法启动：{why}")));
        }
        let port = program.address.port();
        let when = match datagrams {
            true => {
                both!("no datagram can reach it at port {port}", "数据报无法到达它的端口 {port}")
            }
            false => both!("it does not listen at port {port}", "它没有监听端口 {port}"),
        };
        ready.map_err(|stuck| self.no_listener(when, stuck))?;
        // It may have another address of this host than it was told.
        let at = program_address(self.program(), datagrams);
        self.program_mut().address = at;
        Ok(())
    }

    fn no_listener(&mut self, when: Both, stuck: Stuck) -> Broken {
        let told = takes(&self.plan.command, "{port}");
        let how: How = match (stuck, self.program_mut().status()) {
            (_, Some(_)) | (Stuck::Busy(_) | Stuck::Late(_) | Stuck::Interrupted, _) => {
                stuck.into()
            }
            _ if told => stuck.into(),
            _ => both!(
                "it must take the port from the variable PORT, or its command must have {{port}}",
                "它应从环境变量 PORT 取得端口，或者命令中应有 {{port}}",
            )
            .into(),
        };
        fault(when, how, None)
    }

    /// Connects a client, and takes what the server says first.
    pub(crate) fn client(&self) -> Result<Peer, Trouble> {
        self.welcomed(Peer::connect(self.program())?)
    }

    /// A client with small buffers.
    pub(crate) fn narrow(&self) -> Result<Peer, Trouble> {
        self.welcomed(Peer::narrow(self.program())?)
    }

    fn welcomed(&self, mut peer: Peer) -> Result<Peer, Trouble> {
        if let Some(greeting) = self.plan.protocol.greeting() {
            peer.expect(self.program(), greeting).map_err(Trouble::of_greeting)?;
        }
        Ok(peer)
    }

    /// The nth exchange of a connection.
    pub(crate) fn exchange(&mut self, n: usize) -> Exchange {
        self.plan.protocol.exchange(n, &mut self.random)
    }

    /// A new client comes, is served, and goes.
    pub(crate) fn served(&mut self) -> Result<(), Trouble> {
        let one = self.exchange(0);
        let mut peer = self.client()?;
        peer.exchange(self.program(), &one)
    }

    /// A datagram is answered.
    pub(crate) fn answers(&mut self, sender: &Sender) -> Result<(), Trouble> {
        let one = self.exchange(0);
        sender.send(self.program(), &one.send)?;
        sender.expect(self.program(), one.answer.bytes())
    }

    /// It serves as its model does: a client, or a datagram. A failure is a fault.
    pub(crate) fn works(&mut self, when: Both) -> Result<(), Broken> {
        if !self.is_datagrams() {
            return self.serves(when);
        }
        let answered = Sender::new(self.program()).and_then(|sender| self.answers(&sender));
        answered.map_err(|trouble| fault(when, trouble, None))
    }

    /// As [`served`](Self::served); a failure is a fault.
    pub(crate) fn serves(&mut self, when: Both) -> Result<(), Broken> {
        self.served().map_err(|trouble| fault(when, trouble, None))
    }

    /// A client has left; when the program has seen that, the next one is served. A failure is a fault.
    pub(crate) fn serves_without(&mut self, client: SocketAddr, when: Both) -> Result<(), Broken> {
        let settled = self.program_mut().settle_without(client);
        settled.map_err(|stuck| fault(when.clone(), stuck, None))?;
        self.serves(when)
    }

    /// Whether the program is watched; if not, a test that needs it is skipped.
    pub(crate) fn needs_watching(&self) -> Result<(), Broken> {
        match self.plan.watched {
            true => Ok(()),
            false => {
                Err(Broken::Skip(both!("it needs the program to be watched", "它需要观察程序",)))
            }
        }
    }

    /// Ends the program; its records are kept.
    pub(crate) fn end(&mut self) {
        let Some(mut program) = self.program.take() else { return };
        self.status = program.status();
        let [_, errors] = program.output();
        let tail = errors.len().saturating_sub(2000);
        self.errors = netplay_text::escape::escape_lines(&String::from_utf8_lossy(&errors[tail..]));
        self.records.extend(program.end());
    }

    /// How the program ended; one that is just ending is given a moment for it.
    pub(crate) fn ended(&mut self) -> Option<Status> {
        let program = self.program.as_mut()?;
        program.guard.patience(std::time::Duration::from_secs(1));
        program.guard.cpu(std::time::Duration::from_secs(1));
        let _ = program.until(Program::has_gone);
        program.status()
    }

    /// Why the guard has killed the program, if it has.
    pub(crate) fn killed(&self) -> Option<Stuck> {
        self.program.as_ref()?.guard.killed()
    }

    /// When a wait for the program was given up last, and the calls that it was in.
    pub(crate) fn when_given_up(&self) -> Option<(u64, Vec<Event>)> {
        self.program.as_ref()?.when_given_up()
    }

    /// The calls that the program is in; they are records as well. `given_up`: those it was in when a wait for it was given up. What it
    /// did later was brought about by the tester, which then closed its connections, and is left out.
    pub(crate) fn keep_pending(&mut self, given_up: Option<(u64, Vec<Event>)>) {
        let Some(program) = &mut self.program else { return };
        self.status = program.status();
        match given_up {
            Some((at, pending)) => {
                self.records.extend(pending);
                self.until = Some(at);
            }
            None => self.records.extend(program.pending()),
        }
    }

    /// All records of both ends, in the order in which they began.
    pub(crate) fn all_records(&mut self) -> Vec<Event> {
        let mut all = std::mem::take(&mut self.records);
        if let Some(until) = self.until {
            let before = |event: &Event| {
                let end = if event.is_unfinished() { 0 } else { event.dur_ns };
                event.start_ns + end <= until
            };
            all.retain(before);
        }
        all.extend(self.collection.take());
        netplay_review::in_order(&mut all);
        // A call that had not returned was recorded before the program was ended, and once more when that ended it.
        let mut begun = std::collections::HashSet::new();
        all.retain(|event| !event.is_unfinished() || begun.insert((event.tid, event.start_ns)));
        all
    }

    pub(crate) fn is_running(&self) -> bool {
        self.program.is_some()
    }
}

/// Where a client finds the program.
fn program_address(program: &Program, datagrams: bool) -> SocketAddr {
    let told = program.address;
    let found = program.reachable(datagrams);
    let reaches = |ip: std::net::IpAddr| {
        found.iter().any(|socket| {
            let own = socket.local.ip();
            own == ip
                || own.is_unspecified() && own.is_ipv4() == ip.is_ipv4()
                || own.is_unspecified() && ip.is_ipv4() && socket.v6only == Some(false)
        })
    };
    if reaches(told.ip()) {
        return told;
    }
    let other: [std::net::IpAddr; 2] =
        [std::net::Ipv4Addr::LOCALHOST.into(), std::net::Ipv6Addr::LOCALHOST.into()];
    let ip = other.into_iter().find(|&ip| reaches(ip));
    let ip = ip.or(found.first().map(|socket| socket.local.ip())).unwrap_or(told.ip());
    SocketAddr::new(ip, told.port())
}
