# A child for each client, and no wait.
import os, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    conn, _ = listener.accept()
    if os.fork() == 0:
        conn.sendall(conn.recv(100))
        os._exit(0)
    conn.close()
