"""An echo server on Python's socketserver: a thread for each client.

    python3 threading_echo.py PORT [BUFSIZE]        127.0.0.1, until SIGTERM; PORT 0: any
"""

import socketserver
import sys

BUFSIZE = int(sys.argv[2]) if len(sys.argv) > 2 else 1024


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(BUFSIZE):
            self.request.sendall(data)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 4096

    def handle_error(self, request, client_address):
        pass  # a client that went: its loss alone


with Server(("127.0.0.1", int(sys.argv[1])), Echo) as server:
    print("ready: tcp %s:%d" % server.server_address, flush=True)
    server.serve_forever()
