//! The completions for a shell: the output of clap_complete, with corrections.

use anyhow::Result;
use clap::{Command, ValueHint};
use clap_complete::Shell;

/// The script for a shell.
///
/// # Errors
/// It is not UTF-8.
pub fn completions(shell: Shell, command: &Command) -> Result<String> {
    let mut script = Vec::new();
    let mut command = completed(command);
    clap_complete::generate(shell, &mut command, "netplay", &mut script);
    let script = String::from_utf8(script)?;
    Ok(match shell {
        Shell::Bash => for_bash(&script),
        Shell::Fish => for_fish(&script, &command),
        _ => script,
    })
}

/// The command for completion by shells. clap_complete only knows the first name of a command,
/// so every other name becomes a command of its own: `tcp-server`. clap_complete also offers hidden commands, so they are
/// removed. And options whose value is not a list of words get a kind of value; otherwise shells would offer the
/// files of the folder for a number.
fn completed(command: &Command) -> Command {
    let names_of_sides = |name: &str| name.ends_with("-server") || name.ends_with("-client");
    let mut better = Command::new(command.get_name().to_owned());
    if let Some(about) = command.get_about() {
        better = better.about(about.clone());
    }
    if let Some(version) = command.get_version() {
        better = better.version(version.to_owned());
    }
    for below in command.get_subcommands() {
        // The sides of an example are hidden from the help only because they are many.
        if below.is_hide_set() && !names_of_sides(below.get_name()) {
            continue;
        }
        let aliases = below.get_all_aliases().map(str::to_owned);
        let below = completed(below);
        better = better.subcommands(aliases.map(|alias| below.clone().name(alias)));
        better = better.subcommand(below);
    }
    for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
        // zsh would take `demo` for the HOST of `ping HOST`.
        if arg.is_positional() && command.has_subcommands() {
            continue;
        }
        let names = arg.get_value_names().unwrap_or_default().iter();
        let hint = names.map(|name| hint_of(name)).next();
        let takes_a_value =
            arg.get_action().takes_values() && arg.get_value_parser().possible_values().is_none();
        better = better.arg(match hint.filter(|_| takes_a_value) {
            Some(hint) => arg.clone().value_hint(hint),
            None => arg.clone(),
        });
    }
    better
}

fn hint_of(value: &str) -> ValueHint {
    match value {
        "DIR" | "DIRECTORY" | "directory" => ValueHint::DirPath,
        "HOST" => ValueHint::Hostname,
        "COMMAND" => ValueHint::CommandString,
        _ if ["FILE", "TRACE", "PATH", ".json"].iter().any(|part| value.contains(part)) => {
            ValueHint::FilePath
        }
        _ => ValueHint::Other,
    }
}

/// bash splits `--color=al` into three words and completes the last.
fn for_bash(script: &str) -> String {
    let prev = "    prev=\"$3\"\n";
    script.replacen(prev, &format!("{prev}{EQUALS}"), 1)
}

/// The option is two words back, or one if its value has no letter yet.
const EQUALS: &str = r#"    if [[ "$cur" == "=" ]]; then
        cur=""
    elif [[ "$prev" == "=" && COMP_CWORD -ge 2 ]]; then
        prev="${COMP_WORDS[COMP_CWORD-2]}"
    fi
"#;

/// fish asks which command is typed, and gets no answer while the last option still lacks its value; and the
/// words that a command takes without an option are missing.
fn for_fish(script: &str, command: &Command) -> String {
    let asks = "argparse -s (__fish_netplay_global_optspecs) -- $cmd 2>/dev/null";
    let again = format!("{asks}\n    or begin\n        set -e cmd[-1]\n        {asks}\n    end");
    let mut script = script.replacen(asks, &again, 1);
    for (name, word) in command
        .get_subcommands()
        .flat_map(|below| below.get_positionals().map(|word| (below.get_name(), word)))
    {
        let Some(values) = word.get_value_parser().possible_values() else { continue };
        let values: Vec<String> = values.map(|value| value.get_name().to_owned()).collect();
        let values = values.join(" ");
        script += &format!(
            "complete -c netplay -n \"__fish_netplay_using_subcommand {name}\" -f -a \"{values}\"\n"
        );
    }
    script
}
