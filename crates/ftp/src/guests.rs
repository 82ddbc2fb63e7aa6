//! Who is here: the clients, and those at the door.
//!
//! ```text
//! accept ─────────────────────────────────────────▶ a client, --max-clients at most
//!    │                                               │            ▲
//!    │ from a host that has guessed wrong            │ a wrong    │ the right
//!    ▼                                               ▼ password   │ password
//! at the door, 256 at most: all taken? one that only waits there makes room for the newcomer
//! ```
//!
//! Clients that guess passwords must not keep out those who know one, not even those of their own host. So
//! the connections of such a host count as clients when they have logged in, and not before. When the door is
//! crowded, the newcomer takes the place of a connection that has no use for it: one that waits for the answer
//! to a wrong password, or has been silent for a second; and of these, one of the host that has the most. A
//! password that waits for its turn to be compared (see [`guesses`](super::guesses)) is never given up. A client
//! that turns out to guess comes to the door in the same way: many hosts with one guess each hold no more
//! places than one host with many.

use std::collections::HashMap;
use std::net::{IpAddr, Shutdown};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::guesses::host;
use netplay_call::{self as call, MSG_DONTWAIT, MSG_NOSIGNAL, TcpStream};
use netplay_text::lang::Lang;

/// Places at the door.
const DOOR: usize = 256;

/// How long a newcomer keeps its place at a crowded door.
const FRESH: Duration = Duration::from_secs(1);

/// How many clients there may be at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// All of them.
    pub clients: usize,
    /// Those with one address.
    pub of_one_address: usize,
}

/// Why there is no place for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// All clients that there may be are there.
    Clients,
    /// All clients with this address that there may be are there.
    OfOneAddress,
    /// Too many connections are about to log in.
    Door,
}

impl Full {
    /// The reason in this language.
    #[must_use]
    pub fn told(self, lang: Lang) -> &'static str {
        let (en, zh) = match self {
            Full::Clients => ("the server has as many clients as it may have", "客户端数已达上限"),
            Full::OfOneAddress => {
                ("this address has as many clients as it may have", "这个地址的客户端数已达上限")
            }
            Full::Door => ("too many clients are about to log in", "正在登录的客户端太多"),
        };
        lang.pick(en, zh)
    }

    /// The reason in a reply: the server speaks English to its clients.
    #[must_use]
    pub fn reply(self) -> &'static str {
        self.told(Lang::En)
    }
}

/// Who is here.
#[derive(Debug)]
pub struct Guests {
    limits: Limits,
    list: Mutex<List>,
}

#[derive(Debug, Default)]
struct List {
    clients: HashMap<IpAddr, usize>,
    door: HashMap<u64, Waiting>,
    next: u64,
}

/// A connection at the door.
#[derive(Debug)]
struct Waiting {
    host: IpAddr,
    stream: Arc<TcpStream>,
    since: Instant,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It may say something.
    Talking,
    /// Its password waits for its turn.
    Asking,
    /// Its password was wrong, and it waits to be told.
    Refused,
}

/// A connection that has a place, until this is dropped.
#[derive(Debug)]
pub struct Guest<'a> {
    guests: &'a Guests,
    stream: Arc<TcpStream>,
    address: IpAddr,
    id: u64,
    is_client: bool,
}

impl Guests {
    /// An empty list, with these limits.
    #[must_use]
    pub fn new(limits: Limits) -> Guests {
        Guests { limits, list: Mutex::default() }
    }

    /// A place for a connection from there: at the door, if that host guesses.
    ///
    /// # Errors
    /// Why there is none.
    pub fn arrive(
        &self,
        stream: &Arc<TcpStream>,
        address: IpAddr,
        guesses: bool,
    ) -> Result<Guest<'_>, Full> {
        let mut list = self.list();
        list.has_room(address, self.limits)?;
        if guesses && list.door.len() >= DOOR {
            list.make_room(Instant::now())?;
        }
        let id = list.next;
        list.next += 1;
        let stream = stream.clone();
        let mut guest = Guest { guests: self, stream, address, id, is_client: !guesses };
        match guesses {
            true => guest.waits(&mut list, State::Talking),
            false => *list.clients.entry(address).or_default() += 1,
        }
        Ok(guest)
    }

    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl List {
    /// Whether one more may be inside.
    fn has_room(&self, address: IpAddr, limits: Limits) -> Result<(), Full> {
        if self.clients.values().sum::<usize>() >= limits.clients {
            return Err(Full::Clients);
        }
        if self.clients.get(&address).is_some_and(|&clients| clients >= limits.of_one_address) {
            return Err(Full::OfOneAddress);
        }
        Ok(())
    }

    /// Sends one away from the door.
    fn make_room(&mut self, now: Instant) -> Result<(), Full> {
        let mut of_host: HashMap<IpAddr, usize> = HashMap::new();
        for waiting in self.door.values() {
            *of_host.entry(waiting.host).or_default() += 1;
        }
        let (&id, _) = self
            .door
            .iter()
            .filter(|(_, waiting)| match waiting.state {
                State::Refused => true,
                State::Talking => now.saturating_duration_since(waiting.since) >= FRESH,
                State::Asking => false,
            })
            .max_by_key(|(_, waiting)| {
                let age = now.saturating_duration_since(waiting.since);
                (of_host[&waiting.host], waiting.state == State::Refused, age)
            })
            .ok_or(Full::Door)?;
        if let Some(waiting) = self.door.remove(&id) {
            // Its buffer has room for a line: this does not wait. Its thread then reads the end.
            let line = b"421 Others want to log in: come back later.\r\n";
            let _ = call::send(&*waiting.stream, line, MSG_NOSIGNAL | MSG_DONTWAIT);
            let _ = call::shutdown(&*waiting.stream, Shutdown::Both);
        }
        Ok(())
    }
}

impl Guest<'_> {
    /// It has said a password, which waits for its turn.
    pub fn asks(&mut self) {
        self.waits(&mut self.guests.list(), State::Asking);
    }

    /// Its password was wrong, and it waits to be told.
    pub fn is_refused(&mut self) {
        self.waits(&mut self.guests.list(), State::Refused);
    }

    /// It has its answer, and may say more.
    pub fn may_talk(&mut self) {
        self.waits(&mut self.guests.list(), State::Talking);
    }

    /// At the door.
    fn waits(&mut self, list: &mut List, state: State) {
        let (since, stream) = (Instant::now(), self.stream.clone());
        let waiting = Waiting { host: host(self.address), stream, since, state };
        list.door.insert(self.id, waiting);
        self.is_no_client(list);
        if list.door.len() > DOOR {
            // It may be this one. Where every place is taken by a password that waits for its turn, there
            // is one more for a moment.
            let _ = list.make_room(since);
        }
    }

    /// It knows the password: from the door to the clients.
    ///
    /// # Errors
    /// Why there is no place.
    pub fn comes_in(&mut self) -> Result<(), Full> {
        if self.is_client {
            return Ok(());
        }
        let mut list = self.guests.list();
        list.has_room(self.address, self.guests.limits)?;
        list.door.remove(&self.id);
        *list.clients.entry(self.address).or_default() += 1;
        self.is_client = true;
        Ok(())
    }

    fn is_no_client(&mut self, list: &mut List) {
        if !std::mem::take(&mut self.is_client) {
            return;
        }
        if let Some(clients) = list.clients.get_mut(&self.address) {
            *clients -= 1;
            if *clients == 0 {
                list.clients.remove(&self.address);
            }
        }
    }
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        let mut list = self.guests.list();
        list.door.remove(&self.id);
        self.is_no_client(&mut list);
    }
}
