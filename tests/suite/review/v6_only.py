import socket, sys
listener = socket.create_server(("::1", int(sys.argv[1])), family=socket.AF_INET6)
conn, _ = listener.accept()
conn.close()
