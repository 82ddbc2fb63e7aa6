"""A peer for mini-ftp: the plainest client of its protocol, with its menu on standard input.

It looks at the first letter of a line only, prints each recv, and never half-closes.
"""

import socket
import sys
import time

PAUSE = 0.1


def main():
    server = (sys.argv[1], int(sys.argv[2]))
    for line in sys.stdin.buffer:
        line = line.rstrip(b"\n")
        if line[:1] == b"q":
            break
        with socket.create_connection(server) as connection:
            if line[:1] == b"l":
                connection.send(b"L")
                while data := connection.recv(1024):
                    sys.stdout.buffer.write(data + b"\n")
            elif line[:1] == b"d":
                name = line[len("download "):]
                with open(name, "wb") as file:
                    connection.send(b"D " + name)
                    while data := connection.recv(1024):
                        file.write(data)
            elif line[:1] == b"u":
                name = line[len("upload "):]
                with open(name, "rb") as file:
                    connection.send(b"U " + name)
                    time.sleep(PAUSE)
                    for text in file:
                        connection.sendall(text)


main()
