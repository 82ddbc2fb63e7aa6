# Answers every other datagram.
import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("127.0.0.1", int(sys.argv[1])))
while True:
    data, peer = sock.recvfrom(100)
    sock.sendto(data, peer)
    sock.recvfrom(100)
