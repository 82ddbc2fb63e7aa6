# Serves one client after the other.
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    conn, _ = listener.accept()
    while data := conn.recv(1000):
        conn.sendall(data)
    conn.close()
