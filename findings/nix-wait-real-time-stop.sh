#!/usr/bin/env bash
# nix 0.31.4 (crates.io): waitpid cannot tell of a tracee that a real-time signal has stopped.
#
# glibc cancels threads and sets their user with real-time signals, so a tracer meets such a stop in ordinary
# programs. nix::sys::signal::Signal has no real-time signals: waitpid returns EINVAL, as if its arguments were wrong, and
# the number of the thread is lost with the status. The kernel has handed the stop out, and will not tell it again; the
# tracee stays stopped until it is resumed by its number. A stop at SIGUSR1 is told as it should be. A tracer
# has to call libc's waitpid.
#
# Needs cargo. Fails if the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "probe"
version = "0.0.0"
edition = "2021"

[dependencies]
libc = "=0.2.191"
nix = { version = "=0.31.4", features = ["process", "ptrace", "signal"] }
TOML
cat > src/main.rs <<'RS'
use nix::sys::{ptrace, wait::waitpid};
use nix::unistd::{fork, ForkResult};

fn main() {
    for (name, number) in [("SIGUSR1", libc::SIGUSR1), ("SIGRTMIN", libc::SIGRTMIN())] {
        match unsafe { fork() }.unwrap() {
            ForkResult::Child => unsafe {
                ptrace::traceme().unwrap();
                libc::raise(number);
                libc::_exit(0);
            },
            ForkResult::Parent { child } => {
                let seen = waitpid(child, None).map(|status| status.pid() == Some(child));
                println!("stopped by {name}: {seen:?}");
                unsafe { libc::kill(child.as_raw(), libc::SIGKILL) };
                println!("then: {:?}", waitpid(child, None).map(|status| status.pid() == Some(child)));
            }
        }
    }
}
RS
said=$(cargo run --quiet 2>&1)
echo "$said"
seen='stopped by SIGUSR1: Ok(true)
then: Ok(true)
stopped by SIGRTMIN: Err(EINVAL)
then: Ok(true)'
[ "$said" = "$seen" ] && { echo "as seen with nix 0.31.4"; exit; }
echo CHANGED
exit 1
# Seen:
#   stopped by SIGUSR1: Ok(true)
#   then: Ok(true)
#   stopped by SIGRTMIN: Err(EINVAL)
#   then: Ok(true)
#   as seen with nix 0.31.4
