# One long answer. A client that leaves without a request gets none.
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    conn, _ = listener.accept()
    if conn.recv(100):
        conn.sendall(b"x" * 400000)
    conn.close()
