# Closes each when the next one has come.
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
last = None
while True:
    conn, _ = listener.accept()
    if last:
        last.close()
    conn.sendall(conn.recv(100))
    last = conn
