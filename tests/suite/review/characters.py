# The length of the text, not of its bytes.
import socket, struct, sys
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
text = "grün und größer"
sock.sendall(struct.pack(">I", len(text)) + text.encode())
sock.shutdown(socket.SHUT_WR)
while sock.recv(100):
    pass
sock.close()
