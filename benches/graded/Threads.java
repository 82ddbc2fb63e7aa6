// An echo server with a thread for each client, for docs/servers-graded.md: java Threads.java HOST PORT

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;

public class Threads {
    public static void main(String[] args) throws IOException {
        var server = new ServerSocket(Integer.parseInt(args[1]), 50, InetAddress.getByName(args[0]));
        while (true) {
            var client = server.accept();
            new Thread(() -> answer(client)).start();
        }
    }

    static void answer(Socket client) {
        try (client) {
            client.getInputStream().transferTo(client.getOutputStream());
        } catch (IOException gone) {
            // This client has left; the others are served.
        }
    }
}
