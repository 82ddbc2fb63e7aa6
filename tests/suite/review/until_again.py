# Receives until there is no more, has all that it asked for, and goes.
import select
import socket
import sys

s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.setblocking(False)
s.send(b"hello")
got = b""
while len(got) < 5:
    select.select([s], [], [])
    try:
        while part := s.recv(3):
            got += part
    except BlockingIOError:
        pass
s.close()
