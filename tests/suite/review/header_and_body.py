# A header line and a body in two sends, and one answer.
import socket, sys
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
sock.sendall(b"set 5\n")
sock.sendall(b"apple\n")
sock.recv(100)
sock.close()
