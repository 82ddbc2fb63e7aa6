"""Sends bytes of every value both ways, in transfers of several sizes; usage: bytes.py server|client tcp|udp [PORT].

Both sides know what is sent (`told`), and so does the test. The server prints its port.
"""

import socket
import sys

SIZES = [1, 5, 64, 65, 1000, 300_000]


def told(side, nth, size):
    """The bytes of a side's nth transfer. They differ from all others."""
    seed = nth * 31 + (7 if side == "client" else 101)
    return bytes((seed + i * i * 3 + i // 253) % 256 for i in range(size))


def receive(sock, size):
    while size:
        data = sock.recv(size)
        if not data:
            raise SystemExit("the end came early")
        size -= len(data)


def tcp(side, sock):
    for nth, size in enumerate(SIZES):
        if side == "client":
            sock.sendall(told(side, nth, size))
        receive(sock, size)
        if side == "server":
            sock.sendall(told(side, nth, size))


def main():
    side, kind = sys.argv[1:3]
    if kind == "tcp" and side == "server":
        listener = socket.create_server(("::1", int(sys.argv[3])), family=socket.AF_INET6)
        for _ in range(2):
            sock, _ = listener.accept()
            tcp(side, sock)
            sock.close()
    elif kind == "tcp":
        sock = socket.create_connection(("::1", int(sys.argv[3])))
        tcp(side, sock)
        sock.close()


main()
