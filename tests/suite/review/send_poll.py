# Waits for room to send the rest, and gives up when the peer is gone.
import select, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
conn, _ = listener.accept()
conn.setblocking(False)
rest = memoryview(b"v" * 9000000)
try:
    while rest:
        poll = select.poll()
        poll.register(conn, select.POLLOUT)
        poll.poll()
        rest = rest[conn.send(rest):]
except OSError:
    pass
conn.close()
