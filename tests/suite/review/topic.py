# A name and a topic in two sends, a welcome, and then a wait for news.
import socket, sys
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
sock.sendall(b"nick bob\n")
sock.sendall(b"topic weather\n")
sock.recv(100)
sock.recv(100)
