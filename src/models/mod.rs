//! The five models of I/O, measured: each receives one message in a process of its own, so that its CPU time and
//! its signals are its own. How each does it stands on the page, [`crate::examples::models`].
//!
//! One run proves little, because the scheduler has its moods. So the models take turns, round after
//! round, and each figure is a median with the least and the most beside it.

mod command;
mod receive;
mod send;
mod figure;
mod text;
mod svg;
mod report;

pub use command::{Manner, Options, measure};
pub use receive::receive;
pub use report::{Format, write};
pub use send::{Experiment, Outcome, Phases, Spread, rounds, run, run_one};
