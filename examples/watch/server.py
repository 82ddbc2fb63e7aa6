"""A server that answers in capitals: netplay watch -- python3 server.py 5858 :: ./client 127.0.0.1 5858"""

import socket
import sys

server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    client, _ = server.accept()
    while data := client.recv(1024):
        client.sendall(data.upper())
    client.close()
