# Receives until the end of the line, with another connection in between.
import socket, sys
address = ("127.0.0.1", int(sys.argv[1]))
sock = socket.create_connection(address)
sock.sendall(b"page\n")
line = sock.recv(1000)
free = socket.create_connection(address)
while not line.endswith(b"\n"):
    line += sock.recv(1000)
print(line)
free.close()
sock.close()
