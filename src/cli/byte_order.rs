//! `netplay byte-order`: a picture for people, or the same facts in JSON.

use std::io::Write;

use crate::byte_order::drawn::{Page, aton, from_network, ntoa, ntop, pton, show, to_network};
use crate::byte_order::{Number, ParseError, htonl, htons, ntohl, ntohs, unsigned};
use crate::client::Usage;
use crate::output::stdout;

const TRY: &str = "\
Try:
  netplay byte-order htons 5858              a port, with and without htons
  netplay byte-order show 0x11223344         a number in both byte orders
  netplay byte-order inet_aton 0177.1        octal; one part for three bytes
  netplay byte-order inet_pton 2001:db8::1   the sixteen bytes of IPv6";

/// The arguments of `netplay byte-order`.
#[derive(Debug, clap::Args)]
#[command(about = "Draw the bytes of a number or an address, in memory and on the wire")]
#[command(after_help = TRY)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,

    /// Print the same facts as a JSON object
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Host to network, 16 bits: a port on its way out
    Htons(Short),
    /// Network to host, 16 bits: a port that came in
    Ntohs(Short),
    /// Host to network, 32 bits: an IPv4 address on its way out
    Htonl(Long),
    /// Network to host, 32 bits: an IPv4 address that came in
    Ntohl(Long),
    /// IPv4 text to four bytes, by the old rules: 127.1, 0x7f.1, 0177.1
    #[command(name = "inet_aton", visible_alias = "inet-aton")]
    InetAton {
        /// One to four parts, each decimal, octal (0...) or hexadecimal (0x...)
        #[arg(allow_hyphen_values = true)]
        text: String,
    },
    /// Four bytes to IPv4 text
    #[command(name = "inet_ntoa", visible_alias = "inet-ntoa")]
    InetNtoa {
        /// The address as one number, most significant byte first: 0x7f000001 is 127.0.0.1
        #[arg(value_name = "N", value_parser = unsigned::<u32>, allow_negative_numbers = true)]
        n: u32,
    },
    /// IPv4 or IPv6 text to bytes, by the strict rules: 127.0.0.1, ::1
    #[command(name = "inet_pton", visible_alias = "inet-pton")]
    InetPton {
        /// With a colon it is read as AF_INET6, without as AF_INET
        #[arg(allow_hyphen_values = true)]
        text: String,
    },
    /// Four bytes to IPv4 text, or sixteen to IPv6 text
    #[command(name = "inet_ntop", visible_alias = "inet-ntop")]
    InetNtop {
        /// The bytes in hexadecimal, together or apart: 7f000001, 7f 00 00 01, 7f:00:00:01
        #[arg(value_name = "HEXBYTES", required = true)]
        bytes: Vec<String>,
    },
    /// A number in both byte orders
    Show {
        /// Drawn as 16, 32 or 64 bits, the fewest that hold it; 0x00000001 is written with 32
        #[arg(value_parser = Number::parse, allow_negative_numbers = true)]
        value: Number,
    },
}

#[derive(Debug, clap::Args)]
struct Short {
    /// From 0 to 65535: decimal, 0x hexadecimal, 0o octal or 0b binary
    #[arg(value_name = "N", value_parser = unsigned::<u16>, allow_negative_numbers = true)]
    n: u16,
}

#[derive(Debug, clap::Args)]
struct Long {
    /// From 0 to 4294967295: decimal, 0x hexadecimal, 0o octal or 0b binary
    #[arg(value_name = "N", value_parser = unsigned::<u32>, allow_negative_numbers = true)]
    n: u32,
}

/// Draws what was asked for; without a subcommand, `show 0x12345678` and what else to try.
///
/// # Errors
/// A text that the function refuses, or standard output cannot be written. (A number out of range is refused before.)
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let page = match &args.command {
        Some(Command::Htons(Short { n })) => to_network("htons", *n, htons(*n)),
        Some(Command::Ntohs(Short { n })) => from_network("ntohs", *n, ntohs(*n)),
        Some(Command::Htonl(Long { n })) => to_network("htonl", *n, htonl(*n)),
        Some(Command::Ntohl(Long { n })) => from_network("ntohl", *n, ntohl(*n)),
        Some(Command::InetAton { text }) => aton(text).map_err(refused)?,
        Some(Command::InetNtoa { n }) => ntoa(*n),
        Some(Command::InetPton { text }) => pton(text).map_err(refused)?,
        Some(Command::InetNtop { bytes }) => ntop(&bytes.join(" ")).map_err(refused)?,
        Some(Command::Show { value }) => show(value),
        None => Page { next: TRY.into(), ..show(&Number::from(0x1234_5678_u32)) },
    };
    let mut out = stdout();
    if args.json {
        writeln!(out, "{:#}", page.facts)?;
    } else {
        writeln!(out, "{}\n{}", page.picture, page.next)?;
    }
    Ok(())
}

/// What the function refuses, the command line should not have asked for.
fn refused(error: ParseError) -> Usage {
    Usage(error.to_string())
}
