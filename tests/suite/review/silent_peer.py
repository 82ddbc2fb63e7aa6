# Connects, and only wants to hear.
import socket, sys
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
sock.recv(100)
sock.close()
