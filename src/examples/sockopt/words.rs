//! What to read and set, as people type it: `udp`, `SO_RCVBUF`, `SO_RCVBUF=5000`.

use std::time::Duration;

use clap::Args;
use clap::builder::StringValueParser;

use super::{Protocol, Row, probe, probe_all};
use crate::call::{self, Kind, OPTIONS, Opt, OptValue};
use crate::escape::escape;
use crate::examples::value::Offer;

const TRY: &str = "\
Try:
  netplay sockopt tcp                every option of a TCP socket
  netplay sockopt SO_RCVBUF          what it is, and how to set it
  netplay sockopt SO_RCVBUF=5000     what the kernel makes of that
  netplay sockopt -v SO_LINGER=5     the same, call by call";

/// The words and options of `netplay sockopt`.
#[derive(Debug, Args)]
#[command(about = "Ask every socket option, set it, and see what the kernel made of it")]
#[command(after_help = TRY)]
pub struct Options {
    /// tcp, udp, unix (all three unless named), and one option to explain, or to set and read back
    #[arg(value_name = "tcp|udp|unix|OPTION|OPTION=VALUE", hide_possible_values = true)]
    #[arg(value_parser = Offer::new(StringValueParser::new(), names))]
    pub words: Vec<String>,

    /// Print the same facts as a JSON object
    #[arg(long)]
    pub json: bool,
}

/// What to read and set.
#[derive(Debug)]
pub struct Request {
    protocols: Vec<Protocol>,
    /// One option; `None` means all of them.
    pub option: Option<Opt>,
    /// What it is to be set to.
    pub value: Option<OptValue>,
}

impl Request {
    /// Reads the words.
    ///
    /// # Errors
    /// A word names no option: the sentence lists options with similar names.
    pub fn read(words: &[String]) -> Result<Request, String> {
        let mut request = Request { protocols: Vec::new(), option: None, value: None };
        for word in words {
            if let Some(protocol) = Protocol::ALL.into_iter().find(|p| p.name() == word) {
                request.protocols.push(protocol);
                continue;
            }
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word.as_str(), None),
            };
            let option = find(name)?;
            if let Some(first) = request.option.replace(option) {
                let (first, second) = (first.name(), option.name());
                return Err(format!("one option at a time: {first} or {second}?"));
            }
            let read = |text| read(option, text).map_err(|why| format!("{name}: {why}"));
            request.value = value.map(read).transpose()?;
        }
        if request.protocols.is_empty() {
            request.protocols = Protocol::ALL.into();
            if let Some(option) = request.option {
                request.protocols.retain(|protocol| protocol.has(option.level()));
            }
            if request.value.is_some() {
                request.protocols.truncate(1);
            }
        }
        Ok(request)
    }

    /// The result for each option on each kind of socket.
    ///
    /// # Errors
    /// No such socket can be made.
    pub fn rows(&self) -> call::Result<Vec<Row>> {
        let mut rows = Vec::new();
        for &protocol in &self.protocols {
            match self.option {
                Some(option) => rows.push(probe(protocol, option, self.value.clone())?),
                None => rows.extend(probe_all(protocol)?),
            }
        }
        Ok(rows)
    }
}

/// What can be named here: the kinds of sockets, and the options.
fn names() -> Vec<&'static str> {
    let protocols = Protocol::ALL.iter().map(|protocol| protocol.name());
    protocols.chain(OPTIONS.iter().map(|option| option.name())).collect()
}

/// The option of this name, in any case.
fn find(typed: &str) -> Result<Opt, String> {
    let name = typed.to_uppercase();
    if let Some(option) = OPTIONS.iter().find(|option| option.name() == name) {
        return Ok(*option);
    }
    let mut near: Vec<(usize, &str)> =
        OPTIONS.iter().map(|option| (letters(&name, option.name()), option.name())).collect();
    near.sort();
    let near: Vec<&str> = near
        .iter()
        .filter(|(steps, _)| *steps <= typed.len() / 3)
        .take(3)
        .map(|(_, name)| *name)
        .collect();
    let typed = escape(typed.as_bytes());
    Err(match near[..] {
        [] => format!("\"{typed}\" is no socket option, nor tcp, udp or unix"),
        _ => format!("\"{typed}\" is no socket option; did you mean {}?", near.join(", ")),
    })
}

/// How many letters must be put in, taken out or changed. A name may lack its `SO_`.
fn letters(typed: &str, name: &str) -> usize {
    let bare = name.split_once('_').map_or(name, |(_, bare)| bare);
    if typed == bare { 0 } else { strsim::levenshtein(typed, name) }
}

/// A value as people write it for an option of this kind.
fn read(option: Opt, text: &str) -> Result<OptValue, String> {
    let seconds = || {
        let seconds = text.parse().ok().filter(|&seconds: &f64| (0.0..=1e9).contains(&seconds));
        seconds.map(Duration::from_secs_f64)
    };
    let (value, wanted) = match option.kind() {
        Kind::Int => (int(text).map(OptValue::from), "a number, or on or off"),
        Kind::Time => (seconds().map(OptValue::from), "seconds, such as 1.5; 0 for no limit"),
        Kind::Linger if text == "off" => (Some(None.into()), ""),
        Kind::Linger => (seconds().map(|time| Some(time).into()), "seconds, or off"),
        Kind::Address => (text.parse().ok().map(OptValue::Address), "an IPv4 address"),
        Kind::Text(_) => (Some(text.into()), ""),
        Kind::Bytes(_) => (None, "nothing from here: its value is a structure"),
    };
    value.ok_or_else(|| format!("{text:?} will not do; it takes {wanted}"))
}

fn int(text: &str) -> Option<i32> {
    match (text, text.strip_prefix("0x")) {
        ("on", _) => Some(1),
        ("off", _) => Some(0),
        (_, Some(hex)) => u32::from_str_radix(hex, 16).ok().map(u32::cast_signed),
        _ => text.parse().ok(),
    }
}
