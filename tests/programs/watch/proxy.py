"""A proxy: proxy.py SERVER FILE. It hands on what clients say to the server whose port stands in the file SERVER, and back, and
writes its own port into FILE before it waits."""
import os
import socket
import sys
import threading

server, file = sys.argv[1:]


def hand_on(source, target):
    while data := source.recv(100):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)


listener = socket.create_server(("127.0.0.1", 0))
with open(file + ".new", "w") as new:
    new.write(str(listener.getsockname()[1]))
os.rename(file + ".new", file)
while True:
    client, _ = listener.accept()
    with open(server) as text:
        onward = socket.create_connection(("127.0.0.1", int(text.read())))
    with client, onward:
        back = threading.Thread(target=hand_on, args=(onward, client))
        back.start()
        hand_on(client, onward)
        back.join()
