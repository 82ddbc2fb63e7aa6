"""Echo servers made with what Python brings, for docs/servers-graded.md.

    python3 library.py plain|threading|forking|asyncio HOST PORT
"""

import asyncio
import socketserver
import sys


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)


class Plain(socketserver.TCPServer):
    allow_reuse_address = True


class Threading(socketserver.ThreadingMixIn, Plain):
    daemon_threads = True


class Forking(socketserver.ForkingMixIn, Plain):
    pass


async def conversation(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def serve(host, port):
    server = await asyncio.start_server(conversation, host, port)
    await server.serve_forever()


if __name__ == "__main__":
    kind, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if kind == "asyncio":
        asyncio.run(serve(host, port))
    else:
        {"plain": Plain, "threading": Threading, "forking": Forking}[kind]((host, port), Handler).serve_forever()
