# Has seen enough after the first bytes.
import socket, sys, time
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
sock.recv(1000)
sock.close()
time.sleep(0.3)
