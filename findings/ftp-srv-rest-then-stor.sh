#!/usr/bin/env bash
# ftp-srv 4.6.3 (npm) answers REST with 350 and the following STOR with 226, but the file loses its first bytes.
#
# RFC 959 (REST) and RFC 3659, section 5: after "350" to REST n, STOR writes from byte n on, and what stands before
# stays. ftp-srv opens the file anew: the n bytes that were there become n bytes 0. Its FEAT does not list
# "REST STREAM", which is how a client can know; APPE keeps the first part.
#
# Needs python3, node, npm. Fails if the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$folder"' EXIT
cd "$folder"
mkdir root
npm init -y >/dev/null
npm install --silent --no-audit --no-fund ftp-srv@4.6.3 >/dev/null 2>&1
cat > server.js <<'JS'
const { FtpSrv } = require('ftp-srv');
const quiet = { child: () => quiet };
for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal']) quiet[level] = () => {};
const server = new FtpSrv({ url: `ftp://127.0.0.1:${process.argv[2]}`, pasv_url: '127.0.0.1', log: quiet });
server.on('login', (_, accept) => accept({ root: process.argv[3] }));
server.listen().then(() => console.log('ready'));
JS
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
coproc SERVER { exec node server.js "$port" "$folder/root"; }
server=$SERVER_PID
read -r -t 20 _ <&"${SERVER[0]}"

python3 - "$port" root <<'PY'
import ftplib, io, pathlib, sys

port, root = int(sys.argv[1]), pathlib.Path(sys.argv[2])
ftp = ftplib.FTP()
ftp.connect("127.0.0.1", port, timeout=10)
ftp.login("user", "password")
features = ftp.sendcmd("FEAT")
print("FEAT lists REST STREAM:", "REST STREAM" in features)

(root / "stored").write_bytes(b"01234")
print("STOR after REST 5:     ", ftp.storbinary("STOR stored", io.BytesIO(b"56789"), rest=5)[:3])
stored = (root / "stored").read_bytes()
print("the file:              ", stored)

(root / "appended").write_bytes(b"01234")
print("APPE:                  ", ftp.storbinary("APPE appended", io.BytesIO(b"56789"))[:3])
appended = (root / "appended").read_bytes()
print("the file:              ", appended)

as_seen = "REST STREAM" not in features and stored == bytes(5) + b"56789" and appended == b"0123456789"
print("as seen with ftp-srv 4.6.3" if as_seen else "CHANGED")
sys.exit(not as_seen)
PY
# Seen:
#   FEAT lists REST STREAM: False
#   STOR after REST 5:      226
#   the file:               b'\x00\x00\x00\x00\x0056789'
#   APPE:                   226
#   the file:               b'0123456789'
#   as seen with ftp-srv 4.6.3
