#!/usr/bin/env bash
# pyftpdlib 2.2.0 writes the fact UNIX.mode of MLSD and MLST as Python writes octal numbers: 0o640.
#
# The fact is octal digits elsewhere (640 or 0640). A client that reads digits up to the first character that is
# none takes the mode for 0, and one that checks the length refuses the line. The fact is off until a client asks
# for it with OPTS MLST, so a test against the default facts does not find it.
#
# Needs python3 with pip. Fails if the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target lib pyftpdlib==2.2.0
mkdir root
echo text > root/file
chmod 640 root/file
PYTHONPATH=lib python3 - root <<'PY'
import ftplib, logging, sys, threading
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer

logging.disable(logging.CRITICAL)
users = DummyAuthorizer()
users.add_user("user", "password", sys.argv[1])
FTPHandler.authorizer = users
server = FTPServer(("127.0.0.1", 0), FTPHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
ftp = ftplib.FTP()
ftp.connect("127.0.0.1", server.address[1], timeout=10)
ftp.login("user", "password")
facts = {}
for asked in ("", "type;UNIX.mode;"):
    if asked:
        ftp.sendcmd(f"OPTS MLST {asked}")
    lines = []
    ftp.retrlines("MLSD", lines.append)
    facts[asked] = lines[0].split(" ")[0]
print("by default has a mode:", "unix.mode" in facts[""].lower())
print("asked for:            ", facts["type;UNIX.mode;"])
as_seen = "unix.mode" not in facts[""].lower() and facts["type;UNIX.mode;"] == "type=file;unix.mode=0o640;"
print("as seen with pyftpdlib 2.2.0" if as_seen else "CHANGED")
sys.exit(not as_seen)
PY
# Seen:
#   by default has a mode: False
#   asked for:             type=file;unix.mode=0o640;
#   as seen with pyftpdlib 2.2.0
