import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;

/** A server in one thread, its client in another. */
public class Calls {
    public static void main(String[] args) throws Exception {
        InetAddress loopback = InetAddress.getByName("127.0.0.1");
        ServerSocket listener = new ServerSocket(0, 5, loopback);
        Thread server = new Thread(() -> {
            try (Socket connection = listener.accept()) {
                InputStream in = connection.getInputStream();
                OutputStream out = connection.getOutputStream();
                byte[] bytes = new byte[100];
                for (int n; (n = in.read(bytes)) > 0;) out.write(bytes, 0, n);
            } catch (Exception error) {
                error.printStackTrace();
            }
        });
        server.start();
        try (Socket client = new Socket(loopback, listener.getLocalPort())) {
            byte[] bytes = new byte[100];
            for (String word : new String[] {"one", "two", "three"}) {
                client.getOutputStream().write(word.getBytes());
                int n = client.getInputStream().read(bytes);
                System.out.println(new String(bytes, 0, n));
            }
        }
        server.join();
        listener.close();
    }
}
