package samples;

import io.agibridge.AgiBridgeManager;
import io.agibridge.Originate;

/** Rings the caller, and then dials the number. */
public final class ClickToCall {
  private ClickToCall() {}

  /**
   * Calls.
   *
   * @param arguments the bridge's API, a token, the caller's channel, the context, the number
   */
  public static void main(String[] arguments) {
    try (var manager =
        AgiBridgeManager.builder().bridge(arguments[0]).token(arguments[1]).build()) {
      var call = Originate.call(arguments[2]).toExtension(arguments[3], arguments[4]);
      System.out.println(manager.originate(call).outcome());
    }
  }
}
