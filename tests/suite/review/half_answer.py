# Answers with a line in two sends; the second comes when the client has the first, and connects again.
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
conn, _ = listener.accept()
conn.recv(100)
conn.sendall(b"250 good ")
other, _ = listener.accept()
conn.sendall(b"day\n")
conn.close()
other.close()
