package io.agibridge;

/** What this library calls itself. */
final class Version {
  static final String TEXT = "0.1.0";
  static final String USER_AGENT = "agi-bridge-java/" + TEXT;

  private Version() {}
}
