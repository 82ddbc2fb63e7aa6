# Waits for a command of a client.
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
conn, _ = listener.accept()
while command := conn.recv(100):
    conn.sendall(b"done\n")
conn.close()
