import socket, sys
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
sock.sendall(b"page\n")
page = b""
while piece := sock.recv(2000000):
    page += piece
print(len(page))
sock.close()
