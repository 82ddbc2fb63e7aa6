# Receives the beginning of an answer, waits for the rest as long as it has patience, and leaves.
import select, socket, sys
address = ("127.0.0.1", int(sys.argv[1]))
sock = socket.create_connection(address)
sock.sendall(b"page\n")
sock.recv(1000)
select.select([sock], [], [], 0.01)
free = socket.create_connection(address)
free.recv(1)
free.close()
sock.close()
