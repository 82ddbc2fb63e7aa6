"""Echo servers as lecture notes on sockets have them, for docs/servers-graded.md.

    python3 notes.py SHAPE HOST PORT

Each is as short as on a slide, with what a slide leaves out left out here as well: no SO_REUSEADDR, a backlog of 5, `send` whose
result is not looked at, receives of 1,024 bytes. They are examples of what such programs do, not of how to write a server.
"""

import os
import select
import socket
import socketserver
import sys
import threading


def listener(host, port):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.bind((host, port))
    s.listen(5)
    return s


def loop(s):
    """One client after the other, each until it has left."""
    while True:
        conn, _ = s.accept()
        while True:
            data = conn.recv(1024)
            if not data:
                break
            conn.send(data)
        conn.close()


def blocking(s):
    """One receive, one answer, and the next client."""
    while True:
        conn, _ = s.accept()
        conn.send(conn.recv(1024))
        conn.close()


def nonblocking(s):
    """Asks every socket again and again."""
    s.setblocking(False)
    clients = []
    while True:
        try:
            conn, _ = s.accept()
            conn.setblocking(False)
            clients.append(conn)
        except BlockingIOError:
            pass
        for conn in list(clients):
            try:
                data = conn.recv(1024)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if data:
                conn.send(data)
            else:
                clients.remove(conn)
                conn.close()


def by_select(s):
    inputs = [s]
    while True:
        ready, _, _ = select.select(inputs, [], [])
        for r in ready:
            if r is s:
                conn, _ = s.accept()
                inputs.append(conn)
                continue
            try:
                data = r.recv(1024)
            except OSError:
                data = b""
            if data:
                r.send(data)
            else:
                inputs.remove(r)
                r.close()


def by_poll(s):
    """The notes take a client that has left out of the table, and never close it by name: Python does."""
    clients = {}
    p = select.poll()
    p.register(s)
    while True:
        for fd, event in p.poll():
            if fd == s.fileno():
                conn, _ = s.accept()
                p.register(conn)
                clients[conn.fileno()] = conn
            elif event & select.POLLIN:
                data = clients[fd].recv(1024)
                if data:
                    clients[fd].send(data)
                else:
                    p.unregister(fd)
                    del clients[fd]


def by_epoll(s):
    clients = {}
    e = select.epoll()
    e.register(s, select.EPOLLIN)
    while True:
        for fd, _ in e.poll():
            if fd == s.fileno():
                conn, _ = s.accept()
                e.register(conn, select.EPOLLIN)
                clients[conn.fileno()] = conn
                continue
            try:
                data = clients[fd].recv(1024)
            except OSError:
                data = b""
            if data:
                clients[fd].send(data)
            else:
                e.unregister(fd)
                clients.pop(fd).close()


def conversation(conn):
    while True:
        data = conn.recv(1024)
        if not data:
            break
        conn.send(data)
    conn.close()


def fork(s):
    """Children that have ended are waited for when the next client comes."""
    while True:
        conn, _ = s.accept()
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass
        if os.fork() == 0:
            s.close()
            conversation(conn)
            os._exit(0)
        conn.close()


def thread(s):
    while True:
        conn, _ = s.accept()
        threading.Thread(target=conversation, args=(conn,), daemon=True).start()


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(1024):
            self.request.send(data)


class Forking(socketserver.ForkingMixIn, socketserver.TCPServer):
    pass


SHAPES = {
    "loop": loop,
    "blocking": blocking,
    "nonblocking": nonblocking,
    "select": by_select,
    "poll": by_poll,
    "epoll": by_epoll,
    "fork": fork,
    "thread": thread,
}

if __name__ == "__main__":
    shape, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if shape == "socketserver":
        Forking((host, port), Handler).serve_forever()
    SHAPES[shape](listener(host, port))
