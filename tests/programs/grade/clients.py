"""Clients with one mistake each, and one without: MISTAKE HOST PORT. They send the lines of their input, and show the answers."""
import signal
import socket
import sys

MISTAKE, HOST, PORT = sys.argv[1], sys.argv[2], int(sys.argv[3])


def main():
    limit = {"for-ever": None, "in-a-hurry": 0.5}.get(MISTAKE, 3)
    if MISTAKE == "refused-for-ever":
        while True:
            try:
                s = socket.create_connection((HOST, PORT), 3)
                break
            except OSError:
                signal.sigtimedwait([], 0.2)
    else:
        s = socket.create_connection((HOST, PORT), limit)
    lines = list(sys.stdin.buffer)
    if MISTAKE in ("pipelines", "one-answer"):
        s.sendall(b"".join(lines))
    have = b""
    for line in lines:
        if MISTAKE not in ("pipelines", "one-answer"):
            s.sendall(line)
        if MISTAKE == "one-recv":
            print(s.recv(1024).decode(), end="")
            continue
        if MISTAKE == "readline":
            print("answer:", s.makefile().readline().rstrip())
            break
        while b"\n" not in have:
            try:
                data = s.recv(4096)
            except ConnectionError:
                if MISTAKE == "dies-of-reset":
                    signal.raise_signal(signal.SIGSEGV)
                if MISTAKE == "shows-what-it-has":
                    return print(have.decode())
                raise
            have += data
            if not data and MISTAKE == "sleeps-at-the-end":
                signal.pause()
            if not data and MISTAKE == "says-so-with-0":
                print("the server has ended")
                return
            if not data and MISTAKE != "ignores-the-end":
                sys.exit("the server has ended")
        answer, have = have.split(b"\n", 1)
        if MISTAKE == "one-answer":
            have = b""
        print(answer.decode())


main()
