package io.agibridge;

import io.grpc.Metadata;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The metadata of a stream, as far as this library reads and writes it. */
final class Headers {
  static final Metadata.Key<String> AUTHORIZATION = key("authorization");
  static final Metadata.Key<String> OFFER_TOKEN = key("agibridge-offer-token");
  private static final List<String> TRACE = List.of("traceparent", "tracestate", "baggage");

  private Headers() {}

  /** What continues the call's trace. */
  static Map<String, String> trace(Metadata headers) {
    var found = new HashMap<String, String>();
    for (String name : TRACE) {
      String value = headers.get(key(name));
      if (value != null) {
        found.put(name, value);
      }
    }
    return found;
  }

  static Metadata bearer(String token) {
    var headers = new Metadata();
    if (!token.isEmpty()) {
      headers.put(AUTHORIZATION, "Bearer " + token);
    }
    return headers;
  }

  /** Whether the token is shown; it takes as long for any wrong one. */
  static boolean shows(Metadata headers, String token) {
    String shown = headers.get(AUTHORIZATION);
    return shown != null && MessageDigest.isEqual(bytes(shown), bytes("Bearer " + token));
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  static Metadata.Key<String> key(String name) {
    return Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
  }
}
