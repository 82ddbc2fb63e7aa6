# Keeps every socket that it has accepted.
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
kept = []
while True:
    conn, _ = listener.accept()
    conn.sendall(conn.recv(100))
    kept.append(conn)
