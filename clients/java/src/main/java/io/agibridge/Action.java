package io.agibridge;

import io.agibridge.internal.v1.SendActionRequest;
import java.time.Duration;

/**
 * An action of Asterisk's manager. Begin with its name, and chain the rest; instances never change.
 */
public final class Action {
  private final SendActionRequest request;

  private Action(SendActionRequest.Builder request) {
    this.request = request.build();
  }

  /**
   * Begins an action.
   *
   * @param name as {@code CoreShowChannels}
   * @return the action
   */
  public static Action named(String name) {
    return new Action(SendActionRequest.newBuilder().setAction(name));
  }

  /**
   * Says which Asterisk.
   *
   * @param server one of the bridge's configuration; needed only where there are several
   * @return the action, with this
   */
  public Action server(String server) {
    return new Action(request.toBuilder().setServer(server));
  }

  /**
   * Adds a header after those that are there.
   *
   * @param key its name, which may repeat
   * @param value its value
   * @return the action, with this
   */
  public Action header(String key, String value) {
    return new Action(
        request.toBuilder()
            .addHeaders(io.agibridge.internal.v1.Header.newBuilder().setKey(key).setValue(value)));
  }

  /**
   * Sets how long the bridge waits for the answer.
   *
   * @param timeout 10 s unless set
   * @return the action, with this
   */
  public Action timeout(Duration timeout) {
    return new Action(request.toBuilder().setTimeout(Protos.duration(timeout)));
  }

  SendActionRequest request() {
    return request;
  }
}
