//! What a lane takes part as.

/// What a lane takes part as: by its role, or by what it did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Acts {
    /// It accepts connections, or answers those who send it datagrams.
    Server,
    /// Both: it stands between clients and servers.
    Both,
    /// It connects, or sends a datagram first.
    Client,
    /// Nothing of these was seen.
    #[default]
    Unknown,
}

impl Acts {
    /// As the roles of netplay's own programs say.
    #[must_use]
    pub fn of_role(role: &str) -> Option<Acts> {
        match role {
            "server" => Some(Acts::Server),
            "client" => Some(Acts::Client),
            _ => None,
        }
    }

    /// Whether others come to it.
    #[must_use]
    pub fn serves(self) -> bool {
        matches!(self, Acts::Server | Acts::Both)
    }

    /// One of the two names that colours have.
    #[must_use]
    pub fn color(self) -> &'static str {
        if self.serves() { "server" } else { "client" }
    }

    /// Of two things that it did.
    pub(super) fn and(self, other: Acts) -> Acts {
        match (self, other) {
            (Acts::Unknown, other) => other,
            (acts, Acts::Unknown) => acts,
            (acts, other) if acts == other => acts,
            _ => Acts::Both,
        }
    }
}
