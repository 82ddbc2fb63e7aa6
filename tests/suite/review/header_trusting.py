# A length, then a body, taken with one recv each.
import socket, struct, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    conn, _ = listener.accept()
    while header := conn.recv(4):
        body = conn.recv(struct.unpack(">I", header)[0])
        conn.sendall(b"got %d\n" % len(body))
    conn.close()
