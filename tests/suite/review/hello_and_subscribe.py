# Says who it is and what it wants to hear of, then waits for news.
import socket, sys
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
sock.sendall(b"hello bob\n")
sock.sendall(b"subscribe weather\n")
sock.recv(100)
sock.recv(100)
