# Reads on until the line ends.
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    conn, _ = listener.accept()
    rest = b""
    while piece := conn.recv(4096):
        rest += piece
        while b"\n" in rest:
            line, rest = rest.split(b"\n", 1)
            conn.sendall(b"sum 3\n" if b";" in line else b"syntax error\n")
    conn.close()
