# A length, then a body, received until all of it is there.
import socket, struct, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
def exactly(conn, count):
    data = b""
    while len(data) < count:
        piece = conn.recv(count - len(data))
        if not piece:
            return data
        data += piece
    return data
while True:
    conn, _ = listener.accept()
    while header := exactly(conn, 4):
        body = exactly(conn, struct.unpack(">I", header)[0])
        conn.sendall(b"got %d\n" % len(body))
    conn.close()
