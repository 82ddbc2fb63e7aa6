# Asks for a name, then for a word: neither ends with a line, and each is answered.
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    conn, _ = listener.accept()
    conn.sendall(b"name? ")
    conn.recv(100)
    conn.sendall(b"word? ")
    conn.recv(100)
    conn.sendall(b"welcome\n")
    conn.close()
