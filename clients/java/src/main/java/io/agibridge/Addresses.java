package io.agibridge;

import java.net.InetSocketAddress;

/** Addresses as users write them. */
final class Addresses {
  private Addresses() {}

  /** {@code host:port}, with an IPv6 address in brackets. */
  static InetSocketAddress parse(String address) {
    InetSocketAddress named = unresolved(address);
    return new InetSocketAddress(named.getHostString(), named.getPort());
  }

  /** As parse, without looking the name up. */
  static InetSocketAddress unresolved(String address) {
    int colon = address.lastIndexOf(':');
    if (colon > 0) {
      String host = address.substring(0, colon);
      if (host.startsWith("[") && host.endsWith("]")) {
        host = host.substring(1, host.length() - 1);
      }
      try {
        int port = Integer.parseInt(address.substring(colon + 1));
        return InetSocketAddress.createUnresolved(host, port);
      } catch (IllegalArgumentException noPort) {
        // Told below, with what is expected.
      }
    }
    throw new IllegalArgumentException(
        "an address is HOST:PORT, as 127.0.0.1:50051, and not \"" + address + "\"");
  }
}
