"""A server that waits for its one client in the way that is asked for: servers.py WAY FILE. It writes its port into FILE
before it waits; a client that finds no FILE came too early."""
import asyncio
import os
import select
import signal
import socket
import sys
import threading

way, file = sys.argv[1:]


def ready(listener):
    with open(file + ".new", "w") as new:
        new.write(str(listener.getsockname()[1]))
    os.rename(file + ".new", file)


def serve(connection):
    with connection:
        while data := connection.recv(100):
            connection.sendall(data)


async def with_asyncio():
    async def answer(reader, writer):
        while data := await reader.read(100):
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    ready(server.sockets[0])
    async with server:
        await server.serve_forever()


if way == "asyncio":
    asyncio.run(with_asyncio())
if way == "udp":
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("127.0.0.1", 0))
    ready(datagrams)
    while True:
        data, sender = datagrams.recvfrom(100)
        datagrams.sendto(data, sender)
listener = socket.create_server(("127.0.0.1", 0))
ready(listener)
if way == "ends":
    sys.exit(0)
if way == "pauses":
    signal.pause()
if way == "late":
    # It says what it was sent when its client has ended, and has much to do first.
    while True:
        connection, _ = listener.accept()
        data = connection.recv(100)
        client = os.pidfd_open(int(data))
        select.select([client], [], [])
        print(sum(number for number in range(1_000_000)), flush=True)
        os.close(client)
        connection.close()
if way == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if way == "prefork":
    for _ in range(2):
        if os.fork() == 0:
            break
    else:
        os.wait()
while True:
    if way == "poll":
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        poll.poll()
    if way == "select":
        select.select([listener], [], [])
    connection, _ = listener.accept()
    if way == "threads":
        threading.Thread(target=serve, args=(connection,)).start()
    else:
        serve(connection)
