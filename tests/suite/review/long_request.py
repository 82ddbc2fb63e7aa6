import socket, sys, time
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
sock.sendall(b"0123456789" * 20)
time.sleep(0.5)
try:
    sock.sendall(b"more")
    sock.recv(100)
except OSError:
    pass
sock.close()
