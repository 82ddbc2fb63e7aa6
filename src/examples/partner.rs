//! The client for a server: the command to type in a second terminal.

use std::path::Path;

use anyhow::Result;
use clap::ArgMatches;
use clap::parser::ValueSource;
use netplay_ftp::login::USER;

use super::row::{Example, Place};
use crate::address::seen_from_here;
use crate::escape::shell_word;
use crate::inspect;
use crate::server::ServerArgs;

/// The client for a server.
#[derive(Debug)]
pub struct Partner {
    /// The command, up to the port.
    words: String,
    /// The port, if the place has one; 0 is the one that the kernel chooses.
    port: Option<u16>,
    /// Whether it asks for a password.
    pub asks: bool,
}

impl Partner {
    /// The command line, once the server has said where it is: `127.0.0.1:40321`.
    #[must_use]
    pub fn command(&self, ready: &str) -> String {
        let words = &self.words;
        match self.port {
            None => words.clone(),
            Some(0) => {
                let port = ready.rsplit(':').next().unwrap_or_default();
                format!("{words} {port}")
            }
            Some(port) => format!("{words} {port}"),
        }
    }
}

/// The client of a server with these arguments; none, where no client can reach it.
///
/// # Errors
/// The host of the server has no address.
pub fn its_client(
    example: &Example,
    args: &ServerArgs,
    matches: &ArgMatches,
) -> Result<Option<Partner>> {
    let name = example.short.unwrap_or(example.name);
    let (place, port) = match example.place {
        Place::Path => (shell_word(&args.path), None),
        Place::Host => (seen_from_here(args.endpoint.resolve()?), None),
        Place::Internet | Place::Group { .. } => {
            let address = args.endpoint.resolve()?;
            let group = matches!(example.place, Place::Group { .. });
            // Linux lets a server listen on such an address, but a connection needs one host at each end.
            if !group && (address.ip().is_multicast() || inspect::is_broadcast(address.ip())) {
                return Ok(None);
            }
            let right = if group && !address.ip().is_multicast() { "--broadcast " } else { "" };
            (format!("{right}{}", seen_from_here(address)), Some(address.port()))
        }
    };
    // The options that both sides must agree on. Never propose a password on a command line.
    let of_the_client = example.client_options();
    let of_the_server = example.server_options();
    let given = |id: &str| {
        let known = of_the_server.iter().any(|option| option.get_id() == id);
        known && matches.value_source(id) == Some(ValueSource::CommandLine)
    };
    let mut agreed = String::new();
    for option in &of_the_server {
        let id = option.get_id().as_str();
        let both = of_the_client.iter().any(|other| other.get_id() == id);
        if id == "password" || !given(id) || !both {
            continue;
        }
        agreed += &format!("--{} ", option.get_long().unwrap_or(id));
        if option.get_action().takes_values() {
            let values = matches.get_raw(id).into_iter().flatten();
            agreed.extend(values.map(|value| shell_word(Path::new(value)) + " "));
        }
    }
    // A client without a user and a password file logs in as anonymous.
    let logs_in = of_the_client.iter().any(|option| option.get_id() == "user");
    let anonymous = given("anonymous") && !given("password") && !given("user");
    let asks = logs_in && !anonymous && !given("password_file");
    if asks && !given("user") {
        agreed = format!("--user {USER} {agreed}");
    }
    Ok(Some(Partner { words: format!("netplay {name}-client {agreed}{place}"), port, asks }))
}
