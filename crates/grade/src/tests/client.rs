//! A client is tested: the tester is its server, and a hostile one.

use std::net::SocketAddr;
use std::time::Duration;

use netplay_call::{self as call, Domain, TcpListener, Type};
use netplay_review::Rule;
use netplay_text::both;
use netplay_text::both::Both;
use netplay_watch::{Status, Twist};

use crate::guard::{CPU, CPU_OF_START, Stuck};
use crate::peer::{Peer, Trouble, patient};
use crate::program::Program;
use crate::protocol::{Answer, Protocol};
use crate::stage::{Stage, Written};
use crate::verdict::{Broken, Proof, ended, fault, proven};

/// How long a client is left without an answer.
const SILENCE: Duration = Duration::from_millis(10_500);

type Done = Result<(), Broken>;

/// How the tester's server behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// As any server does.
    Calm,
    /// Each answer comes in two parts: its first byte, and when that was read, the rest.
    Pieces,
    /// Answers that can be are sent together.
    Merged,
    /// An answer comes late.
    Slow,
    /// The server ends its side within an answer.
    Ends,
    /// The server resets the connection within an answer.
    Resets,
    /// No answer comes.
    Never,
}

/// What a client has done.
struct Run {
    /// How many requests were outstanding at most.
    outstanding: usize,
    /// What was sent to it.
    answered: Vec<u8>,
    trouble: Option<Trouble>,
    /// The first answer of which only a part was sent, and that part.
    cut: Option<(Vec<u8>, Vec<u8>)>,
    /// How waiting for its end went.
    end: Result<(), Stuck>,
    shown: Written,
}

/// What the client reads from its standard input.
fn input(stage: &Stage<'_>) -> Vec<u8> {
    match &stage.plan.protocol {
        Protocol::File(script) => {
            script.exchanges.iter().flat_map(|one| one.send.clone()).collect()
        }
        Protocol::Echo | Protocol::Line => {
            b"the first line\nand this is the second one\nthe third\n".to_vec()
        }
    }
}

/// The requests in the bytes that have come, and their answers. What is not whole stays.
fn answers(stage: &Stage<'_>, got: &mut Vec<u8>, nth: &mut usize) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    match &stage.plan.protocol {
        Protocol::Echo => {
            // A client of an echo may take any bytes for a request; lines are the likely ones.
            let lines = got.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec);
            all.extend(lines);
            got.clear();
        }
        Protocol::Line => {
            while let Some(at) = got.iter().position(|&byte| byte == b'\n') {
                all.push(got.drain(..=at).collect());
            }
        }
        Protocol::File(script) => loop {
            let one = &script.exchanges[*nth % script.exchanges.len()];
            if !got.starts_with(&one.send) {
                break;
            }
            got.drain(..one.send.len());
            *nth += 1;
            all.push(match &one.answer {
                Answer::Bytes(bytes) => bytes.clone(),
                Answer::Like { starts, ends } => [&starts[..], &ends[..]].concat(),
            });
        },
    }
    all
}

fn listener(stage: &Stage<'_>) -> Result<(TcpListener, SocketAddr), Broken> {
    let address = stage.address()?;
    let domain = if address.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let open = || -> call::Result<TcpListener> {
        let socket = call::socket(domain, Type::STREAM, 0)?;
        call::bind(&socket, address)?;
        call::listen(socket, 16)
    };
    let own = |error: call::CallError| {
        Broken::Skip(both!("netplay cannot listen: {error}", "netplay 无法监听：{error}"))
    };
    Ok((open().map_err(own)?, address))
}

/// Runs the client against a server that behaves so.
fn run(stage: &mut Stage<'_>, way: Way) -> Result<Run, Broken> {
    let (listener, address) = listener(stage)?;
    let text = input(stage);
    stage.start_at(address, Twist::default(), Some(text))?;
    stage.program().guard.cpu(CPU_OF_START);
    let accepted = patient(stage.program(), || call::accept(&listener));
    stage.program().guard.cpu(CPU);
    if let Some(error) = stage.program().start_error() {
        let why = error.to_string();
        stage.cannot = Some(error);
        return Err(Broken::Skip(both!("it could not be started: {why}", "无法启动：{why}")));
    }
    let peer = match accepted {
        Ok(Ok((stream, from))) => Peer::accepted(stream, from),
        Ok(Err(error)) => {
            return Err(Broken::Skip(both!(
                "netplay cannot accept: {error}",
                "netplay 无法接受连接：{error}"
            )));
        }
        Err(Stuck::Interrupted) => return Err(Broken::Interrupted),
        Err(stuck) => {
            let when = both!("it was started, and did not connect", "它已启动，但没有连接");
            return Err(fault(when, stuck, None));
        }
    };
    let mut run = Run {
        outstanding: 0,
        answered: Vec::new(),
        trouble: None,
        cut: None,
        end: Ok(()),
        shown: Written::default(),
    };
    let done = serve(stage, peer, way, &mut run);
    run.trouble = done.err();
    if matches!(run.trouble, Some(Trouble::Stuck { stuck: Stuck::Interrupted, .. })) {
        return Err(Broken::Interrupted);
    }
    let patience = if way == Way::Never { SILENCE } else { crate::guard::PATIENCE };
    stage.program().guard.patience(patience);
    run.end = stage.program_mut().until(Program::has_gone);
    if run.end == Err(Stuck::Ended) {
        run.end = Ok(());
    }
    stage.program_mut().drain();
    let [output, errors] = stage.program().output();
    run.shown = Written { output, errors };
    Ok(run)
}

/// The conversation, up to the end of the client or what this way does to it.
fn serve(stage: &mut Stage<'_>, mut peer: Peer, way: Way, run: &mut Run) -> Result<(), Trouble> {
    if let Some(Answer::Bytes(greeting)) = stage.plan.protocol.greeting() {
        peer.send(stage.program(), greeting)?;
    }
    let (mut got, mut nth, mut waiting) = (Vec::new(), 0, Vec::new());
    loop {
        let n = peer.receive(stage.program())?;
        got.extend(peer.take());
        waiting.extend(answers(stage, &mut got, &mut nth));
        run.outstanding = run.outstanding.max(waiting.len());
        if way == Way::Never {
            // All that it sends is read, until it ends.
            if n == 0 {
                return Ok(());
            }
            stage.program().guard.patience(SILENCE);
            continue;
        }
        if way == Way::Merged && n > 0 {
            // It may send more before it waits.
            let still = |program: &crate::program::Program| program.guard.is_still();
            let _ = stage.program_mut().until(still);
            while let Ok(Some(1..)) = peer.receive_now(stage.program()) {}
            got.extend(peer.take());
            waiting.extend(answers(stage, &mut got, &mut nth));
            run.outstanding = run.outstanding.max(waiting.len());
            let all = waiting.concat();
            waiting.clear();
            peer.send(stage.program(), &all)?;
            run.answered.extend(all);
            continue;
        }
        for answer in waiting.drain(..) {
            run.answered.extend(&answer);
            let half = answer.len().div_ceil(2);
            if matches!(way, Way::Ends | Way::Resets) {
                run.cut = Some((answer.clone(), answer[..half].to_vec()));
            }
            match way {
                Way::Calm | Way::Never | Way::Merged => peer.send(stage.program(), &answer)?,
                Way::Pieces => {
                    let first = answer.len().min(1);
                    peer.send(stage.program(), &answer[..first])?;
                    let still = |program: &crate::program::Program| program.guard.is_still();
                    let _ = stage.program_mut().until(still);
                    peer.send(stage.program(), &answer[first..])?;
                }
                Way::Slow => {
                    std::thread::sleep(Duration::from_millis(1500));
                    peer.send(stage.program(), &answer)?;
                }
                Way::Ends => {
                    peer.send(stage.program(), &answer[..half])?;
                    peer.finish()?;
                    // What else it sends is read and left without an answer.
                    stage.program().guard.cpu(Duration::from_millis(300));
                    while peer.receive(stage.program())? > 0 {
                        peer.take();
                    }
                    return Ok(());
                }
                Way::Resets => {
                    peer.send(stage.program(), &answer[..half])?;
                    let still = |program: &crate::program::Program| program.guard.is_still();
                    let _ = stage.program_mut().until(still);
                    peer.reset();
                    return Ok(());
                }
            }
        }
        if n == 0 {
            return Ok(());
        }
    }
}

/// What the client wrote when its server was calm, once for all tests.
fn calm(stage: &mut Stage<'_>) -> Result<Written, Broken> {
    if let Some(shown) = stage.calm.as_ref() {
        return Ok(shown.clone());
    }
    let when = both!("an ordinary server answered at once", "普通的服务器立即回答");
    let run = run(stage, Way::Calm)?;
    if let Some(trouble) = run.trouble {
        return Err(fault(when, trouble, None));
    }
    run.end.map_err(|stuck| fault(when, stuck, None))?;
    *stage.calm = Some(run.shown.clone());
    Ok(run.shown)
}

/// A line of an answer that the client showed when all was calm, and does not show now.
fn lost(calm: &Written, run: &Run) -> Option<Vec<u8>> {
    let shows = |output: &[u8], part: &[u8]| output.windows(part.len().max(1)).any(|at| at == part);
    let lines = run.answered.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let mut missing =
        lines.filter(|line| shows(&calm.output, line) && !shows(&run.shown.output, line));
    missing.next().map(<[u8]>::to_vec)
}

/// All answers are read and shown, whatever the pieces.
fn reads_all(stage: &mut Stage<'_>, way: Way, when: Both, rule: Rule) -> Done {
    let calm = calm(stage)?;
    let run = run(stage, way)?;
    if way == Way::Merged && run.outstanding < 2 {
        return Err(Broken::Skip(both!(
            "it waits for each answer before it sends the next request",
            "它等到每个回答之后才发送下一个请求",
        )));
    }
    let rule = Some(rule).filter(|_| way != Way::Slow);
    match &run.trouble {
        // It was closed with bytes that it had not read.
        Some(Trouble::Reset { .. }) => {
            let how = both!(
                "it closed the connection with bytes of an answer unread",
                "它关闭连接时还有回答的字节没有读取",
            );
            return Err(fault(when, how, rule));
        }
        Some(trouble) => return Err(fault(when, trouble.clone(), None)),
        None => {}
    }
    run.end.map_err(|stuck| fault(when.clone(), stuck, None))?;
    if let Some(missing) = lost(&calm, &run) {
        let missing = crate::verdict::shown(&missing);
        let how = both!(
            "it did not show this part of an answer: {missing}",
            "它没有显示回答的这一部分：{missing}"
        );
        return Err(fault(when, how, rule));
    }
    fatal(stage, &when)
}

/// A client that a signal of its own fault has ended.
fn fatal(stage: &mut Stage<'_>, when: &Both) -> Done {
    match stage.program_mut().status() {
        Some(status @ Status::Killed(_)) => Err(fault(when.clone(), ended(status), None)),
        _ => Ok(()),
    }
}

/// Each answer comes in two parts.
pub(crate) fn short_recv(stage: &mut Stage<'_>) -> Done {
    let when = both!("each answer came in two parts", "每个回答分两部分到来");
    reads_all(stage, Way::Pieces, when, Rule::ShortRecv)
}

/// Several answers come together.
pub(crate) fn merged(stage: &mut Stage<'_>) -> Done {
    let when = both!("several answers came together", "几个回答一起到来");
    reads_all(stage, Way::Merged, when, Rule::MergedSends)
}

/// The answer comes late.
pub(crate) fn slow_server(stage: &mut Stage<'_>) -> Done {
    let when = both!("each answer came 1.5 s after its request", "每个回答在请求之后 1.5 s 才到来");
    reads_all(stage, Way::Slow, when, Rule::ShortRecv)
}

/// The server ends its side within an answer.
pub(crate) fn half_close(stage: &mut Stage<'_>) -> Done {
    let when =
        both!("the server ended its side within an answer", "服务器在回答中途结束了自己一侧");
    let calm = calm_if_any(stage)?;
    let run = run(stage, Way::Ends)?;
    let ends: Vec<netplay_record::Event> = stage.program().with_records(|records| {
        let end = |record: &&netplay_record::Event| {
            record.direction() == Some(netplay_record::Direction::End)
        };
        records.iter().filter(end).cloned().collect()
    });
    let stuck = match (&run.trouble, &run.end) {
        (Some(Trouble::Stuck { stuck, .. }), _) | (_, Err(stuck)) => Some(*stuck),
        _ => None,
    };
    match stuck {
        None | Some(Stuck::Ended) => {
            fatal(stage, &when)?;
            of_a_cut_answer(stage, calm.as_ref(), &run, when)
        }
        Some(stuck) => {
            let trouble = Trouble::Stuck { stuck, got: Vec::new(), missing: Vec::new() };
            match &ends[..] {
                [] => Err(fault(when, trouble, None)),
                // The review tells how often.
                [_, _, _, _, _, ..] => {
                    let n = netplay_text::words::grouped(ends.len() as u64);
                    let how = both!(
                        "it received the end {n} times, and goes on",
                        "它收到结束 {n} 次，仍在继续"
                    );
                    Err(fault(when, how, Some(Rule::EndIgnored)))
                }
                [end, ..] => {
                    let call = end.call.clone().unwrap_or_default();
                    let said = both!(
                        "it read the end of what the server sends ({call} returned 0), and neither closed the connection nor ended",
                        "它读到了服务器数据的结尾（{call} 返回 0），却既没有关闭连接，也没有结束",
                    );
                    let calls = vec![end.clone()];
                    Err(proven(when, trouble, Some(Proof { rule: Rule::EndIgnored, said, calls })))
                }
            }
        }
    }
}

/// What the client wrote when its server was calm, if it can be compared with.
fn calm_if_any(stage: &mut Stage<'_>) -> Result<Option<Written>, Broken> {
    match calm(stage) {
        Ok(shown) => Ok(Some(shown)),
        Err(Broken::Fault(_)) => Ok(None),
        Err(other) => Err(other),
    }
}

/// A client that ends with exit status 0 says that all went well. It did not where an answer was cut: to show the part as an answer,
/// and no word more, is wrong; only to pass on the bytes that came, as nc does, is not strict.
fn of_a_cut_answer(stage: &mut Stage<'_>, calm: Option<&Written>, run: &Run, when: Both) -> Done {
    let Some((whole, part)) = run.cut.as_ref().filter(|(whole, part)| part.len() < whole.len())
    else {
        return Ok(());
    };
    if stage.program_mut().status() != Some(Status::Exited(0)) {
        return Ok(());
    }
    let Some(line) = calm.and_then(|calm| shown_as_whole(calm, &run.shown, whole, part)) else {
        return Err(Broken::NonStrict(both!(
            "it ended with exit status 0, as if the answer had been whole",
            "它以退出状态 0 结束，好像回答是完整的",
        )));
    };
    let (line, part) = (crate::verdict::shown(&line), crate::verdict::shown(part));
    let how = both!(
        "of an answer only {part} came, and the client took it for the whole: it wrote the line {line}, no error, and ended with exit status 0",
        "一个回答只来了 {part}，客户端把它当成了完整的回答：它写出这一行 {line}，没有报告错误，并以退出状态 0 结束",
    );
    // Its last receives: the part, and what told it that no more comes.
    let calls = stage.program().with_records(|records| {
        let receives = |record: &&netplay_record::Event| {
            let kind = record.direction();
            matches!(kind, Some(netplay_record::Direction::In | netplay_record::Direction::End))
                && record.errno.as_deref() != Some("EAGAIN")
        };
        let mut last: Vec<_> = records.iter().rev().filter(receives).take(2).cloned().collect();
        last.reverse();
        last
    });
    match fault(when, how, None) {
        Broken::Fault(mut fault) => {
            fault.calls = calls;
            Err(Broken::Fault(fault))
        }
        other => Err(other),
    }
}

/// The line in which a client shows the part of an answer just as it shows a whole one, and with the end of a line that never came.
/// None where it writes anything that it does not write to a calm server: that may be what it says of the end.
fn shown_as_whole(calm: &Written, now: &Written, whole: &[u8], part: &[u8]) -> Option<Vec<u8>> {
    let whole = whole.trim_ascii_end();
    let inner = part.trim_ascii_end();
    if inner.is_empty() || inner.len() >= whole.len() || whole.contains(&b'\n') {
        return None;
    }
    let lines = |text: &[u8]| -> Vec<Vec<u8>> {
        text.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect()
    };
    let usual = lines(&calm.output);
    // How a line would be with other words in the place of the answer.
    let with = |line: &[u8], words: &[u8]| -> Option<Vec<u8>> {
        let at = line.windows(whole.len()).position(|found| found == whole)?;
        Some([&line[..at], words, &line[at + whole.len()..]].concat())
    };
    let cut: Vec<Vec<u8>> = usual.iter().filter_map(|line| with(line, inner)).collect();
    // The later answers did not come at all.
    let any_answer = |line: &Vec<u8>| {
        let likes = |of: &Vec<u8>| {
            let same = of.iter().zip(line).take_while(|(a, b)| a == b).count();
            let end = of.iter().rev().zip(line.iter().rev()).take_while(|(a, b)| a == b).count();
            same + end >= line.len() && line.len() < of.len()
        };
        usual.contains(line) || cut.contains(line) || usual.iter().any(likes)
    };
    let said = lines(&now.output);
    let silent = said.iter().all(any_answer)
        && lines(&now.errors).iter().all(|line| lines(&calm.errors).contains(line));
    let found = said.iter().find(|line| line.ends_with(b"\n") && cut.contains(line));
    found.filter(|_| silent).cloned()
}

/// The server resets the connection within an answer.
pub(crate) fn reset(stage: &mut Stage<'_>) -> Done {
    let when =
        both!("the server reset the connection within an answer", "服务器在回答中途重置了连接");
    let calm = calm_if_any(stage)?;
    let run = run(stage, Way::Resets)?;
    run.end.map_err(|stuck| fault(when.clone(), stuck, None))?;
    match stage.program_mut().status() {
        Some(Status::Killed(libc::SIGPIPE)) => Err(Broken::NonStrict(both!(
            "SIGPIPE ended it without a word about what happened",
            "SIGPIPE 终止了它，没有说明发生了什么",
        ))),
        _ => {
            fatal(stage, &when)?;
            of_a_cut_answer(stage, calm.as_ref(), &run, when)
        }
    }
}

/// Nothing listens at the port.
pub(crate) fn refused(stage: &mut Stage<'_>) -> Done {
    let when = both!("nothing listened at the port", "端口上没有监听者");
    let (listener, address) = listener(stage)?;
    drop(listener);
    let text = input(stage);
    stage.start_at(address, Twist::default(), Some(text))?;
    stage.program().guard.cpu(CPU_OF_START);
    let end = stage.program_mut().until(Program::has_gone);
    match end {
        Ok(()) | Err(Stuck::Ended) => {}
        Err(stuck) => return Err(fault(when, stuck, None)),
    }
    match stage.program_mut().status() {
        Some(Status::Exited(0)) => Err(Broken::NonStrict(both!(
            "it ended with exit status 0, as if all had gone well",
            "它以退出状态 0 结束，好像一切顺利",
        ))),
        _ => fatal(stage, &when),
    }
}

/// The server never answers.
pub(crate) fn never_answers(stage: &mut Stage<'_>) -> Done {
    if stage.plan.timeout <= SILENCE {
        return Err(Broken::Skip(both!(
            "it takes 10 s, and --timeout allows less",
            "它需要 10 s，而 --timeout 允许的更少",
        )));
    }
    let when = both!("no answer came for 10 s", "10 s 没有回答");
    let run = run(stage, Way::Never)?;
    let stuck = match (run.trouble, run.end) {
        (Some(Trouble::Stuck { stuck, .. }), _) | (_, Err(stuck)) => stuck,
        _ => return fatal(stage, &when),
    };
    match stuck {
        Stuck::Still { .. } => {
            let how = both!("it still waits: it has no time limit", "它仍在等待：它没有时间限制");
            Err(fault(when, how, None))
        }
        Stuck::Ended => fatal(stage, &when),
        stuck => Err(fault(when, stuck, None)),
    }
}
