# Connects, is silent for a while, and another client comes meanwhile.
import socket, sys, time
port = int(sys.argv[1])
first = socket.create_connection(("127.0.0.1", port))
time.sleep(0.2)
second = socket.create_connection(("127.0.0.1", port))
second.sendall(b"hello\n")
time.sleep(float(sys.argv[2]))
first.sendall(b"now\n")
first.recv(100)
first.close()
second.recv(100)
second.close()
