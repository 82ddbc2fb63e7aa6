"""Sends datagrams in every way: over IP with and without connect, over UNIX sockets, within pairs, cut, empty, from several threads.

Usage: all_datagrams.py FOLDER
"""

import os
import socket
import sys
import threading


def pairs():
    """Two processes talk through a pair, then one process with itself."""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    if os.fork() == 0:
        other.close()
        for nth in range(5):
            one.send(b"message %d" % nth)
        one.send(b"")
        one.recv(3)
        os._exit(0)
    one.close()
    for _ in range(6):
        other.recv(9)
    other.send(b"longer than its buffer")
    os.wait()
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    one.send(b"first")
    one.send(b"second")
    other.recv(9), other.recv(9)
    one.close()
    other.recv(9)


def paths(folder):
    """Three UNIX sockets: one of them has no name."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    server.bind(os.path.join(folder, "server"))
    client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    client.bind(os.path.join(folder, "client"))
    client.sendto(b"from a path", server.getsockname())
    _, sender = server.recvfrom(99)
    server.sendto(b"to a path", sender)
    client.recvfrom(99)
    client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    client.connect(server.getsockname())
    client.send(b"from nowhere")
    server.recvfrom(99)


def client(nth, port, all_done):
    """Sends three requests, each after the answer to the last."""
    family, host = (socket.AF_INET, "127.0.0.1") if nth % 2 else (socket.AF_INET6, "::1")
    own = socket.socket(family, socket.SOCK_DGRAM)
    if nth == 2:
        own.bind(("::1", 0))
        own.getsockname()
    if nth == 3:
        own.connect((host, port))
    for request in range(3):
        text = b"request %d of client %d" % (request, nth)
        if nth == 3:
            own.send(text)
            own.recv(99)
        else:
            own.sendto(text, (host, port))
            own.recvfrom(10 if nth == 2 else 99)
    if nth == 1:
        own.sendmsg([b"in two ", b"parts"], [], 0, (host, port))
        own.recvmsg(99)
    all_done.wait()  # no number of a descriptor is given out twice
    own.close()  # Python asks an open socket for its name before it forgets it


def over_ip():
    """Four clients of one server of both versions of IP, then what goes wrong."""
    server = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    server.bind(("::", 0))
    port = server.getsockname()[1]
    all_done = threading.Barrier(4)
    clients = [threading.Thread(target=client, args=(nth, port, all_done)) for nth in range(4)]
    for thread in clients:
        thread.start()
    for _ in range(4 * 3 + 1):
        text, sender = server.recvfrom(99)
        server.sendto(text.upper(), sender)
    for thread in clients:
        thread.join()
    own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    own.sendto(b"", ("127.0.0.1", port))
    server.recvfrom(9)
    own.connect(("127.0.0.1", 1))
    own.send(b"to a closed port")
    try:
        own.recv(9)
    except ConnectionRefusedError:
        pass
    own.close()


pairs()
paths(sys.argv[1])
over_ip()
