//! The client for a server: the command to type in a second terminal.

use std::path::Path;

use anyhow::Result;
use clap::ArgMatches;
use clap::parser::ValueSource;

use super::row::{Example, Place};
use crate::address::seen_from_here;
use crate::escape::shell_word;
use crate::inspect;
use crate::server::ServerArgs;

/// The command that talks to a server with these arguments; `None` if no client can reach it.
///
/// # Errors
/// The host of the server has no address.
pub fn its_client(
    example: &Example,
    args: &ServerArgs,
    matches: &ArgMatches,
) -> Result<Option<String>> {
    let name = example.short.unwrap_or(example.name);
    let place = match example.place {
        Place::Path => shell_word(&args.path),
        Place::Host => seen_from_here(args.endpoint.resolve()?),
        Place::Internet | Place::Group { .. } => {
            let address = args.endpoint.resolve()?;
            let group = matches!(example.place, Place::Group { .. });
            // Linux lets a server listen on such an address, but a connection needs one host at each end.
            if !group && (address.ip().is_multicast() || inspect::is_broadcast(address.ip())) {
                return Ok(None);
            }
            let right = if group && !address.ip().is_multicast() { "--broadcast " } else { "" };
            match address.port() {
                0 => format!("{right}{} PORT, as the ready line says", seen_from_here(address)),
                port => format!("{right}{} {port}", seen_from_here(address)),
            }
        }
    };
    // The options that both sides must agree on. Never propose a password on a command line.
    let of_the_client = example.client_options();
    let mut agreed = String::new();
    for option in example.server_options() {
        let id = option.get_id().as_str();
        let given = matches.value_source(id) == Some(ValueSource::CommandLine);
        if id == "password" || !given || !of_the_client.iter().any(|other| other.get_id() == id) {
            continue;
        }
        agreed += &format!("--{} ", option.get_long().unwrap_or(id));
        if option.get_action().takes_values() {
            let values = matches.get_raw(id).into_iter().flatten();
            agreed.extend(values.map(|value| shell_word(Path::new(value)) + " "));
        }
    }
    Ok(Some(format!("netplay {name}-client {agreed}{place}")))
}
