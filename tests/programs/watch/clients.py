"""A client that says three lines: clients.py WAY FILE. Where FILE is not there yet, it came too early."""
import os
import socket
import sys

way, file = sys.argv[1:]
if not os.path.exists(file):
    sys.exit("too early")
with open(file) as text:
    address = ("127.0.0.1", int(text.read()))
if way in ("ends", "pauses"):
    sys.exit(0)
if way == "late":
    with socket.create_connection(address) as client:
        client.sendall(str(os.getpid()).encode())
    sys.exit(0)
kind = socket.SOCK_DGRAM if way == "udp" else socket.SOCK_STREAM
with socket.socket(socket.AF_INET, kind) as client:
    client.connect(address)
    for line in (b"one", b"a longer line", b"the last of three lines"):
        client.sendall(line)
        answer = b""
        while len(answer) < len(line):
            answer += client.recv(100)
        print(answer.decode())
