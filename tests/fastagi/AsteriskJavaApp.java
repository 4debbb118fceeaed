// A FastAGI application on asterisk-java, as its tutorial shows one: it knows Asterisk and no agi-bridge.
// Prints the port that it listens on, and what it sees of each call, behind the call's channel.

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import org.asteriskjava.fastagi.AgiChannel;
import org.asteriskjava.fastagi.AgiException;
import org.asteriskjava.fastagi.AgiHangupException;
import org.asteriskjava.fastagi.AgiRequest;
import org.asteriskjava.fastagi.BaseAgiScript;
import org.asteriskjava.fastagi.DefaultAgiServer;
import org.asteriskjava.util.ServerSocketFacade;

public class AsteriskJavaApp extends BaseAgiScript {
    @Override
    public void service(AgiRequest request, AgiChannel channel) throws AgiException {
        String key = request.getArguments()[0];
        say(request.getChannel(), "call from", request.getCallerIdNumber(), "for", request.getScript(),
            "of", request.getParameter("tenant"));
        try {
            answer();
            streamFile("hello-world", "12");
            String digits = getData("beep", 5000, 4);
            say(request.getChannel(), "digits", digits);
            setVariable("PIN", digits);
            setVariable("MESSAGE", "the \"last\" \\ one");
            databasePut("lab", key, "hung up");
            hangup();
            say(request.getChannel(), "hung up");
        } catch (AgiHangupException gone) {
            databasePut("lab", key, "gone");
            say(request.getChannel(), "gone", gone.getClass().getSimpleName());
        }
    }

    public static void main(String[] arguments) throws IOException {
        DefaultAgiServer server = new DefaultAgiServer(new AsteriskJavaApp()) {
            @Override
            protected ServerSocketFacade createServerSocket() throws IOException {
                ServerSocketFacade socket = super.createServerSocket();
                say("listening", String.valueOf(getPort()));
                return socket;
            }
        };
        // The library cannot say which port the system chose, so it is told one that was free a moment ago.
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            server.setPort(free.getLocalPort());
        }
        server.setAddress(InetAddress.getLoopbackAddress());
        server.startup();
    }

    private static void say(String... words) {
        System.out.println(String.join(" ", words));
    }
}
