//! How the values of options are read.

use std::ffi::OsStr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use anyhow::{Context, Result, anyhow, ensure};
use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Command};

/// Reads a number from 1 to `most`.
pub fn up_to<N: TryFrom<usize>>(
    most: usize,
) -> impl Fn(&str) -> Result<N> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text.parse()?;
        ensure!((1..=most).contains(&number), "it must be 1 to {most}");
        number.try_into().map_err(|_| anyhow!("it must be 1 to {most}"))
    }
}

/// Reads a number in this range; the error for anything else names `what` it should be.
pub fn within<N>(
    range: RangeInclusive<N>,
    what: &'static str,
) -> impl Fn(&str) -> Result<N> + Clone + Send + Sync + 'static
where
    N: FromStr + PartialOrd + Clone + Send + Sync + 'static,
{
    move |text| text.parse().ok().filter(|number| range.contains(number)).context(what)
}

/// Reads a value as another parser does, and tells shells which words to complete.
#[derive(Debug, Clone)]
pub struct Offer<P> {
    read: P,
    words: fn() -> Vec<&'static str>,
}

impl<P> Offer<P> {
    /// The parser, and the words.
    pub fn new(read: P, words: fn() -> Vec<&'static str>) -> Offer<P> {
        Offer { read, words }
    }
}

impl<P: TypedValueParser> TypedValueParser for Offer<P> {
    type Value = P::Value;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<P::Value, clap::Error> {
        self.read.parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new((self.words)().into_iter().map(PossibleValue::new)))
    }
}
