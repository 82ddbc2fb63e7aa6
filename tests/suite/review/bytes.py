import socket, struct, sys
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
text = "grün und größer".encode()
sock.sendall(struct.pack(">I", len(text)) + text)
sock.sendall(b"%d\n" % len(text) + text)
sock.shutdown(socket.SHUT_WR)
while sock.recv(100):
    pass
sock.close()
