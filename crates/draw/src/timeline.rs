//! Several processes on one clock.

use std::collections::HashMap;
use std::fmt;

use netplay_record::Event;
use netplay_record::text::lane_in;
use netplay_text::lang::Lang;
use netplay_text::say;
use serde::Serialize;

use super::acts::Acts;
use super::arrows::{self, Arrow};
use super::calls::{Call, Lane, calls, host_name, lanes};
use super::clocks::{Bound, Clock, Unfit};
use super::left_out::LeftOut;
use super::messages::{Message, messages};
use super::sockets::Sockets;

/// Several processes on one clock: what there is to draw.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Timeline {
    /// The start of the first call, in nanoseconds of CLOCK_MONOTONIC; all other times count from here.
    pub start_ns: u64,
    /// How far the clock of a second host is from that of the first; all times are on the first one's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<Clock>,
    /// From there to the end of the last call.
    pub span_ns: u64,
    /// Servers by their first call, then what is both, then clients; sides without a trace stand outside.
    pub lanes: Vec<Lane>,
    /// In the order in which they began.
    pub calls: Vec<Call>,
    /// In the order of the calls they start from.
    pub arrows: Vec<Arrow>,
    /// What is not among them, because a picture [leaves it out](Timeline::folded).
    #[serde(skip)]
    pub left_out: LeftOut,
    /// Whether a lane may stand for several threads or processes, one after the other.
    #[serde(skip)]
    pub(crate) is_shared: bool,
    /// Time 0 on the clock of the first host, which may not have been running then.
    #[serde(skip)]
    zero: i64,
}

/// Why the traces of two hosts have no common clock.
#[derive(Debug, Clone)]
pub enum Unfitting {
    /// From the first host to the second, or the other way, nothing is known to have gone.
    Unbounded {
        /// How many messages there are each way.
        each_way: [usize; 2],
    },
    /// Two messages that cannot both be: the sending and the receiving call of each.
    Contradiction(Box<[[Witness; 2]; 2]>),
}

impl fmt::Display for Unfitting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lang = Lang::current();
        match self {
            Unfitting::Unbounded { each_way: [there, back] } => f.write_str(&say!(
                lang,
                "the traces are of two hosts, and what went between them does not say how far their clocks are apart: {there} \
                 from A to B, {back} from B to A, and at least one each way is needed (--raw draws them as they are)",
                "这些跟踪文件来自两台主机，而两者之间的往来不足以确定时钟相差多少：从 A 到 B 有 {there} 条，从 B 到 A 有 {back} 条\
                 （每个方向至少要一条；--raw 按原样画出）",
            )),
            Unfitting::Contradiction(both) => {
                let [first, second] = both.each_ref().map(|[from, to]| {
                    let (from, to) = (from.told(lang), to.told(lang));
                    say!(lang, "what was sent at {from} was there at {to}", "{from}发送，{to}收到")
                });
                f.write_str(&say!(
                    lang,
                    "no difference of the clocks fits these traces of two hosts: {first}, but {second} (--raw draws them as they are)",
                    "没有一个时钟差能符合这两台主机的跟踪文件：{first}，可是 {second}（--raw 按原样画出）",
                ))
            }
        }
    }
}

impl std::error::Error for Unfitting {}

impl Witness {
    /// `12.345678901 s of host B (server: recv(4))`.
    fn told(&self, lang: Lang) -> String {
        let (lane, asked) = (lane_in(&self.lane, lang), self.call.record.asked(lang));
        let (seconds, nanos) = (self.at_ns / 1_000_000_000, self.at_ns % 1_000_000_000);
        let host = host_name(self.host);
        say!(
            lang,
            "{seconds}.{nanos:09} s of host {host} ({lane}: {asked})",
            "主机 {host} 在 {seconds}.{nanos:09} 秒（{lane}：{asked}）",
        )
    }
}

/// A call that contradicts others.
#[derive(Debug, Clone)]
pub struct Witness {
    /// Whose clock its time is from.
    pub host: u8,
    /// Its lane.
    pub lane: String,
    /// The call.
    pub call: Call,
    /// When it began, if it sent; when it returned, if it received: nanoseconds of its own clock.
    pub at_ns: u64,
}

impl Timeline {
    /// Puts the records in order and finds out what belongs together. `names` says what to call a
    /// process or a thread; the others are named by their role, in the order of their first calls. Threads of
    /// one name share a lane: they are one side, one after the other.
    #[must_use]
    pub fn new(records: Vec<impl Into<Box<Event>>>, names: &HashMap<i32, String>) -> Timeline {
        let mut timeline = Timeline::recorded(records, names);
        let sockets = Sockets::follow(&timeline.calls, &timeline.lanes);
        timeline.complete(sockets);
        timeline.arranged()
    }

    /// The same of two hosts, [numbered](Event::host) 0 and 1, whose clocks have nothing in common: the traffic between
    /// them says how far they are apart.
    ///
    /// # Errors
    /// There is no such traffic, or none that fits.
    pub fn of_hosts(records: Vec<impl Into<Box<Event>>>) -> Result<Timeline, Unfitting> {
        let mut timeline = Timeline::recorded(records, &HashMap::new());
        let sockets = Sockets::follow(&timeline.calls, &timeline.lanes);
        let clock = timeline.find_clock(&sockets)?;
        timeline.put_on(clock);
        let sockets = Sockets::follow(&timeline.calls, &timeline.lanes);
        timeline.complete(sockets);
        Ok(timeline.arranged())
    }

    /// What the traffic between the hosts says about the clock of the second one.
    fn find_clock(&self, sockets: &Sockets) -> Result<Clock, Unfitting> {
        let zero = self.start_ns as i64;
        let (mut below, mut above) = (Vec::new(), Vec::new());
        let mut of_bounds: [Vec<Message>; 2] = Default::default();
        for message in messages(&self.calls, sockets) {
            let (from, to) = (&self.calls[message.from], &self.calls[message.to]);
            let (left, arrived) = (zero + from.from_ns as i64, zero + to.to_ns as i64);
            if from.record.host == 0 {
                below.push(Bound { at: arrived, value: left - arrived });
                of_bounds[0].push(message);
            } else {
                above.push(Bound { at: left, value: arrived - left });
                of_bounds[1].push(message);
            }
        }
        Clock::fit(&below, &above).map_err(|unfit| match unfit {
            Unfit::Unbounded => Unfitting::Unbounded { each_way: [below.len(), above.len()] },
            Unfit::Contradiction(first, second) => {
                let witness = |(i, at_ns): (usize, u64)| {
                    let call = &self.calls[i];
                    Witness {
                        host: call.record.host,
                        lane: self.lanes[call.lane].name.clone(),
                        call: call.clone(),
                        at_ns: self.start_ns + at_ns,
                    }
                };
                let told =
                    [of_bounds[0][first], of_bounds[1][second]].map(|Message { from, to }| {
                        [(from, self.calls[from].from_ns), (to, self.calls[to].to_ns)].map(witness)
                    });
                Unfitting::Contradiction(Box::new(told))
            }
        })
    }

    /// Moves the calls of the second host to their times on the first one's clock. How long they took stays as it was
    /// measured.
    fn put_on(&mut self, clock: Clock) {
        let zero = self.start_ns as i64;
        let moved = |call: &Call, ns: u64| match call.record.host {
            0 => zero + ns as i64,
            _ => clock.to_a(zero + ns as i64),
        };
        let both = |call: &Call| (moved(call, call.from_ns), moved(call, call.to_ns));
        let times: Vec<(i64, i64)> = self.calls.iter().map(both).collect();
        let first = times.iter().map(|&(from, _)| from).min().unwrap_or_default();
        for (call, (from, to)) in self.calls.iter_mut().zip(times) {
            (call.from_ns, call.to_ns) = ((from - first) as u64, (to - first) as u64);
        }
        self.calls.sort_by_key(|call| call.from_ns);
        // Before the first host's clock began there is no time to tell.
        self.start_ns = u64::try_from(first).unwrap_or_default();
        self.span_ns = self.calls.iter().map(|call| call.to_ns).max().unwrap_or_default();
        let apart = clock.apart();
        for lane in self.lanes.iter_mut().filter(|lane| lane.host > 0) {
            lane.detail += &format!(", {apart}");
        }
        self.zero = first;
        self.clock = Some(clock);
    }

    /// How far a time of the second host may be off, in nanoseconds: `at_ns` counts from the timeline's start.
    #[must_use]
    pub fn within(&self, at_ns: u64) -> u64 {
        let Some(clock) = &self.clock else { return 0 };
        let (least, most) = clock.interval(clock.to_b(self.zero + at_ns as i64));
        ((most - least) / 2) as u64
    }

    fn recorded(records: Vec<impl Into<Box<Event>>>, names: &HashMap<i32, String>) -> Timeline {
        let mut records: Vec<Box<Event>> = records.into_iter().map(Into::into).collect();
        records.sort_by_key(|record| record.start_ns);
        let start_ns = records.first().map_or(0, |record| record.start_ns);
        let lanes = lanes(&records, names);
        let calls = calls(records, start_ns, &lanes, names);
        let span_ns = calls.iter().map(|call| call.to_ns).max().unwrap_or_default();
        let zero = start_ns as i64;
        Timeline { start_ns, zero, span_ns, lanes, calls, ..Timeline::default() }
    }

    /// Finds out what belongs together.
    fn complete(&mut self, sockets: Sockets) {
        sockets.tell_acts(&self.calls, &mut self.lanes);
        sockets.tell_states(&mut self.calls);
        self.arrows = arrows::find(&self.calls, &mut self.lanes, sockets);
    }

    /// The same with the names of its lanes in this language.
    #[must_use]
    pub fn told_in(mut self, lang: Lang) -> Timeline {
        for lane in &mut self.lanes {
            (lane.name, lane.detail) = (lane_in(&lane.name, lang), lane_in(&lane.detail, lang));
        }
        self
    }

    /// Servers stand left, clients right, and between them what is both. A server without a trace stands left of all others;
    /// clients without one stand right: they were added last.
    fn arranged(mut self) -> Timeline {
        let place = |lane: &Lane| match (lane.acts, lane.thread) {
            (Acts::Server, None) => 0,
            (Acts::Server, Some(_)) => 1,
            (Acts::Both, _) => 2,
            (Acts::Client | Acts::Unknown, Some(_)) => 3,
            (Acts::Client | Acts::Unknown, None) => 4,
        };
        let mut order: Vec<usize> = (0..self.lanes.len()).collect();
        order.sort_by_key(|&lane| place(&self.lanes[lane]));
        let mut moved = vec![0; order.len()];
        for (to, &from) in order.iter().enumerate() {
            moved[from] = to;
        }
        self.lanes = order.iter().map(|&lane| self.lanes[lane].clone()).collect();
        self.calls.iter_mut().for_each(|call| call.lane = moved[call.lane]);
        for arrow in &mut self.arrows {
            let tips = [&mut arrow.from, &mut arrow.to].into_iter().flatten();
            tips.for_each(|tip| tip.lane = moved[tip.lane]);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ArrowKind;
    use netplay_record::{
        Bytes, Call as Recorded, Connection, Control, Data, Descriptors, Family, Header, Outcome,
        Process, Receive, Send, SocketKind, Type,
    };
    use socket2::SockAddr;

    const CLOEXEC: i32 = libc::SOCK_CLOEXEC;

    /// The calls of programs, one after the other, as a tracer records them.
    #[derive(Default)]
    struct Watched {
        events: Vec<Event>,
        known: HashMap<i32, Descriptors>,
    }

    fn address(port: u16) -> SockAddr {
        std::net::SocketAddr::from(([127, 0, 0, 1], port)).into()
    }

    fn kind(family: Family, ty: Type, flags: i32) -> SocketKind {
        SocketKind { family, ty, protocol: 0, flags }
    }

    fn sent(text: &str) -> Send {
        Send { flags: 0, data: Data::new(text.as_bytes(), 0) }
    }

    fn received(text: &str) -> Receive {
        Receive { room: 64, data: Some(Data::new(text.as_bytes(), 0)), ..Receive::default() }
    }

    impl Watched {
        fn call(
            &mut self,
            (role, pid, tid): (&str, i32, i32),
            call: impl Into<Recorded>,
            fd: impl Into<Option<i32>>,
            ret: impl Into<Option<i64>>,
        ) {
            let call = call.into();
            let outcome = Outcome { fd: fd.into(), ret: ret.into(), errno: None };
            let known = self.known.entry(pid).or_default();
            known.learn(&call, &outcome, &call.facts(&outcome));
            let strace = call.strace(&outcome);
            let mut event = Event {
                role: role.into(),
                example: "watch".into(),
                start_ns: 1000 * self.events.len() as u64 + 1,
                dur_ns: 100,
                pid,
                tid,
                ..Event::of(call, &outcome, strace)
            };
            known.complete(&mut event, None);
            if let (Recorded::Process(Process::Fork), Some(child)) = (&*event.what, event.ret) {
                let copy = known.clone();
                self.known.insert(child as i32, copy);
            }
            // What is drawn was a line of a trace before.
            let line = serde_json::to_string(&event).unwrap();
            self.events.push(serde_json::from_str(&line).unwrap());
        }

        fn listen(&mut self, who: (&str, i32, i32), port: u16) {
            let kind = kind(Family::Inet, Type::Stream, CLOEXEC);
            self.call(who, Connection::Socket(kind), None, 3);
            self.call(who, Connection::Bind(Some(address(port).into())), 3, 0);
            self.call(who, Connection::Listen(Some(5)), 3, 0);
        }

        /// Socket `fd` connects to this port, and is accepted as `accepted`.
        fn connect(
            &mut self,
            server: (&str, i32, i32),
            client: (&str, i32, i32),
            port: u16,
            [fd, accepted]: [i32; 2],
        ) {
            let kind = kind(Family::Inet, Type::Stream, 0);
            self.call(client, Connection::Socket(kind), None, i64::from(fd));
            self.call(client, Connection::Connect(Some(address(port).into())), fd, 0);
            let peer = Some(address(40_000 + port).into());
            let accept = Connection::Accept { peer, nonblock: false, cloexec: false };
            self.call(server, accept, 3, i64::from(accepted));
        }

        fn drawn(self) -> Timeline {
            Timeline::new(self.events, &HashMap::new())
        }
    }

    /// The arrows of a kind: from the call in this lane to that call in that one.
    fn arrows(timeline: &Timeline, kind: ArrowKind) -> Vec<String> {
        let tip = |tip: Option<crate::Tip>| {
            let Some(tip) = tip else { return "-".to_owned() };
            let call = tip.call.map_or("-", |call| timeline.calls[call].name());
            format!("{} {call}", timeline.lanes[tip.lane].name)
        };
        let of_kind = timeline.arrows.iter().filter(|arrow| arrow.kind == kind);
        of_kind.map(|arrow| format!("{} > {}", tip(arrow.from), tip(arrow.to))).collect()
    }

    fn names(timeline: &Timeline) -> Vec<(&str, Acts)> {
        timeline.lanes.iter().map(|lane| (lane.name.as_str(), lane.acts)).collect()
    }

    #[test]
    fn threads_of_one_program_are_its_server_and_its_client() {
        let mut watched = Watched::default();
        let (server, client) = (("both.py", 7, 8), ("both.py", 7, 7));
        watched.listen(server, 5858);
        watched.connect(server, client, 5858, [4, 5]);
        watched.call(client, Bytes::Write(sent("hello")), 4, 5);
        watched.call(server, Bytes::Read(received("hello")), 5, 5);
        watched.call(client, Connection::Close, 4, 0);
        watched.call(server, Bytes::Read(received("")), 5, 0);
        let timeline = watched.drawn();
        let lanes = [("both.py, thread 1", Acts::Server), ("both.py", Acts::Client)];
        assert_eq!(names(&timeline), lanes);
        let all = |kind| arrows(&timeline, kind);
        assert_eq!(all(ArrowKind::Connect), ["both.py connect > both.py, thread 1 accept"]);
        assert_eq!(all(ArrowKind::Bytes), ["both.py write > both.py, thread 1 read"]);
        assert_eq!(all(ArrowKind::End), ["both.py close > both.py, thread 1 read"]);
    }

    #[test]
    fn a_proxy_stands_between_and_an_unwatched_side_is_opposite() {
        let mut watched = Watched::default();
        let (proxy, client) = (("proxy", 2, 2), ("curl", 3, 3));
        watched.listen(proxy, 8080);
        watched.connect(proxy, client, 8080, [3, 5]);
        let kind = kind(Family::Inet, Type::Stream, 0);
        watched.call(proxy, Connection::Socket(kind), None, 6);
        watched.call(proxy, Connection::Connect(Some(address(80).into())), 6, 0);
        watched.call(proxy, Bytes::Send(sent("hello")), 6, 5);
        let timeline = watched.drawn();
        let lanes = [("server", Acts::Server), ("proxy", Acts::Both), ("curl", Acts::Client)];
        assert_eq!(names(&timeline), lanes);
        assert_eq!(arrows(&timeline, ArrowKind::Bytes), ["proxy send > server -"]);
    }

    /// A note at the end of a process.
    fn ended(watched: &mut Watched, (role, pid, tid): (&str, i32, i32), how: &str) {
        let start_ns = 1000 * watched.events.len() as u64 + 1;
        watched.events.push(Event {
            v: 1,
            kind: netplay_record::Kind::Note,
            role: role.into(),
            example: "watch".into(),
            text: Some("ended".into()),
            value: Some(how.into()),
            start_ns,
            pid,
            tid,
            ..Event::default()
        });
    }

    #[test]
    fn processes_without_sockets_are_left_out_and_those_one_after_the_other_share_a_lane() {
        let mut watched = Watched::default();
        let (server, shell) = (("server.py", 2, 2), ("load.sh", 3, 3));
        watched.listen(server, 5858);
        watched.call(shell, Process::Execve("/bin/sh".into()), None, 0);
        for pid in [10, 12, 14] {
            let (sleep, curl) = (("sleep", pid, pid), ("curl", pid + 1, pid + 1));
            watched.call(shell, Process::Fork, None, i64::from(pid));
            watched.call(sleep, Process::Execve("/bin/sleep".into()), None, 0);
            ended(&mut watched, sleep, "exited 1");
            watched.call(shell, Process::Fork, None, i64::from(pid + 1));
            watched.call(curl, Process::Execve("/bin/curl".into()), None, 0);
            watched.connect(server, curl, 5858, [3, 4]);
            watched.call(curl, Bytes::Send(sent("hello")), 3, 5);
            watched.call(server, Bytes::Recv(received("hello")), 4, 5);
            watched.call(server, Connection::Close, 4, 0);
            ended(&mut watched, curl, "exited 0");
        }
        ended(&mut watched, shell, "exited 0");
        let whole = watched.drawn();
        assert_eq!(whole.lanes.len(), 8, "{:?}", names(&whole));
        let calls = whole.calls.len();
        let folded = whole.folded();
        assert_eq!(names(&folded), [("server.py", Acts::Server), ("curl", Acts::Client)]);
        assert_eq!(folded.lanes[1].detail, "3 processes, one after the other");
        assert_eq!(folded.left_out, crate::LeftOut { lanes: 4, calls: 0 });
        assert_eq!(calls - folded.calls.len(), 3 * 4 + 2);
        assert_eq!(arrows(&folded, ArrowKind::Connect), ["curl connect > server.py accept"; 3]);
        assert_eq!(arrows(&folded, ArrowKind::Bytes), ["curl send > server.py recv"; 3]);
        assert_eq!(arrows(&folded, ArrowKind::Fork), [""; 0]);
        let chinese = folded.told_in(Lang::Zh);
        assert_eq!(chinese.lanes[1].detail, "3 个进程，先后运行");
        assert!(chinese.left_out.in_words(Lang::Zh).is_some_and(|said| said.contains("4 个")));
    }

    #[test]
    fn processes_at_the_same_time_have_a_lane_each() {
        let mut watched = Watched::default();
        let (server, shell) = (("server.py", 2, 2), ("load.sh", 3, 3));
        let curls = [10, 11, 12].map(|pid| ("curl", pid, pid));
        watched.listen(server, 5858);
        for curl in &curls[..2] {
            watched.call(shell, Process::Fork, None, i64::from(curl.1));
            watched.connect(server, *curl, 5858, [3, curl.1]);
        }
        curls[..2].iter().for_each(|&curl| ended(&mut watched, curl, "exited 0"));
        watched.call(shell, Process::Fork, None, 12);
        watched.connect(server, curls[2], 5858, [3, 12]);
        let folded = watched.drawn().folded();
        let lanes: Vec<_> =
            folded.lanes.iter().map(|of| (of.name.as_str(), of.detail.as_str())).collect();
        let shared = ("curl 1", "2 processes, one after the other");
        assert_eq!(lanes, [("server.py", "pid 2"), shared, ("curl 2", "pid 11")]);
    }

    #[test]
    fn a_program_that_failed_stays_and_so_does_one_alone() {
        let mut watched = Watched::default();
        watched.listen(("server.py", 2, 2), 5858);
        let client = ("client.py", 3, 3);
        watched.call(client, Process::Execve("/bin/python3".into()), None, 0);
        ended(&mut watched, client, "exited 1");
        assert_eq!(names(&watched.drawn().folded()).len(), 2);
        let mut alone = Watched::default();
        alone.call(client, Process::Execve("/bin/true".into()), None, 0);
        ended(&mut alone, client, "exited 0");
        assert_eq!(names(&alone.drawn().folded()).len(), 1);
    }

    #[test]
    fn a_call_that_finds_nothing_before_a_wait_is_left_out_and_counted() {
        use netplay_record::{Change, Interest, Wait};
        let again = |watched: &mut Watched, who| {
            watched.call(who, Bytes::Read(Receive { data: None, ..received("") }), 4, -1);
            let event = watched.events.last_mut().unwrap();
            (event.errno, event.bytes) = (Some("EAGAIN".into()), None);
        };
        for (waits, left_out) in [(true, 1), (false, 0)] {
            let mut watched = Watched::default();
            let (server, client) = (("server", 2, 2), ("nc", 3, 3));
            watched.listen(server, 5858);
            watched.connect(server, client, 5858, [3, 4]);
            let added = Interest { change: Change::Add, fd: 4, events: libc::EPOLLIN as u32 };
            watched.call(server, Wait::EpollCtl(added), 5, 0);
            again(&mut watched, ("server", 2, 9));
            if waits {
                let wait = Wait::EpollWait { ready: Vec::new(), room: 8, timeout: -1 };
                watched.call(server, wait, 5, 1);
            }
            watched.call(server, Connection::Close, 4, 0);
            let whole = watched.drawn();
            let calls = whole.calls.len();
            let folded = whole.folded();
            assert_eq!(folded.left_out.calls, left_out);
            // A thread without another call has no lane.
            assert_eq!(folded.lanes.len(), if waits { 2 } else { 3 });
            assert_eq!(calls - folded.calls.len(), left_out as usize);
        }
    }

    #[test]
    fn a_datagram_that_filled_the_buffer_may_be_a_longer_one() {
        let mut watched = Watched::default();
        let (server, client) = (("server.py", 2, 2), ("client.py", 3, 3));
        let kind = kind(Family::Inet, Type::Datagram, 0);
        for (who, port, peer) in [(server, 5858, 40_000), (client, 40_000, 5858)] {
            watched.call(who, Connection::Socket(kind), None, 3);
            watched.call(who, Connection::Bind(Some(address(port).into())), 3, 0);
            watched.call(who, Connection::Connect(Some(address(peer).into())), 3, 0);
        }
        let connect = watched.events.last().unwrap();
        assert!(connect.sentence(Lang::En).ends_with("nothing was sent"));
        watched.call(client, Bytes::Send(sent("hello")), 3, 5);
        watched.call(server, Bytes::Recv(Receive { room: 3, ..received("hel") }), 3, 3);
        let timeline = watched.drawn();
        assert_eq!(arrows(&timeline, ArrowKind::Datagram), ["client.py send > server.py recv"]);
        assert_eq!(arrows(&timeline, ArrowKind::Connect), [""; 0]);
        assert_eq!(names(&timeline), [("server.py", Acts::Server), ("client.py", Acts::Client)]);
    }

    #[test]
    fn a_copy_of_a_descriptor_is_the_same_socket() {
        let mut watched = Watched::default();
        let (server, client) = (("server.py", 2, 2), ("client.py", 3, 3));
        watched.listen(server, 5858);
        watched.connect(server, client, 5858, [3, 4]);
        let dup = Connection::Dup { how: netplay_record::DupName::Dup, to: None, cloexec: false };
        watched.call(server, dup, 4, 6);
        watched.call(server, Connection::Close, 4, 0);
        watched.call(server, Bytes::Write(sent("hi")), 6, 2);
        watched.call(server, Connection::CloseRange { first: 6, last: 9, cloexec: false }, None, 0);
        watched.call(client, Bytes::Recv(received("hi")), 3, 2);
        watched.call(client, Bytes::Recv(received("")), 3, 0);
        let timeline = watched.drawn();
        assert_eq!(arrows(&timeline, ArrowKind::Bytes), ["server.py write > client.py recv"]);
        assert_eq!(arrows(&timeline, ArrowKind::End), ["server.py close_range > client.py recv"]);
    }

    #[test]
    fn a_pair_of_sockets_is_connected_and_a_message_takes_descriptors_along() {
        let mut watched = Watched::default();
        let (parent, child, client) = (("sh", 2, 2), ("sh", 5, 5), ("nc", 3, 3));
        watched.listen(parent, 5858);
        let pair = kind(Family::Unix, Type::Datagram, 0);
        watched.call(parent, Connection::Socketpair(pair, Some([4, 5])), None, 0);
        watched.call(parent, Process::Fork, None, 5);
        watched.connect(parent, client, 5858, [3, 6]);
        watched.call(parent, Bytes::Sendmsg(sent("take it"), None, vec![6]), 4, 7);
        watched.call(parent, Connection::Close, 6, 0);
        let header = Header { control: vec![Control::of_descriptors(&[9])], ..Header::default() };
        let message = Bytes::Recvmsg(received("take it"), Some(header.into()));
        watched.call(child, message, 5, 7);
        watched.call(child, Bytes::Write(sent("hi")), 9, 2);
        watched.call(client, Bytes::Recv(received("hi")), 3, 2);
        watched.call(child, Connection::Close, 9, 0);
        watched.call(client, Bytes::Recv(received("")), 3, 0);
        let timeline = watched.drawn();
        let all = |kind| arrows(&timeline, kind);
        assert_eq!(all(ArrowKind::Datagram), ["sh sendmsg > sh, child 1 recvmsg"]);
        assert_eq!(all(ArrowKind::Bytes), ["sh, child 1 write > nc recv"]);
        assert_eq!(all(ArrowKind::End), ["sh, child 1 close > nc recv"]);
    }

    #[test]
    fn another_program_has_what_is_not_closed_on_exec() {
        let mut watched = Watched::default();
        let (inetd, client) = (("inetd", 2, 2), ("nc", 3, 3));
        watched.listen(inetd, 5858);
        watched.connect(inetd, client, 5858, [3, 4]);
        watched.call(inetd, Process::Execve("/bin/cat".into()), None, 0);
        watched.call(inetd, Bytes::Write(sent("hi")), 4, 2);
        watched.call(client, Bytes::Recv(received("hi")), 3, 2);
        let (calls, lanes) = (&watched.events, ["inetd", "nc"]);
        assert!(calls.iter().any(|event| event.sentence(Lang::En).contains("/bin/cat")));
        let timeline = watched.drawn();
        assert_eq!(timeline.lanes.iter().map(|lane| &*lane.name).collect::<Vec<_>>(), lanes);
        assert_eq!(arrows(&timeline, ArrowKind::Bytes), ["inetd write > nc recv"]);
    }

    #[test]
    fn a_call_that_never_returned_is_a_wait_without_an_answer() {
        let mut watched = Watched::default();
        let server = ("server.py", 2, 2);
        watched.listen(server, 5858);
        let accept = Connection::Accept { peer: None, nonblock: false, cloexec: false };
        watched.call(server, accept, 3, None);
        let accept = watched.events.last().unwrap();
        assert!(accept.is_unfinished() && accept.strace().ends_with(" = ?"));
        let timeline = watched.drawn();
        assert!(timeline.arrows.is_empty());
        let accept = &timeline.calls.last().unwrap().record;
        assert_eq!(accept.answered(Lang::En), "not returned");
        assert_eq!(
            accept.sentence(Lang::En),
            "waiting for a client: it was still waiting when the recording ended"
        );
    }
}
