# The same, and reads on to the end before it closes.
import socket, sys, time
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
conn, _ = listener.accept()
conn.recv(10)
conn.sendall(b"413 too long\n")
conn.shutdown(socket.SHUT_WR)
while conn.recv(1000):
    pass
conn.close()
