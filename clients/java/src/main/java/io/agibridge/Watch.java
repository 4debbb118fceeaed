package io.agibridge;

import io.agibridge.internal.v1.WatchEventsRequest;
import java.util.List;

/** Which events are wanted. Begin with their names, and chain the rest; instances never change. */
public final class Watch {
  private final WatchEventsRequest request;

  private Watch(WatchEventsRequest.Builder request) {
    this.request = request.build();
  }

  /**
   * Begins with names.
   *
   * @param names of events; {@code *} or none: every one that is granted
   * @return the wish
   */
  public static Watch events(String... names) {
    return new Watch(WatchEventsRequest.newBuilder().addAllNames(List.of(names)));
  }

  /**
   * Says which Asterisk.
   *
   * @param server one of the bridge's configuration; all that this client may use unless set
   * @return the wish, with this
   */
  public Watch server(String server) {
    return new Watch(request.toBuilder().setServer(server));
  }

  /**
   * Wants only events that have this header.
   *
   * @param key its name
   * @param value its value
   * @return the wish, with this
   */
  public Watch match(String key, String value) {
    return new Watch(request.toBuilder().putMatch(key, value));
  }

  WatchEventsRequest request() {
    return request;
  }
}
