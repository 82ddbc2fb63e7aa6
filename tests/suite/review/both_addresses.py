# The first of two addresses refuses.
import socket, sys
for address in ("127.0.0.1", "::1"):
    try:
        socket.create_connection((address, int(sys.argv[1]))).close()
        break
    except OSError:
        pass
