# Where another has the address already, it becomes its client.
import socket
import sys

address = ("127.0.0.1", int(sys.argv[1]))
s = socket.socket()
try:
    s.bind(address)
except OSError:
    s.close()
    s = socket.create_connection(address)
    s.sendall(b"x")
    s.recv(9)
