//! All that can be typed, as one command of clap's.

use clap::builder::styling::Styles;
use clap::{Args, Command};

use super::args::{client_args, client_side, server_side, tool_side};
use super::demos::Telling;
use super::global::Global;
use super::serve::Serve;
use super::{
    bench, byte_order, doctor, draw, explain, grade, lab, pack, packages, review, verify, watch,
    why,
};
use crate::examples::{Example, Place, Row, TABLE, sockopt};
use crate::models;

// Which version of IP a demo runs over.
#[derive(Debug, Args)]
pub(super) struct Version {
    /// Use IPv4, as without this
    #[arg(short = '4', conflicts_with = "v6")]
    v4: bool,
    /// Use IPv6
    #[arg(short = '6')]
    v6: bool,
}

/// The whole command line.
#[must_use]
pub fn command() -> Command {
    let global = Global::augment_args(Command::new("netplay"))
        .version(env!("CARGO_PKG_VERSION"))
        .about("The socket playground: run, see and understand every classic socket program")
        .styles(Styles::styled())
        .after_help(
            "Each example also goes by EXAMPLE-server and EXAMPLE-client: netplay tcp-server.",
        );
    let rows = TABLE.iter().flat_map(|row| match row {
        Row::Example(example) => commands_of(example),
        Row::Command { name: "models", .. } => {
            vec![models::Options::augment_args(Command::new("models"))]
        }
        Row::Command { name: "sockopt", .. } => {
            vec![sockopt::Options::augment_args(Command::new("sockopt"))]
        }
        Row::Command { .. } => vec![],
    });
    global
        .subcommands(rows)
        .subcommand(
            Telling::augment_args(Version::augment_args(Command::new("demo")))
                .about("The tour: TCP, UDP, and select with three clients"),
        )
        .subcommand(byte_order::Args::augment_args(Command::new("byte-order")))
        .subcommand(watch::Args::augment_args(Command::new("watch")))
        .subcommand(review::Args::augment_args(Command::new("review")))
        .subcommand(pack::Args::augment_args(Command::new("pack")))
        .subcommand(verify::Args::augment_args(Command::new("verify")))
        .subcommand(grade::Args::augment_args(Command::new("grade")))
        .subcommand(grade::challenge::Args::augment_args(Command::new("challenge")))
        .subcommand(why::Args::augment_args(Command::new("why")))
        .subcommand(draw::Args::augment_args(Command::new("draw")))
        .subcommand(bench::Args::augment_args(Command::new("bench")))
        .subcommand(lab::Args::augment_args(Command::new("lab")))
        .subcommand(doctor::Args::augment_args(Command::new("doctor")))
        .subcommand(explain::Args::augment_args(Command::new("explain")))
        .subcommand(packages::completions())
        .subcommand(packages::man())
}

/// What an example is called with, and each of its sides by a name of its own.
fn commands_of(example: &'static Example) -> Vec<Command> {
    let server = example.server.map(|server| ("server", server_side(example, server)));
    let client = ("client", client_side(example));
    let sides: Vec<_> = server.into_iter().chain([client]).collect();
    let hidden = sides.clone().into_iter().map(|(side, command)| {
        let short = example.short.map(|short| format!("{short}-{side}"));
        command.name(format!("{}-{side}", example.name)).hide(true).aliases(short)
    });
    let explain = explain::Form::augment_args(Command::new("explain"))
        .about("Explain what is behind it: a lesson to read");
    let demo = Telling::augment_args(draw::Picture::augment_args(Command::new("demo")));
    let demo = Serve::augment_args(demo);
    let demo = match example.place {
        Place::Internet | Place::Group { .. } | Place::Host => Version::augment_args(demo),
        Place::Path => demo,
    };
    let demo = demo.about(match example.server {
        Some(_) => "Run both sides here and tell what happens",
        None => "Ask this machine's own kernel, and tell what happens",
    });
    let whole = match example.server {
        Some(_) => Command::new(example.name),
        // There is one side only, so its options may follow the name.
        None => client_args(Command::new(example.name), example),
    };
    let whole = whole
        .about(example.summary.en)
        .after_help(format!("Watch: {}.", example.watch.en))
        .subcommands([demo].into_iter().chain(sides.into_iter().map(|(_, command)| command)))
        .subcommand(explain)
        .subcommands(example.tools.iter().map(tool_side));
    [whole].into_iter().chain(hidden).collect()
}
