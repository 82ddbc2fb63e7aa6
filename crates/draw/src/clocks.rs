//! Two hosts on one clock: how far the CLOCK_MONOTONIC of one host is from that of the other.
//!
//! Nothing arrives before it was sent. So each message bounds the difference of the two clocks from one side, and a message the
//! other way from the other side: the interval that is left is as wide as the shortest round trip (F. Cristian,
//! "Probabilistic clock synchronization", 1989; NTP, RFC 5905, section 8, takes its middle). Over a long run the clocks also
//! run at different rates: then each bound is a point above or below a straight line, and all lines that fit are found from
//! the convex hulls of both sets (S. Moon, P. Skelly, D. Towsley, "Estimation and removal of clock skew from network delay
//! measurements", 1999). No assumption about delays is made: they may differ by direction, and vary.
//!
//! ```text
//!   difference
//!       │  ▽   ▽        ▽     above: B sent, A received
//!       │ ───▽──────▽──────── any line between them fits; at each time the lowest and the highest bound the truth
//!       │ △     △       △     below: A sent, B received
//!       └─────────────────▶ time of host B
//! ```
//!
//! Where no line fits, because a clock's rate was adjusted meanwhile, only [`MOST_DRIFT`] is assumed. Two messages
//! that contradict each other even then are refused: these traces are not of the same run.

use netplay_text::lang::Lang;
use netplay_text::say;
use netplay_text::words::duration;
use serde::Serialize;

/// The clocks of two hosts differ in rate by no more than this. NTP disciplines a clock by 500 ppm at most (RFC 5905: MAXFREQ),
/// so two of them differ by twice that.
pub const MOST_DRIFT: f64 = 1_000e-6;

/// How far numbers may be off that were calculated, in nanoseconds.
const ROUNDING: f64 = 0.5;

/// A message from one host to the other bounds the difference between their clocks. Times are nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// When it was, on the clock of host B.
    pub at: i64,
    /// What must be added to B's clock to have A's: at least, or at most, this much.
    pub value: i64,
}

/// What is known of the clock of host B.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Clock {
    /// When the difference is known best: nanoseconds of host B's clock.
    pub at_ns: i64,
    /// How far B's clock is ahead of A's then.
    pub ahead_ns: i64,
    /// The truth is no further than this from it.
    pub within_ns: u64,
    /// By how much B's clock gains on A's, in parts per million: at least and at most.
    pub gains_ppm: (f64, f64),
    #[serde(skip)]
    region: Region,
    #[serde(skip)]
    zero: Bound,
}

/// Why the clocks cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// Nothing bounds the difference from below, or from above.
    Unbounded,
    /// These two bounds contradict each other: indices of those below and those above.
    Contradiction(usize, usize),
}

/// All differences that the bounds allow.
#[derive(Debug, Clone, PartialEq)]
enum Region {
    /// Straight lines: the corners of the area of their slopes and their heights at time 0.
    Lines(Vec<(f64, f64)>),
    /// Any curve that is nowhere steeper than [`MOST_DRIFT`].
    Curves(Curves),
}

/// The tightest bound of those before and of those after each time.
#[derive(Debug, Clone, PartialEq)]
struct Curves {
    below: Side,
    /// Of the mirrored differences, so that it is also a bound from below.
    above: Side,
}

#[derive(Debug, Clone, PartialEq)]
struct Side {
    times: Vec<f64>,
    /// For each time the best of all bounds until then, and which it is: what it is at time 0 if it falls all the way.
    until: Vec<(f64, usize)>,
    /// For each time the best of all bounds from then on: what it is at time 0 if it rises all the way.
    from: Vec<(f64, usize)>,
}

impl Clock {
    /// Finds what fits: `below` are bounds from below, `above` from above.
    ///
    /// # Errors
    /// Nothing fits, or anything does.
    pub fn fit(below: &[Bound], above: &[Bound]) -> Result<Clock, Unfit> {
        let (Some(&zero), Some(_)) = (below.first(), above.first()) else {
            return Err(Unfit::Unbounded);
        };
        let point =
            |bound: &Bound| ((bound.at - zero.at) as f64, (bound.value - zero.value) as f64);
        let below: Vec<(f64, f64)> = below.iter().map(point).collect();
        let above: Vec<(f64, f64)> = above.iter().map(point).collect();
        let curves = Curves::of(&below, &above);
        let gap = |(n, &(at, value)): (usize, &(f64, f64))| {
            let (least, which) = curves.below.best(at);
            (least - value, which, n)
        };
        let worst = above.iter().enumerate().map(gap).max_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((_, below, above)) = worst.filter(|&(over, ..)| over > ROUNDING) {
            return Err(Unfit::Contradiction(below, above));
        }
        let region = match lines(&below, &above) {
            corners if corners.is_empty() => Region::Curves(curves),
            corners => Region::Lines(corners),
        };
        // The interval is narrowest at a bound.
        let width = |&(at, _): &(f64, f64)| {
            let (least, most) = region.interval(at);
            (most - least, at)
        };
        let narrowest = below.iter().chain(&above).map(width).min_by(|a, b| a.0.total_cmp(&b.0));
        let (width, at) = narrowest.unwrap_or_default();
        let gains_ppm = match &region {
            Region::Lines(corners) => {
                let slopes = || corners.iter().map(|&(slope, _)| -slope * 1e6);
                (slopes().fold(f64::MAX, f64::min), slopes().fold(f64::MIN, f64::max))
            }
            Region::Curves(_) => (-MOST_DRIFT * 1e6, MOST_DRIFT * 1e6),
        };
        let (least, most) = region.interval(at);
        let ahead_ns = -(((least + most) / 2.0).round() as i64 + zero.value);
        let (at_ns, within_ns) = (at as i64 + zero.at, (width / 2.0 + ROUNDING).ceil() as u64);
        Ok(Clock { at_ns, ahead_ns, within_ns, gains_ppm, region, zero })
    }

    /// What must be added to B's clock at this time to have A's: at least, and at most.
    #[must_use]
    pub fn interval(&self, at: i64) -> (i64, i64) {
        let (least, most) = self.region.interval((at - self.zero.at) as f64);
        (
            (least - ROUNDING).floor() as i64 + self.zero.value,
            (most + ROUNDING).ceil() as i64 + self.zero.value,
        )
    }

    /// A's time of this time of B: the middle of what is possible.
    #[must_use]
    pub fn to_a(&self, at: i64) -> i64 {
        let (least, most) = self.region.interval((at - self.zero.at) as f64);
        at + ((least + most) / 2.0).round() as i64 + self.zero.value
    }

    /// `+3.0021 s ± 110 µs`: as many digits as are known.
    #[must_use]
    pub fn apart(&self) -> String {
        let digits = 9_usize.saturating_sub(self.within_ns.max(1).ilog10() as usize).clamp(1, 9);
        let (sign, ahead) =
            (if self.ahead_ns < 0 { '-' } else { '+' }, self.ahead_ns.unsigned_abs());
        let step = 10_u64.pow(9 - digits as u32);
        let ahead = (ahead + step / 2) / step * step;
        let seconds = format!("{}.{:09}", ahead / 1_000_000_000, ahead % 1_000_000_000);
        format!("{sign}{} s ± {}", &seconds[..seconds.len() - 9 + digits], duration(self.within_ns))
    }

    /// What is known, in a sentence.
    #[must_use]
    pub fn told(&self, lang: Lang) -> String {
        let apart = self.apart();
        let (least, most) = self.gains_ppm;
        let told = say!(
            lang,
            "host B is {apart}: its clock is moved so that nothing arrives before it was sent; durations stay as measured",
            "主机 B 的时钟为 {apart}：已经平移，使任何数据都不会在发送之前到达；时长保持测量值",
        );
        if least <= 0.0 && most >= 0.0 {
            return told; // its rate may be the same
        }
        let rate = format!("{:+.1} ± {:.1} ppm", (least + most) / 2.0, (most - least) / 2.0);
        say!(lang, "{told}; it gains {rate}", "{told}；快慢相差 {rate}")
    }

    /// B's time of this time of A.
    #[must_use]
    pub fn to_b(&self, at: i64) -> i64 {
        // The difference changes a thousand times more slowly than time: each step has three digits more.
        (0..5).fold(at - self.zero.value, |guess, _| guess + at - self.to_a(guess))
    }
}

impl Region {
    /// The least and the greatest difference at a time.
    fn interval(&self, at: f64) -> (f64, f64) {
        match self {
            Region::Lines(corners) => {
                corners.iter().fold((f64::MAX, f64::MIN), |(least, most), corner| {
                    let value = corner.1 + corner.0 * at;
                    (least.min(value), most.max(value))
                })
            }
            Region::Curves(curves) => (curves.below.best(at).0, -curves.above.best(at).0),
        }
    }
}

impl Curves {
    fn of(below: &[(f64, f64)], above: &[(f64, f64)]) -> Curves {
        let mirrored: Vec<(f64, f64)> = above.iter().map(|&(at, value)| (at, -value)).collect();
        Curves { below: Side::of(below), above: Side::of(&mirrored) }
    }
}

impl Side {
    fn of(bounds: &[(f64, f64)]) -> Side {
        let mut order: Vec<usize> = (0..bounds.len()).collect();
        order.sort_by(|&a, &b| bounds[a].0.total_cmp(&bounds[b].0));
        let best = |best: &mut (f64, usize), (value, n): (f64, usize)| {
            if value > best.0 {
                *best = (value, n);
            }
            Some(*best)
        };
        let none = (f64::MIN, 0);
        let falling = order.iter().map(|&n| (bounds[n].1 + MOST_DRIFT * bounds[n].0, n));
        let rising = order.iter().rev().map(|&n| (bounds[n].1 - MOST_DRIFT * bounds[n].0, n));
        let mut from: Vec<(f64, usize)> = rising.scan(none, best).collect();
        from.reverse();
        Side {
            times: order.iter().map(|&n| bounds[n].0).collect(),
            until: falling.scan(none, best).collect(),
            from,
        }
    }

    /// The best bound at a time, and which one says so.
    fn best(&self, at: f64) -> (f64, usize) {
        let after = self.times.partition_point(|&time| time <= at);
        let before = after.checked_sub(1).map(|last| {
            let (value, n) = self.until[last];
            (value - MOST_DRIFT * at, n)
        });
        let later = self.from.get(after).map(|&(value, n)| (value + MOST_DRIFT * at, n));
        let both = before.into_iter().chain(later);
        both.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or((f64::MIN, 0))
    }
}

/// The corners of the area of all lines (slope, height at time 0) that run above the one set and below the other; none if
/// there is no such line.
fn lines(below: &[(f64, f64)], above: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let (floor, ceiling) = (upper_hull(below), upper_hull(&mirrored(above)));
    // For each slope the heights between which a line fits. Between two of these slopes both change evenly.
    let lowest =
        |slope: f64| floor.iter().map(|&(at, value)| value - slope * at).fold(f64::MIN, f64::max);
    let highest = |slope: f64| {
        -ceiling.iter().map(|&(at, value)| value + slope * at).fold(f64::MIN, f64::max)
    };
    let edge = |sign: f64| {
        move |pair: &[(f64, f64)]| sign * (pair[1].1 - pair[0].1) / (pair[1].0 - pair[0].0)
    };
    let mut slopes: Vec<f64> =
        floor.windows(2).map(edge(1.0)).chain(ceiling.windows(2).map(edge(-1.0))).collect();
    slopes.retain(|slope| slope.abs() < MOST_DRIFT);
    slopes.extend([-MOST_DRIFT, MOST_DRIFT]);
    slopes.sort_by(f64::total_cmp);
    let rooms: Vec<f64> = slopes.iter().map(|&slope| highest(slope) - lowest(slope)).collect();
    let mut fitting: Vec<f64> = Vec::new();
    for (i, (&slope, &room)) in slopes.iter().zip(&rooms).enumerate() {
        if let Some((&before, &was)) = i.checked_sub(1).map(|i| (&slopes[i], &rooms[i]))
            && (was < 0.0) != (room < 0.0)
        {
            fitting.push(before + (slope - before) * was / (was - room));
        }
        if room >= 0.0 {
            fitting.push(slope);
        }
    }
    let corners = fitting.iter().flat_map(|&slope| {
        let (low, high) = (lowest(slope), highest(slope));
        [(slope, low.min(high)), (slope, high.max(low))]
    });
    corners.collect()
}

fn mirrored(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    points.iter().map(|&(at, value)| (at, -value)).collect()
}

/// The points that no line between two others runs above, in the order of time (A. Andrew's monotone chain).
fn upper_hull(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut sorted = points.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
    sorted.dedup_by_key(|point| point.0); // the highest of a time stays
    let mut hull: Vec<(f64, f64)> = Vec::new();
    for point in sorted {
        while let [.., a, b] = hull[..]
            && (b.1 - a.1) * (point.0 - a.0) <= (point.1 - a.1) * (b.0 - a.0)
        {
            hull.pop();
        }
        hull.push(point);
    }
    hull
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: i64 = 1_000_000;

    fn bound(at: i64, value: i64) -> Bound {
        Bound { at, value }
    }

    #[test]
    fn one_round_trip_bounds_the_difference_by_its_length() {
        // A sends at 1000 ms and has the answer at 1010 ms; B, which is 5 s ahead, has it at 6002 and answers at 6004.
        let clock = Clock::fit(
            &[bound(6_002 * MS, -5_002 * MS)],
            &[bound(6_004 * MS, (1_010 - 6_004) * MS)],
        )
        .unwrap();
        assert!(clock.within_ns.abs_diff(4_000_000) < 2_500, "{clock:?}");
        assert!((clock.ahead_ns - 4_998 * MS).abs() < 2_500, "{clock:?}");
        let (least, most) = clock.interval(6_003 * MS);
        assert!((least..=most).contains(&(-5_000 * MS)));
        assert_eq!(clock.to_b(clock.to_a(6_003 * MS)), 6_003 * MS);
    }

    #[test]
    fn what_only_goes_one_way_bounds_nothing() {
        assert_eq!(Clock::fit(&[bound(0, 0)], &[]), Err(Unfit::Unbounded));
        assert_eq!(Clock::fit(&[], &[bound(0, 0)]), Err(Unfit::Unbounded));
    }

    #[test]
    fn two_bounds_that_contradict_are_named() {
        let below = [bound(0, -MS), bound(100 * MS, 2 * MS)];
        let above = [bound(50 * MS, 3 * MS), bound(101 * MS, MS)];
        assert_eq!(Clock::fit(&below, &above), Err(Unfit::Contradiction(1, 1)));
    }

    #[test]
    fn a_rate_that_changed_is_no_contradiction() {
        // The difference rises by 300 ppm for a second, and falls for another: no line fits, but a curve does.
        let truth = |at: i64| 300 * MS / 1_000 - (at - 1_000 * MS).abs() * 3 / 10_000;
        let times = || (0..=20).map(|n| n * 100 * MS);
        let below: Vec<Bound> = times().map(|at| bound(at, truth(at) - 10_000)).collect();
        let above: Vec<Bound> =
            times().map(|at| bound(at + 1_000, truth(at + 1_000) + 10_000)).collect();
        let clock = Clock::fit(&below, &above).unwrap();
        assert!(matches!(clock.region, Region::Curves(_)));
        for at in times() {
            let (least, most) = clock.interval(at);
            assert!((least..=most).contains(&truth(at)) && most - least < 21_000);
        }
    }

    proptest! {
        /// Whatever the delays are: the truth is inside, nothing arrives before it was sent, and the interval is never wider
        /// than the shortest round trip there and then.
        #[test]
        fn the_truth_is_always_inside(
            ahead in -1_000_000_000_000_000_i64..1_000_000_000_000_000,
            ppm in -400_i64..400,
            trips in prop::collection::vec((0_i64..10_000_000_000, 1_i64..50_000_000, 1_i64..50_000_000), 1..60),
        ) {
            // What must be added to B's clock at a time of B.
            let truth = |b: i64| -ahead - (i128::from(b - ahead) * i128::from(ppm) / 1_000_000) as i64;
            let a_of = |b: i64| b + truth(b);
            let (mut below, mut above) = (Vec::new(), Vec::new());
            for &(at, there, back) in &trips {
                let b = at + ahead;
                below.push(bound(b, a_of(b) - there - b));
                above.push(bound(b + 1_000, a_of(b + 1_000) + back - (b + 1_000)));
            }
            let clock = Clock::fit(&below, &above).unwrap();
            prop_assert!(matches!(clock.region, Region::Lines(_)));
            for (bound, &(_, there, back)) in below.iter().zip(&trips) {
                let (least, most) = clock.interval(bound.at);
                prop_assert!((least..=most).contains(&truth(bound.at)), "{least} {} {most}", truth(bound.at));
                prop_assert!(most - least <= there + back + 10);
                prop_assert!(clock.to_a(bound.at) - bound.at >= bound.value);
                prop_assert!((clock.to_b(clock.to_a(bound.at)) - bound.at).abs() <= 1);
            }
            for bound in &above {
                prop_assert!(clock.to_a(bound.at) - bound.at <= bound.value);
            }
            let shortest = trips.iter().map(|&(_, there, back)| there + back).min().unwrap();
            prop_assert!(2 * clock.within_ns as i64 <= shortest + 10);
            let (least, most) = clock.gains_ppm;
            prop_assert!(least - 0.01 <= ppm as f64 && ppm as f64 <= most + 0.01, "{least} {ppm} {most}");
        }
    }
}
