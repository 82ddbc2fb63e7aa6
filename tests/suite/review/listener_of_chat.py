# Says who it is, and hears what others say.
import socket
import sys

s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.sendall(b"JOIN bob\n")
while s.recv(999):
    pass
