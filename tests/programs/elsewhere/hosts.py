"""Two hosts on this machine: each has a network of its own, the second also a clock of its own, and between them is a wire
that takes its time and loses packets.

    hosts.py AHEAD DELAY_TO_B DELAY_TO_A JITTER LOSS SEED MESSAGES -- PROGRAM...

PROGRAM is started twice, on B as `PROGRAM... server 10.9.0.2 5858`, and when B is ready on A as `PROGRAM... client 10.9.0.2 5858`, which
gets MESSAGES lines to send. The traces are a.jsonl and b.jsonl in the current folder. The clock of B is AHEAD seconds ahead: a whole
number. Delays and jitter are in milliseconds, LOSS is a part of 1. Exits with 77 where namespaces are not allowed.

The wire is a pair of tun devices, and this program moves packets from one to the other: not every kernel has netem.
"""

import ctypes
import fcntl
import heapq
import os
import random
import select
import signal
import struct
import subprocess
import sys
import threading
import time

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 1, 0x1000

libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result != 0:
        print(f"{what}: {os.strerror(ctypes.get_errno())}", file=sys.stderr)
        raise SystemExit(77)


def host(address):
    """Enters a new network with this address; its end of the wire, and the network."""
    check(libc.unshare(CLONE_NEWNET), "unshare")
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"wire", IFF_TUN | IFF_NO_PI))
    for words in ["link set lo up", f"addr add {address}/24 dev wire", "link set wire up"]:
        subprocess.run(["ip", *words.split()], check=True)
    return tun, os.open("/proc/self/ns/net", os.O_RDONLY)


def carry(ends, delays, jitter, loss, seed):
    """Moves packets between the two ends, each way in its order and with its delay."""
    chance = random.Random(seed)
    waiting, last, number = [], [0.0, 0.0], 0
    while True:
        timeout = max(0, waiting[0][0] - time.monotonic()) if waiting else None
        readable, _, _ = select.select(ends, [], [], timeout)
        now = time.monotonic()
        for end in readable:
            side = ends.index(end)
            packet = os.read(end, 65536)
            if chance.random() < loss:
                continue
            due = max(last[side], now + delays[side] + chance.random() * jitter)
            last[side], number = due, number + 1
            heapq.heappush(waiting, (due, number, ends[1 - side], packet))
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, end, packet = heapq.heappop(waiting)
            os.write(end, packet)


def main():
    ahead, to_b, to_a, jitter, loss, seed, messages = map(float, sys.argv[1:8])
    program = sys.argv[9:]
    try:
        (wire_b, _), (wire_a, net_a) = host("10.9.0.2"), (None, None)
        net_b = os.open("/proc/self/ns/net", os.O_RDONLY)
        wire_a, net_a = host("10.9.0.1")
    except OSError as error:
        print(error, file=sys.stderr)
        raise SystemExit(77)
    delays = [to_b / 1e3, to_a / 1e3]
    wire = (([wire_a, wire_b], delays, jitter / 1e3, loss, seed))
    threading.Thread(target=carry, args=wire, daemon=True).start()
    side = ["10.9.0.2", "5858", "-q", "--trace"]
    check(libc.setns(net_b, CLONE_NEWNET), "setns")
    set_off = ["unshare", "--time", "--monotonic", str(int(ahead)), "--"]
    if subprocess.run([*set_off, "true"], stderr=subprocess.DEVNULL).returncode != 0:
        print("no time namespaces", file=sys.stderr)
        raise SystemExit(77)
    server = subprocess.Popen(
        [*set_off, *program, "server", *side, "b.jsonl"], stdout=subprocess.PIPE
    )
    server.stdout.readline()
    check(libc.setns(net_a, CLONE_NEWNET), "setns")
    lines = "".join(f"message {n}\n" for n in range(int(messages)))
    client = subprocess.run(
        [*program, "client", *side, "a.jsonl"],
        input=lines.encode(),
        stdout=subprocess.DEVNULL,
        timeout=60,
    )
    server.send_signal(signal.SIGTERM)
    server.wait(timeout=60)
    raise SystemExit(client.returncode)


main()
