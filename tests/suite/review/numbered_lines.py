# Lines with a number in front: how many, not how long.
import socket
import sys

s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
lines = s.makefile("rb")
for text in ["2 äö\n", "5 größe\n", "6 größe\n"]:
    s.sendall(text.encode())
    lines.readline()
s.close()
