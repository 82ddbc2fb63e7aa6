# Waits for the other side, with a limit, and then speaks.
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
conn, _ = listener.accept()
conn.settimeout(30)
while True:
    try:
        if not conn.recv(100):
            break
    except TimeoutError:
        conn.sendall(b"ping\n")
