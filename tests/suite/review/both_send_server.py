# Sends all before it receives anything.
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
conn, _ = listener.accept()
conn.sendall(b"u" * 20000000)
while conn.recv(100000):
    pass
