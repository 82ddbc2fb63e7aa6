# Answers after the first line, and closes with the rest unread.
import socket, sys, time
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
conn, _ = listener.accept()
conn.recv(10)
time.sleep(0.2)
conn.sendall(b"413 too long\n")
conn.close()
listener.accept()
