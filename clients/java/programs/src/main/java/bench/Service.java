package bench;

import io.agibridge.AgiBridgeServer;

/** Five commands for each call, by the library, for {@code make bench}. */
public final class Service {
  private Service() {}

  /**
   * Serves.
   *
   * @param arguments the address
   * @throws InterruptedException never
   */
  public static void main(String[] arguments) throws InterruptedException {
    var server =
        AgiBridgeServer.builder()
            .listen(arguments[0])
            .handler(
                call -> {
                  call.setVariable("CALLED_BY", "bench");
                  call.verbose("a line for the log", 1);
                  call.noop("nothing at all");
                  call.setVariable("MENU", "main,1");
                  call.noop("and again nothing");
                })
            .build()
            .start();
    System.out.println("listening on 127.0.0.1:" + server.port());
    server.awaitTermination();
  }
}
