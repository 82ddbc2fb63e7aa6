# Answers each line, however many came at a time, all in one send.
import socket, sys, time
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    conn, _ = listener.accept()
    time.sleep(0.2)
    while data := conn.recv(1000):
        conn.sendall(b"ok\n" * data.count(b"\n"))
    conn.close()
