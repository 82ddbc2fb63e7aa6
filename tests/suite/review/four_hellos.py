import socket, sys, time
for _ in range(4):
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as sock:
        sock.sendall(b"hello\n")
        sock.recv(100)
time.sleep(float(sys.argv[2]))
