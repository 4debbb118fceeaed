package bench;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import org.asteriskjava.fastagi.AgiChannel;
import org.asteriskjava.fastagi.AgiException;
import org.asteriskjava.fastagi.AgiRequest;
import org.asteriskjava.fastagi.BaseAgiScript;
import org.asteriskjava.fastagi.DefaultAgiServer;
import org.asteriskjava.util.ServerSocketFacade;

/** The same five commands on asterisk-java, without the bridge, for {@code make bench}. */
public final class Direct extends BaseAgiScript {
  private static final int THREADS = 1_000;

  private Direct() {}

  @Override
  public void service(AgiRequest request, AgiChannel channel) throws AgiException {
    setVariable("CALLED_BY", "bench");
    verbose("a line for the log", 1);
    channel.sendCommand(new Noop("nothing at all"));
    setVariable("MENU", "main,1");
    channel.sendCommand(new Noop("and again nothing"));
  }

  /** As asterisk-java's own, which takes no text. */
  private static final class Noop extends org.asteriskjava.fastagi.command.AbstractAgiCommand {
    private static final long serialVersionUID = 1L;

    private final String text;

    Noop(String text) {
      this.text = text;
    }

    @Override
    public String buildCommand() {
      return "NOOP " + escapeAndQuote(text);
    }
  }

  /**
   * Serves.
   *
   * @param arguments the address
   * @throws IOException it cannot
   */
  public static void main(String[] arguments) throws IOException {
    int colon = arguments[0].lastIndexOf(':');
    var address = InetAddress.getByName(arguments[0].substring(0, colon));
    int port = Integer.parseInt(arguments[0].substring(colon + 1));
    var server =
        new DefaultAgiServer(new Direct()) {
          @Override
          protected ServerSocketFacade createServerSocket() throws IOException {
            ServerSocketFacade socket = super.createServerSocket();
            System.out.println("listening on " + address.getHostAddress() + ":" + getPort());
            return socket;
          }
        };
    // The library cannot say which port the system chose, so it is told one that was free a moment
    // ago.
    if (port == 0) {
      try (var free = new ServerSocket(0, 1, address)) {
        port = free.getLocalPort();
      }
    }
    server.setAddress(address);
    server.setPort(port);
    server.setPoolSize(THREADS);
    server.setMaximumPoolSize(THREADS);
    server.startup();
  }
}
