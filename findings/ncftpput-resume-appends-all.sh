#!/usr/bin/env bash
# ncftpput 3.2.6 -z ("try to resume") asks to go on behind the remote part, and sends the whole file once more.
#
# It says SIZE, REST n and STOR, as RFC 3659, section 5, has it, and then sends the file from byte 0 on and not
# from byte n. A server that does what REST says has n bytes too many, and ncftpput ends with 0. So the size of
# an upload that was resumed says nothing unless it is compared with the file's own.
#
# Needs apt-get (download only), dpkg-deb, python3 with pip. Fails if the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$folder"' EXIT
cd "$folder"
mkdir root here
(cd here && apt-get -qq -o APT::Sandbox::User=root download 'ncftp=2:3.2.6-1+b1' >/dev/null && dpkg-deb -x ncftp_*.deb . )
python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target lib pyftpdlib==2.2.0
cat > server.py <<'PY'
import logging, sys
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer
logging.disable(logging.CRITICAL)
users = DummyAuthorizer()
users.add_user("user", "password", sys.argv[1], perm="elradfmw")
class Told(FTPHandler):
    authorizer = users
    def pre_process_command(self, line, cmd, arg):
        if cmd in ("REST", "STOR", "APPE"):
            print(line, flush=True)
        return super().pre_process_command(line, cmd, arg)
server = FTPServer(("127.0.0.1", 0), Told)
print(server.address[1], flush=True)
server.serve_forever()
PY
PYTHONPATH=lib python3 server.py root > told & server=$!
for _ in $(seq 100); do [ -s told ] && break; sleep 0.1; done
port=$(head -n 1 told)

head -c 5000000 /dev/urandom > file
head -c 100 file > root/file
ended=0
here/usr/bin/ncftpput -V -z -u user -p password -P "$port" 127.0.0.1 / file >/dev/null 2>&1 || ended=$?
size=$(stat -c %s root/file)
echo "commands: $(tail -n +2 told | tr '\n' ' ')"
echo "the file has 5000000 bytes, the copy $size; ncftpput ends with $ended"
whole=no; tail -c +101 root/file | cmp -s - file && whole=yes
echo "behind the first 100 bytes stands the whole file: $whole"
[ "$size" = 5000100 ] && [ "$whole" = yes ] && [ "$ended" = 0 ] && { echo "as seen with ncftp 3.2.6"; exit; }
echo CHANGED
exit 1
# Seen, with ncftp 2:3.2.6-1+b1 (Debian 12) and pyftpdlib 2.2.0:
#   commands: REST 100 STOR file
#   the file has 5000000 bytes, the copy 5000100; ncftpput ends with 0
#   behind the first 100 bytes stands the whole file: yes
#   as seen with ncftp 3.2.6
