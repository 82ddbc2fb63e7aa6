//! What the threads of a page have in common.

use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Condvar, Mutex};

use netplay_draw::live::Live as Page;

use super::board::Board;
use super::steps::Steps;

/// How many records the page has, at most.
pub const KEPT: usize = 200_000;

/// What the threads of a page have in common.
pub(crate) struct Shared {
    pub(crate) page: Mutex<Page>,
    pub(crate) board: Mutex<Board>,
    pub(crate) steps: Steps,
    /// What a request must know.
    pub(crate) token: String,
    /// Tells the browsers' connections that something is new.
    pub(crate) changed: tokio::sync::watch::Sender<()>,
    /// How many browsers hear of it.
    pub(crate) browsers: AtomicUsize,
    /// Whether there has been one.
    pub(crate) opened: Mutex<bool>,
    pub(crate) opening: Condvar,
    /// How many records were fed, also those that the page has no room for.
    pub(crate) fed: AtomicUsize,
    /// Whether nothing more will come.
    pub(crate) over: AtomicBool,
}
