# Takes the first words of each client, and closes.
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    conn, _ = listener.accept()
    conn.recv(100)
    conn.close()
