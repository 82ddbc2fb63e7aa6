# Five requests in a row, each a send of its own, then five answers.
import socket, sys
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
for n in range(5):
    sock.sendall(b"get %d\n" % n)
got = b""
while got.count(b"\n") < 5:
    got += sock.recv(1000)
sock.close()
