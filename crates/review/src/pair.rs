//! The two ends of each connection.

use std::net::SocketAddr;

use super::model::{Id, Model};

impl Model<'_> {
    /// Finds the other end of each accepted socket. Most programs never ask for the addresses that would name it, so the
    /// connects to a listener are taken in their order, which is that of its queue; where two of them overlap, what one sent
    /// must tell which it was, and where it does not, the connection stays without a pair.
    pub(crate) fn pair(&mut self) {
        let mut clients: Vec<Id> = (0..self.sockets.len())
            .filter(|&id| {
                let socket = &self.sockets[id];
                socket.connected.is_some() && !socket.datagrams && !socket.was_accepted()
            })
            .collect();
        clients.sort_by_key(|&id| self.sockets[id].connected.map(|i| self.start(i)));
        let mut accepted: Vec<Id> =
            (0..self.sockets.len()).filter(|&id| self.sockets[id].was_accepted()).collect();
        accepted.sort_by_key(|&id| self.sockets[id].made.map(|i| self.finish(i)));
        for id in accepted {
            let Some(by) = self.sockets[id].made else { continue };
            let until = self.finish(by);
            let began = |client: &Id| {
                self.sockets[*client].connected.is_some_and(|connect| self.start(connect) <= until)
            };
            let waiting: Vec<Id> = clients
                .iter()
                .copied()
                .take_while(began)
                .filter(|&client| {
                    self.sockets[client].peer.is_none() && self.may_have_accepted(id, by, client)
                })
                .collect();
            let named = waiting.iter().copied().find(|&client| {
                let local = self.sockets[client].local.as_deref();
                local.is_some() && local == self.sockets[id].peer_address.as_deref()
            });
            let client = named.or_else(|| self.first_of(id, &waiting));
            if let Some(client) = client {
                self.sockets[id].peer = Some(client);
                self.sockets[client].peer = Some(id);
                clients.retain(|&of| of != client);
            }
        }
    }

    /// Whether the connect of this client can be the one that this accept took.
    fn may_have_accepted(&self, id: Id, by: usize, client: Id) -> bool {
        let (Some(connect), Some(listener)) =
            (self.sockets[client].connected, self.sockets[id].listener)
        else {
            return false;
        };
        let (here, there) = (&self.sockets[id], &self.sockets[client]);
        let differ = |a: &Option<_>, b: &Option<_>| a.is_some() && b.is_some() && a != b;
        let to = there.peer_address.as_deref().unwrap_or_default();
        let at = self.sockets[listener].local.as_deref().unwrap_or_default();
        reaches(to, at)
            && self.start(connect) <= self.finish(by)
            && !differ(&here.peer_address, &there.local)
    }

    /// The first of those in the queue, if the order of the queue is beyond doubt.
    fn first_of(&self, id: Id, waiting: &[Id]) -> Option<Id> {
        let (&first, rest) = waiting.split_first()?;
        let connect = |client: Id| self.sockets[client].connected.unwrap_or_default();
        let end = self.finish(connect(first));
        let fits = |client: Id| self.may_talk(id, client) && self.may_talk(client, id);
        let unsure: Vec<Id> =
            rest.iter().copied().filter(|&other| self.start(connect(other)) <= end).collect();
        if unsure.is_empty() {
            return fits(first).then_some(first);
        }
        let mut fitting = std::iter::once(first).chain(unsure).filter(|&client| fits(client));
        let only = fitting.next()?;
        fitting.next().is_none().then_some(only)
    }

    /// Whether what one received first can be what the other sent first.
    fn may_talk(&self, from: Id, to: Id) -> bool {
        let Some(&receive) = self.sockets[to].received.first() else { return true };
        let Some(&send) = self.sockets[from].sent.first() else { return false };
        let (sent, received) = (self.content(send), self.content(receive));
        let both = sent.len().min(received.len());
        self.start(send) <= self.finish(receive) && sent[..both] == received[..both]
    }
}

/// The address as both ends mean it: a socket of IPv6 sees an IPv4 client as `[::ffff:127.0.0.1]:40312`.
pub(crate) fn canonical(address: &str) -> Option<SocketAddr> {
    let address: SocketAddr = address.parse().ok()?;
    Some(SocketAddr::new(address.ip().to_canonical(), address.port()))
}

/// Whether a connection to this address comes to a listener at that one.
pub(crate) fn reaches(to: &str, at: &str) -> bool {
    match (canonical(to), canonical(at)) {
        (Some(to), Some(at)) => {
            let any = to.ip().is_unspecified() || at.ip().is_unspecified();
            to.port() == at.port() && (any || to.ip() == at.ip())
        }
        _ => !to.is_empty() && to == at,
    }
}
