#!/usr/bin/env bash
# aioftp 0.28.3's server (PyPI) drops the spaces at the end of a file's name, and answers 226.
#
# RFC 959 lets a pathname hold any character except CR and LF, and the space that ends it is a part of it. The
# server strips each line, so "STOR name " makes the file "name": one that was there is replaced, and the reply
# says that all went well. A client that asks SIZE or lists afterwards under the name that it sent is answered for
# the other file, so it cannot notice; only the listing shows which name there is.
#
# Needs python3 (3.9 or later) with pip. Fails if the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target lib aioftp==0.28.3
mkdir root
PYTHONPATH=lib python3 - <<'PY'
import asyncio, ftplib, io, os, sys
import aioftp

def client(port):
    ftp = ftplib.FTP()
    ftp.connect("127.0.0.1", port, timeout=10)
    ftp.login()
    ftp.storbinary("STOR name", io.BytesIO(b"first"))
    reply = ftp.storbinary("STOR name ", io.BytesIO(b"second, with a space"))
    ftp.quit()
    return reply

async def main():
    server = aioftp.Server([aioftp.User(base_path="root")])
    await server.start("127.0.0.1", 0)
    port = server.server.sockets[0].getsockname()[1]
    reply = await asyncio.to_thread(client, port)
    await server.close()
    return reply

reply = asyncio.run(main())
there = {name: open(os.path.join("root", name)).read() for name in sorted(os.listdir("root"))}
print("reply to the second STOR:", reply[:3])
print("what is there:           ", there)
as_seen = reply.startswith("226") and there == {"name": "second, with a space"}
print("as seen with aioftp 0.28.3" if as_seen else "CHANGED")
sys.exit(not as_seen)
PY
# Seen:
#   reply to the second STOR: 226
#   what is there:            {'name': 'second, with a space'}
#   as seen with aioftp 0.28.3
