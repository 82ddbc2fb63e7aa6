import socket, sys
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
sock.sendall(b"hello\n")
while sock.recv(100):
    pass
sock.close()
