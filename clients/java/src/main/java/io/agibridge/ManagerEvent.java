package io.agibridge;

import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * An event of Asterisk's manager.
 *
 * @param server the Asterisk that it is from
 * @param name as {@code Newchannel}
 * @param headers all of them, in order; a key may repeat
 * @param receivedAt when the bridge read it
 */
public record ManagerEvent(String server, String name, List<Header> headers, Instant receivedAt) {
  /**
   * Finds a header.
   *
   * @param key its name, in any case
   * @return the first value of this key
   */
  public Optional<String> header(String key) {
    return Header.find(headers, key);
  }

  static ManagerEvent of(io.agibridge.internal.v1.ManagerEvent event) {
    return new ManagerEvent(
        event.getServer(),
        event.getName(),
        Header.all(event.getHeadersList()),
        Protos.instant(event.getReceivedAt()));
  }
}
