package samples;

import io.agibridge.AgiBridgeServer;
import io.agibridge.AskOptions;
import io.agibridge.Call;
import io.agibridge.End;
import io.agibridge.NoInputException;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Stream;

/**
 * A game: three subtractions, or those of the query, as {@code ask=9-4,7-2}. The score goes to the
 * dialplan.
 */
public final class Subtraction {
  private Subtraction() {}

  private record Sum(int a, int b) {
    static Sum byChance() {
      int a = ThreadLocalRandom.current().nextInt(5, 21);
      return new Sum(a, ThreadLocalRandom.current().nextInt(1, a + 1));
    }

    static Sum parse(String text) {
      String[] parts = text.split("-", 2);
      return new Sum(Integer.parseInt(parts[0]), Integer.parseInt(parts[1]));
    }

    boolean isSolvedBy(String answer) {
      return Integer.parseInt(answer) == a - b;
    }
  }

  private static void handle(Call call) {
    call.answer();
    List<Sum> sums =
        call.queryParameter("ask")
            .map(ask -> Arrays.stream(ask.split(",")).map(Sum::parse).toList())
            .orElseGet(() -> Stream.generate(Sum::byChance).limit(3).toList());
    int right = 0;
    for (Sum sum : sums) {
      if (isSolved(call, sum)) {
        right++;
        call.streamFile("auth-thankyou");
      } else {
        call.streamFile("auth-incorrect");
      }
    }
    call.streamFile("vm-goodbye");
    call.end(End.continueDialplan().variable("SCORE", right + "/" + sums.size()));
  }

  private static boolean isSolved(Call call, Sum sum) {
    call.sayNumber(sum.a());
    call.streamFile("digits/minus");
    call.sayNumber(sum.b());
    try {
      String answer =
          call.ask(
              "beep",
              2,
              AskOptions.timeout(Duration.ofSeconds(5))
                  .tries(2)
                  .validate(digits -> digits.chars().allMatch(Character::isDigit)));
      return sum.isSolvedBy(answer);
    } catch (NoInputException nothing) {
      return false;
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
            .handler(Subtraction::handle)
            .build()
            .start();
    System.out.println("listening on 127.0.0.1:" + server.port());
    server.awaitTermination();
  }
}
