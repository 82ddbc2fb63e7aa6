# Sends all before it receives anything.
import socket, sys
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
sock.sendall(b"d" * 20000000)
while sock.recv(100000):
    pass
