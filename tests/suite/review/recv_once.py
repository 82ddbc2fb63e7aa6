# Takes one recv for the whole answer. It leaves only when the server is free again, which then has sent all of it.
import socket, sys
address = ("127.0.0.1", int(sys.argv[1]))
sock = socket.create_connection(address)
sock.sendall(b"page\n")
page = sock.recv(2000000)
print(len(page))
free = socket.create_connection(address)
free.shutdown(socket.SHUT_WR)
free.recv(1)
free.close()
sock.close()
