package samples;

import io.agibridge.Action;
import io.agibridge.AgiBridgeManager;
import io.agibridge.ManagerException;

/** Sends Ping to Asterisk once a second. */
public final class ManagerPing {
  private ManagerPing() {}

  /**
   * Pings.
   *
   * @param arguments the bridge's API, and a token
   * @throws InterruptedException never
   */
  public static void main(String[] arguments) throws InterruptedException {
    try (var manager =
        AgiBridgeManager.builder().bridge(arguments[0]).token(arguments[1]).build()) {
      for (; ; Thread.sleep(1000)) {
        try {
          System.out.println(manager.sendAction(Action.named("Ping")).header("Ping").orElse(""));
        } catch (ManagerException failed) {
          System.err.println(failed.getMessage());
        }
      }
    }
  }
}
