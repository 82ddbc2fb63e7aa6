# What one client says, the others hear: a thread for each client.
import socket
import sys
import threading

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
clients = []


def serve(client):
    for line in client.makefile("rb"):
        for other in clients:
            if other is not client:
                other.sendall(line)


while True:
    client, _ = listener.accept()
    clients.append(client)
    threading.Thread(target=serve, args=(client,), daemon=True).start()
