# In full flow when the peer leaves: it could not know.
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
conn, _ = listener.accept()
try:
    while True:
        conn.sendall(b"f" * 10000)
except OSError:
    conn.close()
listener.accept()
