"""Clients that know nothing of netplay: each line is sent, one receive is printed.

    client.py KIND HOST PORT      KIND: tcp, udp, oneshot (a connection for each line), pipe
    client.py unix PATH           (all of the input, then a half-close, then the answer to its end)

An empty line ends. A time in an answer is printed as CTIME, if it is what time.ctime() says.
"""

import socket
import sys
import time

DEADLINE = 20
BUFSIZE = 1024


def show(answer, since):
    """Prints an answer to something that was sent at the time `since`."""
    text = answer.decode()
    for second in range(int(since), int(time.time()) + 1):
        text = text.replace(time.ctime(second), "CTIME")
    print(text, flush=True)


def lines():
    for line in sys.stdin:
        line = line.rstrip("\n")
        if not line:
            return
        yield line.encode()


def tcp(address, family=socket.AF_INET):
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(DEADLINE)
        sock.connect(address)
        for line in lines():
            since = time.time()
            sock.send(line)
            show(sock.recv(BUFSIZE), since)


def udp(address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(DEADLINE)
        for line in lines():
            since = time.time()
            sock.sendto(line, address)
            answer, _ = sock.recvfrom(BUFSIZE)
            show(answer, since)


def oneshot(address):
    for line in lines():
        since = time.time()
        with socket.create_connection(address, DEADLINE) as sock:
            sock.send(line)
            show(sock.recv(BUFSIZE), since)


def pipe(address):
    since = time.time()
    with socket.create_connection(address, DEADLINE) as sock:
        sock.sendall(sys.stdin.buffer.read())
        sock.shutdown(socket.SHUT_WR)
        show(b"".join(iter(lambda: sock.recv(BUFSIZE), b"")), since)


kind = sys.argv[1]
if kind == "unix":
    tcp(sys.argv[2], socket.AF_UNIX)
else:
    client = {"tcp": tcp, "udp": udp, "oneshot": oneshot, "pipe": pipe}[kind]
    client((sys.argv[2], int(sys.argv[3])))
