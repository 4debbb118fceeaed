package samples;

import io.agibridge.AgiBridgeServer;
import io.agibridge.Call;
import io.agibridge.End;
import io.agibridge.HungUpException;
import java.util.Map;
import java.util.Optional;

/**
 * Dials the department that the path names, and stores what became of it, also when the caller has
 * hung up.
 */
public final class Router {
  private Router() {}

  private static final Map<String, String> DEPARTMENTS =
      Map.of("sales", "PJSIP/100", "support", "PJSIP/200");

  private static void handle(Call call) {
    String department = call.pathParameter("department").orElse("");
    Optional<String> target =
        call.queryParameter("to").or(() -> Optional.ofNullable(DEPARTMENTS.get(department)));
    if (target.isEmpty()) {
      call.streamFile("pbx-invalid");
      call.end(End.fail("there is no department " + department));
      return;
    }

    try {
      call.exec("Dial", target.get(), "20");
    } catch (HungUpException gone) {
      // The caller has given up; what follows works without one.
    }
    String status = call.getVariable("DIALSTATUS").orElse("");
    String routed = department + ":" + status;
    call.databasePut("router", call.channel().uniqueId(), routed);
    call.setVariable("ROUTED", routed);
    if (!call.isHungUp() && !status.equals("ANSWER")) {
      call.streamFile("vm-nobodyavail");
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
            .handler(Router::handle)
            .build()
            .start();
    System.out.println("listening on 127.0.0.1:" + server.port());
    server.awaitTermination();
  }
}
