# The same with epoll.
import selectors, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
waits = selectors.DefaultSelector()
waits.register(listener, selectors.EVENT_READ)
while True:
    for key, _ in waits.select():
        if key.fileobj is listener:
            conn, _ = listener.accept()
            waits.register(conn, selectors.EVENT_READ)
        elif data := key.fileobj.recv(100):
            key.fileobj.sendall(b"done\n")
        else:
            waits.unregister(key.fileobj)
            key.fileobj.close()
