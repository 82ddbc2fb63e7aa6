# The first port is taken: the next one.
import errno, socket, sys
taken = socket.create_server(("127.0.0.1", 0))
for port in (taken.getsockname()[1], int(sys.argv[1])):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        break
    except OSError as error:
        assert error.errno == errno.EADDRINUSE
        listener.close()
listener.listen()
conn, _ = listener.accept()
conn.close()
