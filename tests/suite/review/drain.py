import socket, sys
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
while sock.recv(100000):
    pass
sock.close()
