"""A server that answers no client and writes on its standard error what XML may not hold: control characters, the end of a CDATA
section, an escape sequence, bytes that are no UTF-8, and the two code points that are no characters. Its arguments: mistake, host, port.
"""

import socket
import sys

_, mistake, host, port = sys.argv
with socket.create_server((host, int(port)), reuse_port=False) as listener:
    while True:
        client, _ = listener.accept()
        with client:
            client.recv(4096)
            sys.stderr.buffer.write(b"\x00\x01\x0b\x1b[31mred\x1b[0m & <b> ]]> \xff\xfe \xef\xbf\xbf\xef\xbf\xbe \"'\n")
            sys.stderr.buffer.flush()
