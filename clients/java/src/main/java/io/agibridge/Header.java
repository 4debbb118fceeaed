package io.agibridge;

import java.util.List;
import java.util.Optional;

/**
 * A line of an action, an answer or an event of the manager.
 *
 * @param key its name
 * @param value its value
 */
public record Header(String key, String value) {
  static Optional<String> find(List<Header> headers, String key) {
    return headers.stream()
        .filter(header -> header.key().equalsIgnoreCase(key))
        .map(Header::value)
        .findFirst();
  }

  static List<Header> all(List<io.agibridge.internal.v1.Header> headers) {
    return headers.stream().map(it -> new Header(it.getKey(), it.getValue())).toList();
  }
}
