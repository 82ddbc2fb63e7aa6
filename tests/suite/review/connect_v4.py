import socket, sys
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1]))).close()
except OSError as error:
    print(error)
