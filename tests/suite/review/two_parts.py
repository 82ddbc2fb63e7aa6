# A line in two sends.
import socket, sys, time
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
sock.sendall(b"add 1 2")
time.sleep(0.15)
sock.sendall(b" 0;\n")
time.sleep(0.1)
sock.shutdown(socket.SHUT_WR)
while sock.recv(1000):
    pass
sock.close()
