# Echoes a stream, piece by piece.
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    conn, _ = listener.accept()
    while data := conn.recv(4096):
        conn.sendall(data)
    conn.close()
