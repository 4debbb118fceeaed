package samples;

import io.agibridge.AgiBridgeManager;
import io.agibridge.Watch;

/** Writes every event of Asterisk. */
public final class ManagerEvents {
  private ManagerEvents() {}

  /**
   * Watches.
   *
   * @param arguments the bridge's API, and a token
   * @throws Exception the bridge refuses it
   */
  public static void main(String[] arguments) throws Exception {
    try (var manager =
        AgiBridgeManager.builder().bridge(arguments[0]).token(arguments[1]).build()) {
      manager
          .watch(
              Watch.events("*"), event -> System.out.println(event.name() + " " + event.headers()))
          .awaitEnd();
    }
  }
}
