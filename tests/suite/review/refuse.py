# Refuses what begins wrong, without reading on. The second connection says that the rest has been sent.
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
conn, _ = listener.accept()
conn.recv(1000)
other, _ = listener.accept()
conn.close()
other.close()
