package io.agibridge;

import io.grpc.ChannelCredentials;
import io.grpc.TlsChannelCredentials;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;

/** Reads what a client needs for TLS. */
final class Tls {
  private Tls() {}

  static ChannelCredentials credentials(File ca, File certificates, File key) {
    try {
      var tls = TlsChannelCredentials.newBuilder();
      if (ca != null) {
        tls.trustManager(ca);
      }
      if (certificates != null) {
        tls.keyManager(certificates, key);
      }
      return tls.build();
    } catch (IOException unreadable) {
      throw new UncheckedIOException("a file for TLS cannot be read", unreadable);
    }
  }
}
