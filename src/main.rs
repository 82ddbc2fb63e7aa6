//! The `netplay` command: see [`netplay::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    netplay::cli::main()
}
