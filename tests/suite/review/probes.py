# Asks for what may not be there.
import socket, sys
sock = socket.socket()
for level, option in ((socket.IPPROTO_TCP, 200), (socket.SOL_SOCKET, 200)):
    try:
        sock.setsockopt(level, option, 1)
    except OSError:
        pass
try:
    sock.getpeername()
except OSError:
    pass
sock.connect(("127.0.0.1", int(sys.argv[1])))
sock.close()
