# The end of the request is not the end of the connection.
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
conn, _ = listener.accept()
words = conn.makefile("rb").read()
conn.recv(10)
for _ in range(5):
    conn.sendall(b"%d\n" % len(words))
conn.close()
