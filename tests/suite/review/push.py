# Sends news to all, and lets those go that have gone.
import select, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
clients = []
for n in range(12):
    if select.select([listener], [], [], 0.1)[0]:
        clients.append(listener.accept()[0])
    for conn in list(clients):
        try:
            conn.sendall(b"news %d\n" % n)
        except OSError:
            clients.remove(conn)
            conn.close()
