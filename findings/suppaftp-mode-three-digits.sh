#!/usr/bin/env bash
# suppaftp 6.3.0 (crates.io) reads an MLSD line only if UNIX.mode, where it stands, has three digits.
#
# A mode with its leading zero (0644), or with set-user-ID (4755), makes the whole line a SyntaxError, though
# UNIX.mode is no fact of RFC 3659, and a client may ignore a fact that it does not use. Without the fact the same
# line is read. So more clients can read a server that writes three digits than one that writes four.
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
suppaftp = { version = "=6.3.0", default-features = false }
TOML
cat > src/main.rs <<'RS'
fn main() {
    for mode in ["", "UNIX.mode=644;", "UNIX.mode=0644;", "UNIX.mode=4755;"] {
        let line = format!("type=file;size=5;modify=20200203040506;{mode} poem.txt");
        let read = suppaftp::list::File::from_mlsx_line(&line).map(|file| file.name().to_owned());
        println!("{mode:<16} {read:?}");
    }
}
RS
said=$(cargo run --quiet 2>&1)
echo "$said"
seen='                 Ok("poem.txt")
UNIX.mode=644;   Ok("poem.txt")
UNIX.mode=0644;  Err(SyntaxError)
UNIX.mode=4755;  Err(SyntaxError)'
[ "$said" = "$seen" ] && { echo "as seen with suppaftp 6.3.0"; exit; }
echo CHANGED
exit 1
# Seen:
#                    Ok("poem.txt")
#   UNIX.mode=644;   Ok("poem.txt")
#   UNIX.mode=0644;  Err(SyntaxError)
#   UNIX.mode=4755;  Err(SyntaxError)
#   as seen with suppaftp 6.3.0
