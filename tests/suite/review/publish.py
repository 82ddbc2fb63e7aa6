# One thread for all; it would send news to those that have told their topic.
import selectors, socket, sys
selector = selectors.DefaultSelector()
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
selector.register(listener, selectors.EVENT_READ)
while True:
    for key, _ in selector.select(0.7):
        if key.fileobj is listener:
            selector.register(listener.accept()[0], selectors.EVENT_READ)
        elif key.fileobj.recv(1000):
            key.fileobj.sendall(b"welcome\n")
        else:
            selector.unregister(key.fileobj)
            key.fileobj.close()
