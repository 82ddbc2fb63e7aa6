import socket, sys
listener = socket.socket()
listener.bind(("127.0.0.1", int(sys.argv[1])))
