# The same, until all of it is sent.
import select, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
conn, _ = listener.accept()
conn.setblocking(False)
rest = memoryview(b"v" * 9000000)
while rest:
    select.select([], [conn], [])
    rest = rest[conn.send(rest):]
conn.close()
