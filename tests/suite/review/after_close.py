# Sends on a socket that it has closed, after a connect that failed.
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
conn, _ = listener.accept()
listener.setblocking(False)
try:
    listener.accept()
except BlockingIOError:
    pass
conn.close()
try:
    conn.send(b"late\n")
except OSError:
    pass
