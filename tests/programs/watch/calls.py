"""A server and its clients in one process: threads, fork, select, asyncio's epoll, subprocess."""
import os
import selectors
import socket
import subprocess
import sys
import threading


closed = threading.Semaphore(0)


def echo(listener, clients):
    for _ in range(clients):
        connection, _ = listener.accept()
        with connection:
            while data := connection.recv(100):
                connection.sendall(data)
        closed.release()


def ask(address, words):
    with socket.create_connection(address, timeout=10) as client:
        for word in words:
            client.sendall(word)
            client.recv(100)
    closed.acquire()


def main():
    listener = socket.create_server(("127.0.0.1", 0))
    address = listener.getsockname()
    server = threading.Thread(target=echo, args=(listener, 2))
    server.start()
    ask(address, [b"one", b"two\n", "äöü".encode()])
    ask(address, [b"three"])
    server.join()

    one, other = socket.socketpair()
    if (child := os.fork()) == 0:
        other.recv(10)
        other.send(b"child")
        os._exit(7)
    one.send(b"parent")
    one.recv(10)
    os.waitpid(child, 0)
    subprocess.run(["true"], check=True, close_fds=False)

    one.setblocking(False)
    try:
        one.recv(10)
    except BlockingIOError:
        pass
    with selectors.DefaultSelector() as selector:
        selector.register(one, selectors.EVENT_READ)
        selector.select(0)
        other.send(b"ready")
        selector.select(10)
    one.recv(10)
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("127.0.0.1", 0))
    datagrams.sendto(b"to myself", datagrams.getsockname())
    datagrams.recvfrom(4)
    try:
        socket.create_connection(address[:1] + (1,), timeout=10)
    except OSError as error:
        print(error)
    sys.exit(3)


main()
