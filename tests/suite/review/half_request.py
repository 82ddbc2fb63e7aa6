# A line in two sends; another connection in between, when the server has the first.
import socket, sys
address = ("127.0.0.1", int(sys.argv[1]))
sock = socket.create_connection(address)
sock.sendall(b"add 1 2")
other = socket.create_connection(address)
sock.sendall(b" 0;\n")
other.shutdown(socket.SHUT_WR)
other.recv(1)
sock.close()
