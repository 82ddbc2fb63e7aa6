//! How much of a run could be compared: a check that had nothing to look at has found nothing.

/// What could be compared at both ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compared {
    /// Connections of which both ends are recorded.
    pub connections: usize,
    /// Connections of which the records have one end.
    pub one_sided: usize,
    /// How many bytes were received in the connections with both ends.
    pub bytes: u64,
    /// Of these, how many the records of both ends have kept, so that they were compared.
    pub kept: u64,
    /// Datagrams that were received, of which the records have the send.
    pub datagrams: usize,
}
