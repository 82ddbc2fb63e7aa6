"""Servers with one mistake each, and one without: MISTAKE HOST PORT."""
import ctypes
import os
import select
import selectors
import signal
import socket
import sys
import threading
import time

MISTAKE, HOST, PORT = sys.argv[1], sys.argv[2], int(sys.argv[3])
kept = []


def echo(c):
    with c:
        try:
            served = 0
            while data := c.recv(600 if MISTAKE == "drops-when-full" else 4096):
                served += 1
                if MISTAKE == "text":
                    data = data.decode("ascii", "replace").encode("ascii", "replace")
                if MISTAKE == "nothing":
                    continue
                if MISTAKE == "markup":
                    data = b"<img src=x>\x1b[31m</script>"
                    print("<img src=x> on errors \x1b[31m", file=sys.stderr, flush=True)
                if MISTAKE in ("one-send", "drops-when-full"):
                    c.setblocking(False)
                    try:
                        c.send(data)
                    except BlockingIOError:
                        pass
                    c.setblocking(True)
                    continue
                c.sendall(data)
                if MISTAKE == "one-request" and served == 1:
                    return
            if MISTAKE == "never-closes":
                time.sleep(1000)
            if MISTAKE == "forgets-to-close":
                kept.append(c.dup())
            if MISTAKE == "spins-at-the-end":
                while not c.recv(4096):
                    pass
        except OSError:
            if MISTAKE == "dies-of-reset":
                os._exit(1)


def raw(c):
    """An echo that calls recv as C does: Python itself makes an interrupted call again."""
    libc, room = ctypes.CDLL(None, use_errno=True), ctypes.create_string_buffer(4096)
    with c:
        while (n := libc.recv(c.fileno(), room, 4096, 0)) > 0:
            c.sendall(room.raw[:n])


def line(c):
    """A line for a line."""
    have = b""
    with c:
        try:
            while data := c.recv(4096):
                if MISTAKE == "line-a-recv":
                    c.sendall(data.split(b"\n")[0] + b"\n")
                    continue
                have += data
                while b"\n" in have:
                    one, have = have.split(b"\n", 1)
                    c.sendall(one + b"\n")
                    if MISTAKE == "one-line-a-recv":
                        have = b""
            if MISTAKE == "line-dies-in-the-middle" and have:
                os._exit(1)
        except OSError:
            pass


def whole(c, size):
    """So many bytes, or none if the end comes before."""
    data = b""
    while len(data) < size:
        more = c.recv(size - len(data))
        if not more:
            return None
        data += more
    return data


def greeted(c):
    """A greeting, and then an echo; without the greeting it is silent at first."""
    if MISTAKE == "greeted-late":
        data = c.recv(4096)
    c.sendall(b"hello")
    if MISTAKE == "greeted-late":
        c.sendall(data)
    echo(c)


def prefixed(c):
    """The answer to a message of a length in front of it: the same in capitals."""
    with c:
        try:
            while head := whole(c, 2):
                size = int.from_bytes(head, "big")
                data = c.recv(size) if MISTAKE == "prefixed-one-recv" else whole(c, size)
                if data is None:
                    return
                c.sendall(len(data).to_bytes(2, "big") + data.upper())
        except OSError:
            pass


def fixed(c):
    """The answer to eight bytes: the same, from the last to the first."""
    with c:
        try:
            while data := c.recv(8) if MISTAKE == "fixed-one-recv" else whole(c, 8):
                c.sendall(data[::-1])
        except OSError:
            pass


def poll_server(listener):
    """One thread for all clients, and each is asked for whether it can be written to as well."""
    ready, clients = select.poll(), {}
    ready.register(listener, select.POLLIN)
    while True:
        for fd, event in ready.poll():
            if fd == listener.fileno():
                c, _ = listener.accept()
                clients[c.fileno()] = c
                ready.register(c)
            elif event & ~select.POLLOUT:
                data = clients[fd].recv(4096)
                clients[fd].sendall(data)
                if not data:
                    ready.unregister(fd)
                    clients.pop(fd).close()


def select_server(listener):
    """One thread for all clients."""
    ready = selectors.SelectSelector()
    ready.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in ready.select():
            c = key.fileobj
            if c is listener:
                c, _ = listener.accept()
                if MISTAKE == "receives-at-once":
                    c.sendall(c.recv(4096))
                ready.register(c, selectors.EVENT_READ)
                continue
            try:
                data = c.recv(4096)
                c.sendall(data)
            except OSError:
                data = b""
            if not data:
                ready.unregister(c)
                c.close()


def datagrams():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((HOST, PORT))
    if MISTAKE == "udp-dies-of-icmp":
        s.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR: the next call tells of it
    last = None
    while True:
        data, peer = s.recvfrom(1024 if MISTAKE == "udp-short" else 65535)
        if MISTAKE == "udp-empty" and not data:
            return
        last = last or peer
        s.sendto(data, last if MISTAKE == "udp-first-peer" else peer)
        if MISTAKE == "udp-slow":
            s.setblocking(False)
            try:
                while True:
                    s.recvfrom(65535)
            except BlockingIOError:
                s.setblocking(True)


def main():
    if MISTAKE.startswith("udp"):
        return datagrams()
    listener = socket.socket()
    if MISTAKE == "hoards":
        hoard = [b"x" * 50_000_000 for _ in range(100)]
    if MISTAKE != "no-reuseaddr":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    host = "" if MISTAKE == "every-address" else HOST
    port = PORT ^ 1 if MISTAKE == "another-port" else PORT
    listener.bind((host, port))
    listener.listen(128)
    if MISTAKE == "dies-of-pipe":
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if MISTAKE == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if MISTAKE == "leaves-a-child" and os.fork() == 0:
        time.sleep(1000)
    if MISTAKE in ("receives-at-once", "select"):
        return select_server(listener)
    if MISTAKE == "waits-to-write":
        return poll_server(listener)
    if MISTAKE == "polls":
        listener.setblocking(False)
    spoken = {"eintr": raw, "greeted": greeted, "line": line, "prefixed": prefixed, "fixed": fixed}
    one = next((spoken[name] for name in spoken if name in MISTAKE), echo)
    while True:
        try:
            c, _ = listener.accept()
        except BlockingIOError:
            continue
        except OSError as e:
            if MISTAKE == "spins-without-descriptors":
                continue
            if MISTAKE == "dies-of-abort":
                raise
            time.sleep(0.05)
            continue
        c.setblocking(True)
        if MISTAKE == "dies-of-silence" and not c.recv(1, socket.MSG_PEEK):
            return
        if MISTAKE == "leaks":
            kept.append(c.dup())
        if MISTAKE == "zombies":
            if os.fork() == 0:
                listener.close()
                one(c)
                os._exit(0)
            c.close()
        elif MISTAKE == "iterative":
            one(c)
        else:
            threading.Thread(target=one, args=(c,), daemon=True).start()


main()
