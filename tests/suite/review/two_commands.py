# Two commands at once, and an answer to each.
import socket, sys
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
sock.sendall(b"up\n")
sock.sendall(b"left\n")
lines = sock.makefile("rb")
lines.readline()
lines.readline()
sock.close()
