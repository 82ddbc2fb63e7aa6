//! The tests, a file for each group of the catalogue.

pub(crate) mod bytes;
pub(crate) mod client;
pub(crate) mod ends;
pub(crate) mod kernel;
pub(crate) mod many;
mod proof;
pub(crate) mod starts;
pub(crate) mod udp;
