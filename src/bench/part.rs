//! What one load generator saw, in a file that other machines and other programs can read.
//!
//! Percentiles of several machines cannot be computed from their percentiles. They can be from their histograms: a
//! bucket of the sum has the sum of the counts. So a part has its whole histogram, in the form that all HdrHistogram
//! libraries write and read (V2, deflated, base64; it begins with `HISTF`).

use std::io::Read as _;

use anyhow::{Context, Result, anyhow, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::ZlibDecoder;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{
    Deserializer, Serializer as _, V2DeflateSerializer, V2Serializer,
};
use serde::{Deserialize, Serialize};

use super::load::{Errors, Tally};
use super::machine::Machine;
use super::moment::{Clock, Moment};
use super::plan::{Load, Manner};
use super::sample::Latency;
use crate::lang::Lang;
use netplay_text::say;

/// What one load generator saw.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Part {
    /// The version of this form: 1.
    pub v: u32,
    /// The name of the host that put on the load.
    pub host: String,
    /// The server, as it was typed.
    pub target: String,
    /// And the address that this name had here.
    pub address: String,
    /// When it was to begin; RFC 3339, as `began`.
    pub start_at: Option<String>,
    /// When it began, by the wall clock of its host.
    pub began: String,
    /// What is known of that clock.
    pub clock: Option<Clock>,
    /// Whether it was interrupted.
    pub partial: bool,
    /// The host.
    pub machine: Machine,
    /// How many connections there were.
    pub load: Load,
    /// What they sent, and how.
    pub manner: Manner,
    /// How long they did so.
    pub seconds: f64,
    /// Replies in that time.
    pub replies: u64,
    /// And until it was quiet again.
    pub all_replies: u64,
    /// Connections that had a reply at least once.
    pub served: u64,
    /// Requests on such connections that had no reply in the end. The time until then is in the histogram.
    pub unanswered: u64,
    /// What went wrong.
    pub errors: Errors,
    /// Nanoseconds of CPU time of the load generator.
    pub client_cpu_ns: u64,
    /// Percentiles of the histogram, for programs that cannot read it.
    pub latency: Option<Latency>,
    /// From request to reply, in nanoseconds: V2 of HdrHistogram, deflated, in base64.
    pub histogram: String,
    /// The length of a slice, in nanoseconds.
    pub slice_ns: u64,
    /// Replies in each slice, from the beginning.
    pub slices: Vec<u64>,
}

/// A larger file is not read as a part: a part with every bucket in use has half a mebibyte.
pub const LARGEST: usize = 4 << 20;

/// More slices than a part has.
const MOST_SLICES: usize = 10_000;

/// More replies than a part can have seen; sums of many such numbers still are whole.
const MOST: u64 = 1 << 48;

/// Bytes of the head of a serialised histogram, and at most of its counts: up to nine for each bucket.
const HEAD: usize = 40;
const MOST_COUNTS: usize = 9 * 32_768;

impl Part {
    /// Where its time ends, in nanoseconds after it began.
    #[must_use]
    pub fn span(&self) -> i64 {
        (self.seconds * 1e9) as i64
    }

    /// When it began.
    ///
    /// # Errors
    /// That is no moment.
    pub fn began(&self) -> Result<Moment> {
        self.began.parse()
    }

    /// Replies a second, in all of its time.
    #[must_use]
    pub fn rate(&self) -> f64 {
        if self.seconds > 0.0 { self.replies as f64 / self.seconds } else { 0.0 }
    }

    /// Its histogram.
    ///
    /// # Errors
    /// It is damaged, or has other buckets than those of netplay.
    pub fn times(&self) -> Result<Histogram<u64>> {
        decode(&self.histogram)
    }

    /// As JSON, on one line: it is for programs, and has up to a thousand slices.
    ///
    /// # Errors
    /// None: every value can be written.
    pub fn json(&self) -> Result<String> {
        Ok(serde_json::to_string(self)? + "\n")
    }

    /// A part that [`json`](Part::json) wrote, with its histogram. What contradicts itself is refused.
    ///
    /// # Errors
    /// It is not one, or it is damaged.
    pub fn read(text: &str) -> Result<(Part, Histogram<u64>)> {
        let lang = Lang::current();
        let none = lang.pick(
            "not a part that netplay bench --load-only has written",
            "不是 netplay bench --load-only 所写的部分结果",
        );
        let part: Part = serde_json::from_str(text).context(none)?;
        let v = part.v;
        ensure!(v == 1, say!(lang, "a part of another version: {v}", "部分结果的版本不同：{v}"));
        let times = part.check().context(lang.pick("a damaged part", "部分结果已损坏"))?;
        Ok((part, times))
    }

    /// Whether its figures fit each other.
    fn check(&self) -> Result<Histogram<u64>> {
        let lang = Lang::current();
        self.began().context("began")?;
        ensure!((0.0..=1e6).contains(&self.seconds), "seconds: {:e}", self.seconds);
        let total = self.load.total();
        ensure!((1..=i32::MAX as usize).contains(&total), "load: {total}");
        let Part { replies, all_replies, unanswered, served, .. } = *self;
        let small = [replies, all_replies, unanswered, self.errors.count_checked().unwrap_or(MOST)];
        ensure!(
            small.iter().all(|&n| n < MOST),
            "{}",
            lang.pick("impossible counts", "计数不可能")
        );
        ensure!(served <= total as u64, "served: {served} > {total}");
        let times = self.times()?;
        let (counted, in_all) = (replies + unanswered, times.len());
        ensure!(
            in_all == counted,
            say!(
                lang,
                "its histogram has {in_all} times for {counted} requests",
                "直方图里有 {in_all} 个时间，而请求有 {counted} 个"
            )
        );
        ensure!(
            self.slice_ns > 0 && self.slices.len() <= MOST_SLICES,
            "slices: {}, {} ns",
            self.slices.len(),
            self.slice_ns
        );
        let sum = self.slices.iter().try_fold(0_u64, |sum, &n| sum.checked_add(n));
        ensure!(
            sum == Some(replies),
            say!(
                lang,
                "its slices do not add up to its {replies} replies",
                "各时间片的应答加起来不是 {replies} 个"
            )
        );
        Ok(times)
    }
}

/// A histogram as text.
///
/// # Errors
/// None for the histograms of a [`Tally`]: their counts are small enough.
pub fn encode(times: &Histogram<u64>) -> Result<String> {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new()
        .serialize(times, &mut bytes)
        .map_err(|error| anyhow!("a histogram cannot be written: {error}"))?;
    Ok(STANDARD.encode(bytes))
}

/// What [`encode`] wrote. The bytes may come from anywhere: nothing larger than a histogram of netplay is unpacked, and
/// its head must be that of one before the library sees it.
fn decode(text: &str) -> Result<Histogram<u64>> {
    const DEFLATED: [u8; 4] = 0x1c84_9314_u32.to_be_bytes();
    let lang = Lang::current();
    let damaged = || lang.pick("its histogram cannot be read", "直方图无法读取").to_owned();
    let packed = STANDARD.decode(text).map_err(|error| anyhow!("{error}")).with_context(damaged)?;
    let deflated =
        packed.get(8..).filter(|_| packed.starts_with(&DEFLATED)).with_context(damaged)?;
    let mut bytes = Vec::new();
    let limit = (HEAD + MOST_COUNTS) as u64;
    ZlibDecoder::new(deflated).take(limit + 1).read_to_end(&mut bytes).with_context(damaged)?;
    let ours = Tally::default().latency;
    let head = head(&ours, bytes.len().saturating_sub(HEAD));
    ensure!(
        bytes.len() as u64 <= limit && bytes.starts_with(&head),
        lang.pick(
            "its histogram has other buckets than those of netplay",
            "直方图的区间与 netplay 的不同"
        )
    );
    // No count is so large; the library would negate what cannot be negated.
    ensure!(!bytes[HEAD..].windows(9).any(|nine| nine == [0xff; 9]), damaged());
    let times: Histogram<u64> = Deserializer::new()
        .deserialize(&mut &bytes[..])
        .map_err(|error| anyhow!("{error}"))
        .with_context(damaged)?;
    let sum = times.iter_recorded().try_fold(0_u64, |sum, step| {
        sum.checked_add(step.count_at_value()).filter(|&sum| sum < MOST)
    });
    ensure!(sum == Some(times.len()), damaged());
    Ok(times)
}

/// The head of a serialised histogram with these buckets and so many bytes of counts: a mark, the length of the counts, an
/// offset, the number of digits, the lowest and the highest value, a factor.
fn head(times: &Histogram<u64>, counts: usize) -> Vec<u8> {
    let mut head = Vec::new();
    V2Serializer::new().serialize(times, &mut head).expect("a vector takes all bytes");
    head.truncate(HEAD);
    head[4..8].copy_from_slice(&(counts as u32).to_be_bytes());
    head
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::*;

    fn some() -> Histogram<u64> {
        let mut times = Tally::default().latency;
        (1..=1000_u64).for_each(|n| times.saturating_record(n * n * 60_000));
        times
    }

    /// A histogram of these bytes, in the outer form.
    fn packed(bytes: &[u8]) -> String {
        let mut deflated = ZlibEncoder::new(Vec::new(), Compression::best());
        deflated.write_all(bytes).unwrap();
        let deflated = deflated.finish().unwrap();
        let mut packed = 0x1c84_9314_u32.to_be_bytes().to_vec();
        packed.extend((deflated.len() as u32).to_be_bytes());
        packed.extend(deflated);
        STANDARD.encode(packed)
    }

    #[test]
    fn a_histogram_reads_back_bucket_for_bucket() {
        let times = some();
        assert_eq!(decode(&encode(&times).unwrap()).unwrap(), times);
        let none = Tally::default().latency;
        assert!(decode(&encode(&none).unwrap()).unwrap().is_empty());
    }

    #[test]
    fn a_histogram_that_is_damaged_or_hostile_is_refused() {
        let text = encode(&some()).unwrap();
        assert!(text.starts_with("HISTF"));
        for end in 0..text.len() {
            assert!(decode(&text[..end]).is_err(), "{end} of {} bytes", text.len());
        }
        let ours = Tally::default().latency;
        let with = |head: Vec<u8>, counts: &[u8]| packed(&[&head[..], counts].concat());
        // The most negative number, which has no positive one.
        assert!(decode(&with(head(&ours, 9), &[0xff; 9])).is_err());
        assert!(decode(&with(head(&ours, 10), &[&[0][..], &[0xff; 9]].concat())).is_err());
        // Counts that overflow their sum, and zeros up to far behind the last bucket.
        let many = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        assert!(decode(&with(head(&ours, 27), &many.repeat(3))).is_err());
        let zeros = [0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 2];
        assert!(decode(&with(head(&ours, 10), &zeros)).is_err());
        // A length that is not so, and a gibibyte of zeros.
        assert!(decode(&with(head(&ours, u32::MAX as usize), &[0; 16])).is_err());
        assert!(decode(&with(head(&ours, 1 << 20), &vec![0; 1 << 20])).is_err());
        // Buckets that need a lot of memory.
        let wide = Histogram::<u64>::new_with_bounds(1, u64::MAX, 5).unwrap();
        assert!(decode(&encode(&wide).unwrap()).is_err());
    }
}
