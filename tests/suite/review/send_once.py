# A non-blocking socket, one send, and no look at what it took.
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
conn, _ = listener.accept()
conn.setblocking(False)
conn.send(b"v" * 9000000)
conn.close()
