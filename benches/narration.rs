//! What the record costs without a listener: the same messages over a pair of sockets, through
//! `call::send` and `call::recv` and directly through std, in turn, in one run.
//!
//! ```sh
//! cargo bench --bench narration
//! ```
//!
//! Prints the median ratio of the two times with the middle half of all rounds, and the same for the
//! direct calls against themselves: a difference smaller than that one means nothing.

use std::io::{Read, Result, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use netplay::call::{self, MSG_NOSIGNAL};

const ROUNDS: usize = 201;
const MESSAGES: usize = 2_000;

fn main() -> Result<()> {
    let (here, there) = UnixStream::pair()?;
    let (mut recorded, mut noise) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let through_call = time(|message, buf| {
            call::send(&here, message, MSG_NOSIGNAL).expect("the pair is open");
            call::recv(&there, buf, 0).expect("the pair is open");
            Ok(())
        })?;
        let direct = || {
            time(|message, buf| {
                (&here).write_all(message)?;
                (&there).read(buf).map(|_| ())
            })
        };
        let (first, second) = (direct()?, direct()?);
        recorded.push(through_call.as_secs_f64() / first.as_secs_f64());
        noise.push(second.as_secs_f64() / first.as_secs_f64());
    }
    println!("send + recv of 64 bytes, {ROUNDS} rounds of {MESSAGES}, no listener");
    report("call / direct  ", &mut recorded);
    report("direct / direct", &mut noise);
    Ok(())
}

fn time(mut exchange: impl FnMut(&[u8], &mut [u8]) -> Result<()>) -> Result<Duration> {
    let (message, mut buf) = ([b'x'; 64], [0; 1024]);
    let start = Instant::now();
    for _ in 0..MESSAGES {
        exchange(&message, &mut buf)?;
    }
    Ok(start.elapsed())
}

fn report(what: &str, ratios: &mut [f64]) {
    ratios.sort_by(f64::total_cmp);
    let at = |part: usize| ratios[ratios.len() * part / 4];
    println!("{what}  {:.3}   middle half {:.3} to {:.3}", at(2), at(1), at(3));
}
