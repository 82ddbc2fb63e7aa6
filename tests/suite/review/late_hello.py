import socket, sys, time
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
time.sleep(float(sys.argv[2]))
try:
    sock.sendall(b"hello\n")
    sock.recv(100)
except OSError:
    pass
sock.close()
