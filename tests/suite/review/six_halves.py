# Sends a line in two parts over each of six connections.
import socket, sys, time
for _ in range(6):
    sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    sock.sendall(b"add 1 2")
    time.sleep(0.1)
    sock.sendall(b" 0;\n")
    time.sleep(0.05)
    sock.shutdown(socket.SHUT_WR)
    while sock.recv(1000):
        pass
    sock.close()
