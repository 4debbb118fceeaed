package samples;

import io.agibridge.AgiBridgeServer;
import io.agibridge.AskOptions;
import io.agibridge.Call;
import io.agibridge.End;
import io.agibridge.HungUpException;
import io.agibridge.NoInputException;
import io.agibridge.RecordFileOptions;
import io.agibridge.StreamFileOptions;
import java.time.Duration;
import java.util.Map;

/** Takes a message from whoever knows the PIN, and lets it be heard and recorded again. */
public final class Recorder {
  private Recorder() {}

  private enum Choice {
    KEEP,
    PLAY,
    AGAIN
  }

  private static final Map<String, Choice> CHOICES =
      Map.of("1", Choice.KEEP, "2", Choice.PLAY, "3", Choice.AGAIN);

  private static final RecordFileOptions MESSAGE =
      RecordFileOptions.escapeDigits("#")
          .timeout(Duration.ofSeconds(60))
          .beep(true)
          .silence(Duration.ofSeconds(5));

  private static void handle(Call call) {
    call.answer();
    String pin = call.queryParameter("pin").orElse("1234");
    try {
      call.ask("vm-password", 4, AskOptions.validate(pin::equals).invalid("vm-incorrect"));
    } catch (NoInputException wrong) {
      call.streamFile("vm-goodbye");
      call.end(End.hangUp());
      return;
    }

    String file = "/tmp/recorder-" + call.channel().uniqueId();
    try {
      call.recordFile(file, "wav", MESSAGE);
      review(call, file);
      call.streamFile("auth-thankyou");
      call.end(End.continueDialplan().variable("RECORDED", file));
    } catch (HungUpException | NoInputException kept) {
      // What was said is in the file, and the variable can still be set.
      call.setVariable("RECORDED", file);
    }
  }

  private static void review(Call call, String file) {
    while (true) {
      switch (call.menu("vm-review", CHOICES)) {
        case PLAY -> call.streamFile(file, StreamFileOptions.escapeDigits("123"));
        case AGAIN -> call.recordFile(file, "wav", MESSAGE);
        case KEEP -> {
          return;
        }
      }
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
            .handler(Recorder::handle)
            .build()
            .start();
    System.out.println("listening on 127.0.0.1:" + server.port());
    server.awaitTermination();
  }
}
