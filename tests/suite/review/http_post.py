# A head with a part of the body, and the rest a little later.
import socket, sys, time
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
sock.sendall(b"POST / HTTP/1.0\r\nContent-Length: 10\r\n\r\nhello")
time.sleep(0.2)
try:
    sock.sendall(b"world")
    sock.recv(1000)
except OSError:
    pass
sock.close()
