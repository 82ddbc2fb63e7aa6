import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.sendto(b"0123456789", ("127.0.0.1", int(sys.argv[1])))
sock.sendto(b"0123456789abcdef", ("127.0.0.1", int(sys.argv[1])))
