# Reads from two clients in a fixed order.
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
one, _ = listener.accept()
two, _ = listener.accept()
for conn in (one, two):
    conn.sendall(conn.recv(100))
    conn.close()
