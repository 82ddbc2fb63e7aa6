# Waits for a greeting.
import socket, sys
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
sock.recv(100)
sock.sendall(b"quit\n")
