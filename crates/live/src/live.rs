//! The page of a run from its beginning to its end, and the side that feeds it.

use std::collections::HashMap;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use netplay_draw::View;
use netplay_draw::live::Live as Page;
use netplay_record::Event;
use nix::sys::signal::SigSet;

use super::board::{Board, Held};
use super::http;
use super::keeper::{self, Fed};
use super::lock::lock;
use super::shared::{KEPT, Shared};
use super::steps::{Step, Steps};

/// A page of a run, and those who read it.
pub struct Live {
    shared: Arc<Shared>,
    feed: Sender<Fed>,
    address: SocketAddr,
    keeper: JoinHandle<()>,
    server: JoinHandle<()>,
}

/// Where the recording side puts down what happens. It never waits.
#[derive(Clone)]
pub struct Feed {
    shared: Arc<Shared>,
    sender: Sender<Fed>,
}

impl Live {
    /// Serves a page of this look at an address; port 0 is any free one. Without `all` it leaves out what a
    /// [picture leaves out](netplay_draw::Timeline::folded).
    ///
    /// # Errors
    /// The address cannot be had, or the kernel gives no random bytes, or no thread.
    #[expect(clippy::disallowed_methods, reason = "no part of what is recorded")]
    pub fn serve(address: SocketAddr, view: View, all: bool) -> io::Result<Live> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            board: Mutex::new(Board::default()),
            page: Mutex::new(Page::new(view, HashMap::new(), all)),
            steps: Steps::default(),
            token: token()?,
            changed: tokio::sync::watch::Sender::new(()),
            browsers: AtomicUsize::new(0),
            opened: Mutex::new(false),
            opening: Condvar::new(),
            fed: AtomicUsize::new(0),
            over: AtomicBool::new(false),
        });
        let (feed, fed) = channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let [of_keeper, of_server] = [&shared, &shared].map(Arc::clone);
        let keeper = spawn("keeper", move || keeper::keep(&of_keeper, &fed))?;
        let server =
            spawn("server", move || runtime.block_on(http::serve(listener, address, of_server)))?;
        Ok(Live { shared, feed, address, keeper, server })
    }

    /// Where a browser of this machine finds the page. The address has a secret of this run in it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/{}/", self.address, self.shared.token)
    }

    /// Where to put down what happens.
    #[must_use]
    pub fn feed(&self) -> Feed {
        Feed { shared: Arc::clone(&self.shared), sender: self.feed.clone() }
    }

    /// Whether a browser has opened the page, or does within this time.
    #[must_use]
    pub fn is_open_within(&self, time: Duration) -> bool {
        let opened = lock(&self.shared.opened);
        let waited = self.shared.opening.wait_timeout_while(opened, time, |opened| !*opened);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Tells the browsers all that was recorded, and that nothing more will come. Returns when they have it; it does not wait
    /// for long for one that does not read.
    pub fn end(self) {
        let _ = self.feed.send(Fed::End);
        let _ = self.keeper.join();
        let _ = self.server.join();
    }
}

impl Feed {
    /// A record, in the order in which calls returned. Beyond [`KEPT`] of them they are only counted.
    pub fn record(&self, record: &Event) {
        if self.shared.fed.fetch_add(1, SeqCst) < KEPT {
            let _ = self.sender.send(Fed::Record(Box::new(record.clone())));
        }
    }

    /// What to call a process, before its first record.
    pub fn name(&self, pid: i32, name: &str) {
        let _ = self.sender.send(Fed::Name(pid, name.to_owned()));
    }

    /// The programs run now.
    pub fn started(&self) {
        let _ = self.sender.send(Fed::Started);
    }

    /// The calls that have not returned yet: records without a result.
    pub fn waits(&self, calls: Vec<Event>) {
        let _ = self.sender.send(Fed::Waits(calls));
    }

    /// A program is held at the entry of this call, until [`step`](Self::step) has an answer.
    pub fn hold(&self, call: &Event) {
        self.held(call.role.to_string(), call.asked(lock(&self.shared.page).lang()));
    }

    /// The story is held before this call of a lane, until [`step`](Self::step) has an answer.
    pub fn held(&self, lane: String, call: String) {
        let n = self.shared.steps.hold();
        let _ = self.sender.send(Fed::Held(Some(Held { n, lane, call })));
    }

    /// What a browser has answered, if one does within this time.
    #[must_use]
    pub fn step(&self, time: Duration) -> Option<Step> {
        self.shared.steps.pressed_within(time)
    }

    /// It is held no longer.
    pub fn release(&self) {
        self.shared.steps.release();
        let _ = self.sender.send(Fed::Held(None));
    }
}

/// A thread that gets no signals: those are for the thread that watches.
fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        let _ = SigSet::all().thread_block();
        work();
    })
}

/// 128 random bits of the kernel's, as hexadecimal digits.
fn token() -> io::Result<String> {
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
