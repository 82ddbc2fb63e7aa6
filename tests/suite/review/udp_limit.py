# Waits with a limit, and asks again.
import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(0.2)
for _ in range(3):
    sock.sendto(b"hello", ("127.0.0.1", int(sys.argv[1])))
    try:
        sock.recvfrom(100)
        break
    except TimeoutError:
        pass
