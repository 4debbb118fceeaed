package io.agibridge;

/** Gives a worker its token, for one that expires. */
@FunctionalInterface
public interface TokenSource {
  /**
   * Gives the token to show now. It is asked for every registration and every call, by several
   * threads, and may block for up to 10 s.
   *
   * @return the token
   * @throws Exception there is none now; no bridge is asked then, and calls are declined
   */
  String token() throws Exception;
}
