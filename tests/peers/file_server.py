"""A peer for mini-ftp: the plainest server of its protocol, one client after the other.

It believes that one recv is one header, and ends with the first file that is not there.
"""

import os
import socket
import sys
import time

PAUSE = 0.1


def serve(peer):
    header = peer.recv(1024)
    letter, name = header[:1], header[2:]
    if letter == b"L":
        for entry in os.listdir(b"."):
            peer.send(entry)
            time.sleep(PAUSE)
    elif letter == b"D":
        with open(name, "rb") as file:
            for line in file:
                peer.sendall(line)
                time.sleep(PAUSE)
    elif letter == b"U":
        with open(name, "wb") as file:
            while data := peer.recv(1024):
                file.write(data)


def main():
    os.chdir(sys.argv[1])
    listener = socket.create_server(("127.0.0.1", 0))
    print("ready: tcp %s:%d" % listener.getsockname(), flush=True)
    while True:
        peer, _ = listener.accept()
        with peer:
            serve(peer)


main()
