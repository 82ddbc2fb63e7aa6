#!/usr/bin/env bash
# seccompiler 0.5.0 (crates.io): a filter that only watches kills a program of another architecture.
#
# SeccompFilter::new takes an action for calls that match and one for those that do not. Before both, the compiled program
# compares the architecture of the call, and a mismatch is SECCOMP_RET_KILL_PROCESS, whatever the actions are; there is no
# setting for it. For a sandbox that is wise. A filter that only watches (SECCOMP_RET_TRACE or RET_LOG, allow
# otherwise) would end 32-bit programs, which run well on a 64-bit kernel. The third instruction of the program is that kill.
#
# Needs cargo, on x86-64 or aarch64. Fails if the behaviour has changed.
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
seccompiler = "=0.5.0"
TOML
cat > src/main.rs <<'RS'
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

fn main() {
    let rules = [(39, vec![])].into_iter().collect();
    let arch = std::env::consts::ARCH.try_into().unwrap();
    let filter =
        SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Trace(0), arch).unwrap();
    let program: BpfProgram = filter.try_into().unwrap();
    // Load the architecture; equal: skip one; return.
    for step in &program[..3] {
        println!("{:#06x} jt {} jf {} k {:#x}", step.code, step.jt, step.jf, step.k);
    }
}
RS
said=$(cargo run --quiet 2>&1)
echo "$said"
[ "$(sed -n 3p <<< "$said")" = "0x0006 jt 0 jf 0 k 0x80000000" ] && { echo "as seen with seccompiler 0.5.0"; exit; }
echo CHANGED
exit 1
# Seen on x86-64:
#   0x0020 jt 0 jf 0 k 0x4
#   0x0015 jt 1 jf 0 k 0xc000003e
#   0x0006 jt 0 jf 0 k 0x80000000
#   as seen with seccompiler 0.5.0
