import socket, struct, sys, time
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
body = b"0123456789" * 3
sock.sendall(struct.pack(">I", len(body)) + body[:12])
time.sleep(0.15)
sock.sendall(body[12:])
time.sleep(0.1)
sock.shutdown(socket.SHUT_WR)
while sock.recv(1000):
    pass
sock.close()
