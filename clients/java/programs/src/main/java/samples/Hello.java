package samples;

import io.agibridge.AgiBridgeServer;
import io.agibridge.Call;

/** Greets the caller, and says the number that the call comes from. */
public final class Hello {
  private Hello() {}

  private static void handle(Call call) {
    call.answer();
    call.streamFile("hello-world");
    String number = call.channel().callerIdNumber();
    if (!number.isEmpty()) {
      call.sayDigits(number);
    }
  }

  /**
   * Serves.
   *
   * @param arguments the address, 127.0.0.1:50051 unless given
   * @throws InterruptedException never
   */
  public static void main(String[] arguments) throws InterruptedException {
    var server =
        AgiBridgeServer.builder()
            .listen(arguments.length > 0 ? arguments[0] : "127.0.0.1:50051")
            .handler(Hello::handle)
            .build()
            .start();
    System.out.println("listening on 127.0.0.1:" + server.port());
    server.awaitTermination();
  }
}
