# Waits for news that may never come; the other end serves many.
import socket, sys
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
sock.sendall(b"subscribe\n")
print(sock.recv(100))
print(sock.recv(100))
