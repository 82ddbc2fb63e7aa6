//! The functions of byte order and addresses, and what they do, byte by byte ([`drawn`]).
//!
//! The functions themselves are in the crate `netplay-shared`, which the file server also uses.

pub mod drawn;
mod number;

pub use netplay_shared::byte_order::*;
pub use number::{Number, unsigned};
