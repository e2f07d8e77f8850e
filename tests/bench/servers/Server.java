import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;

/** A web server of the JDK's library: some work for each request. */
public class Server {
    static List<String> rows(int count) {
        List<String> found = new ArrayList<>();
        for (int i = 0; i < count; i++)
            found.add("row " + i * i % 97 + " of " + i);
        return found;
    }

    static byte[] page() {
        List<String> found = rows(200);
        found.sort(String::compareTo);
        return String.join("\n", found).getBytes();
    }

    static void answer(HttpExchange exchange) throws IOException {
        byte[] body = page();
        exchange.sendResponseHeaders(200, body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }

    public static void main(String[] arguments) throws IOException {
        HttpServer server = HttpServer.create(
            new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])),
            64);
        server.createContext("/", Server::answer);
        server.setExecutor(Executors.newFixedThreadPool(4));
        server.start();
    }
}
