import socket, sys
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
sock.recv(100)
sock.sendall(b"kiwi")
sock.recv(100)
sock.sendall(b"green\n")
while sock.recv(100):
    pass
sock.close()
