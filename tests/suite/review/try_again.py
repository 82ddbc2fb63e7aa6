# The port is taken: once more, when it is free.
import socket, sys, time
port = int(sys.argv[1])
other = socket.create_server(("127.0.0.1", port))
listener = socket.socket()
try:
    listener.bind(("127.0.0.1", port))
except OSError:
    other.close()
    listener.bind(("127.0.0.1", port))
listener.listen()
conn, _ = listener.accept()
conn.close()
