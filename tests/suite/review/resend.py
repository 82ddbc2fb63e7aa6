# Connects again where a send has failed, and sends it again.
import socket, sys, time
address = ("127.0.0.1", int(sys.argv[1]))
sock = socket.create_connection(address)
for n in range(4):
    line = b"event %d\n" % n
    time.sleep(0.15)
    try:
        sock.sendall(line)
    except OSError:
        sock.close()
        sock = socket.create_connection(address)
        sock.sendall(line)
sock.close()
