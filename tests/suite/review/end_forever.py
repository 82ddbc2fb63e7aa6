# Takes a 0 for an empty message.
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
conn, _ = listener.accept()
for _ in range(9):
    conn.recv(100)
conn.close()
