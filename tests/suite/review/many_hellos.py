# Twelve clients without a pause; each waits for the end if it is asked to.
import socket, sys
for _ in range(12):
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as sock:
        sock.sendall(b"hello\n")
        sock.recv(100)
        if len(sys.argv) > 2:
            sock.recv(100)
