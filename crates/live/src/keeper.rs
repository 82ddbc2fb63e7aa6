//! The keeper: the thread that brings the page up to date.
//!
//! A new call is on the page after a breath, in which others come along. To read the whole run again takes the longer the
//! longer it is: another thread [reads a draft](netplay_draw::live::Draft::read), a quarter of the time at most, and new calls do not wait for
//! it. The looks at sockets take a tenth of this thread's time.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use netplay_call::monotonic;
use netplay_draw::live::Settled;
use netplay_record::Event;

use super::board::{Held, Waits};
use super::lock::lock;
use super::shared::{KEPT, Shared};
use super::sockets::Looks;

/// What the recording side says.
pub(crate) enum Fed {
    Record(Box<Event>),
    Name(i32, String),
    Started,
    Waits(Vec<Event>),
    Held(Option<Held>),
    End,
}

/// How long others may come along.
const BREATH: Duration = Duration::from_millis(8);

/// How often the sockets are looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Keeps the page until the end.
pub(crate) fn keep(shared: &Shared, fed: &Receiver<Fed>) {
    let mut looks = Looks::default();
    let (mut settle_at, mut look_at) = (Instant::now(), Instant::now());
    let mut reading: Option<(JoinHandle<Settled>, Instant)> = None;
    let mut ended = false;
    while !ended {
        let first = match fed.recv_timeout(BREATH * 5) {
            Ok(first) => Some(first),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Fed::End),
        };
        let came = first.is_some();
        if came {
            thread::sleep(BREATH);
        }
        let mut records = Vec::new();
        let mut board = lock(&shared.board).clone();
        let (mut is_new, mut took) = (false, false);
        for one in first.into_iter().chain(fed.try_iter()) {
            match one {
                Fed::Record(record) => records.push(*record),
                Fed::Name(pid, name) => lock(&shared.page).name(pid, &name),
                Fed::Started => (board.started, is_new) = (true, true),
                Fed::Waits(calls) => {
                    let page = lock(&shared.page);
                    let lang = page.lang();
                    let waits = calls.iter().map(|call| Waits {
                        lane: page.name_of(call.pid, call.tid).unwrap_or(&call.role).to_owned(),
                        call: call.asked(lang),
                    });
                    let waits: Vec<Waits> = waits.collect();
                    is_new |= waits != board.waits;
                    board.waits = waits;
                }
                Fed::Held(held) => {
                    (board.held, is_new) = (held, true);
                    look_at = Instant::now();
                }
                Fed::End => ended = true,
            }
        }
        for record in &records {
            looks.processes.insert(record.pid);
            looks.learn(record.local.as_deref(), record.peer.as_deref());
        }
        let mut page = lock(&shared.page);
        let some = !records.is_empty();
        page.add(records);
        if let Some((reader, since)) = reading.take_if(|(reader, _)| ended || reader.is_finished())
        {
            settle_at = Instant::now() + 3 * since.elapsed();
            if let Ok(settled) = reader.join() {
                page.take(settled);
                took = true;
            }
        }
        if ended {
            page.settle();
        } else if reading.is_none() && page.is_unsettled() && settle_at <= Instant::now() {
            let draft = page.draft();
            let reader = thread::Builder::new().name("reader".to_owned());
            // Without a thread the next record brings another try.
            if let Ok(reader) = reader.spawn(move || draft.read()) {
                reading = Some((reader, Instant::now()));
            }
        }
        let watched = shared.browsers.load(SeqCst) > 0;
        if ended || watched && look_at <= Instant::now() {
            let before = Instant::now();
            let name =
                |pid: i32| page.name_of(pid, pid).map_or_else(|| pid.to_string(), str::to_owned);
            let sockets = looks.look(&name);
            board.sockets = Some(sockets);
            board.at = page.start_ns().map(|start| monotonic().saturating_sub(start));
            look_at = Instant::now() + LOOK.max(10 * before.elapsed());
            is_new = true;
        }
        let left = shared.fed.load(SeqCst).saturating_sub(KEPT);
        is_new |= left != board.left;
        (board.has, board.left) = (page.records(), left);
        drop(page);
        if ended {
            (board.held, board.waits) = (None, Vec::new());
        }
        if is_new || ended {
            board.version += 1;
            *lock(&shared.board) = board;
        }
        shared.over.store(ended, SeqCst);
        if some || came || took || is_new {
            shared.changed.send_replace(());
        }
    }
}
