# ::1 first, where nobody listens, then 127.0.0.1, and a name that is looked up: as browsers do.
import socket, sys
sock = socket.create_connection(("localhost", int(sys.argv[1])))
sock.close()
