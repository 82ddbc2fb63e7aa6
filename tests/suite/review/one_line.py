# A line in one send.
import socket, sys
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
sock.sendall(b"add 1 2 0;\n")
sock.shutdown(socket.SHUT_WR)
while sock.recv(1000):
    pass
sock.close()
