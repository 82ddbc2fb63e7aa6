# Asks for news, and waits for them.
import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.sendto(b"SUB weather", ("127.0.0.1", int(sys.argv[1])))
sock.recvfrom(100)
