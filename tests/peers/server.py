"""Servers that know nothing of netplay, one for each way to serve.

    server.py KIND [PATH]         KIND: a name in KINDS below; PATH for the ones on a UNIX socket

Each takes any free port of 127.0.0.1, prints a ready line, and tells on standard error what it
heard and what it answered.
"""

import os
import select
import socket
import socketserver
import sys
import threading
import time

BUFSIZE = 1024
HOST = ("127.0.0.1", 0)


def ready(kind, address):
    place = address if isinstance(address, str) else "%s:%d" % address
    print("ready:", kind, place, flush=True)


def listener(address=HOST, family=socket.AF_INET):
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.bind(address)
    sock.listen(5)
    ready("unix" if family == socket.AF_UNIX else "tcp", sock.getsockname())
    return sock


def answer_to(data, form):
    """The answer, told before it is sent: `%t` is the time, `%d` the data."""
    answer = form.replace("%t", time.ctime()).replace("%d", data.decode())
    os.write(2, ("heard %s, answered %s\n" % (data.decode(), answer)).encode())
    return answer.encode()


def converse(sock, form):
    while data := sock.recv(BUFSIZE):
        sock.sendall(answer_to(data, form))


def one_after_the_other(sock, form):
    while True:
        client, _ = sock.accept()
        with client:
            converse(client, form)


def tcp():
    one_after_the_other(listener(), "[%t] : %d")


def unix():
    one_after_the_other(listener(sys.argv[2], socket.AF_UNIX), "[%t] :%d")


def udp():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(HOST)
    ready("udp", sock.getsockname())
    while True:
        data, client = sock.recvfrom(BUFSIZE)
        sock.sendto(answer_to(data, "[%t : %d]"), client)


def oneshot():
    sock = listener()
    while True:
        client, _ = sock.accept()
        with client:
            answer_to(client.recv(BUFSIZE), "")


def selecting():
    sock = listener()
    inputs = [sock]
    while True:
        for readable in select.select(inputs, [], [])[0]:
            if readable is sock:
                inputs.append(sock.accept()[0])
            elif data := readable.recv(BUFSIZE):
                readable.sendall(answer_to(data, "[%t] :%d"))
            else:
                inputs.remove(readable)
                readable.close()


def polling():
    sock = listener()
    sockets = {sock.fileno(): sock}
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd == sock.fileno():
                client, _ = sock.accept()
                sockets[client.fileno()] = client
                poll.register(client, select.POLLIN)
            elif data := sockets[fd].recv(BUFSIZE):
                sockets[fd].sendall(answer_to(data, "receive message"))
            else:
                poll.unregister(fd)
                sockets.pop(fd).close()


def forking():
    sock = listener()
    while True:
        client, _ = sock.accept()
        if os.fork() == 0:
            sock.close()
            converse(client, "recv your message")
            os._exit(0)
        client.close()


def threading_():
    def serve(client):
        with client:
            converse(client, "receive your message")

    sock = listener()
    while True:
        client, _ = sock.accept()
        threading.Thread(target=serve, args=(client,), daemon=True).start()


class OnStream(socketserver.BaseRequestHandler):
    def handle(self):
        converse(self.request, "[%t] :%d")


class OnDatagram(socketserver.BaseRequestHandler):
    def handle(self):
        data, sock = self.request
        sock.sendto(answer_to(data, "[%t : %d]"), self.client_address)


def library(mixin, server, handler, kind):
    """One of the standard library's own servers."""

    class Server(mixin, server):
        pass

    def serve():
        address = sys.argv[2] if kind == "unix" else HOST
        with Server(address, handler) as running:
            ready(kind, running.socket.getsockname())
            running.serve_forever()

    return serve


FORK, THREAD = socketserver.ForkingMixIn, socketserver.ThreadingMixIn

KINDS = {
    "tcp": tcp,
    "udp": udp,
    "unix": unix,
    "oneshot": oneshot,
    "select": selecting,
    "poll": polling,
    "fork": forking,
    "thread": threading_,
    "forking-tcp": library(FORK, socketserver.TCPServer, OnStream, "tcp"),
    "forking-udp": library(FORK, socketserver.UDPServer, OnDatagram, "udp"),
    "threading-tcp": library(THREAD, socketserver.TCPServer, OnStream, "tcp"),
    "threading-udp": library(THREAD, socketserver.UDPServer, OnDatagram, "udp"),
    "threading-unix": library(THREAD, socketserver.UnixStreamServer, OnStream, "unix"),
}

KINDS[sys.argv[1]]()
