package io.agibridge;

/**
 * The state of the bridge's link to an Asterisk.
 *
 * @param server its name in the bridge's configuration
 * @param connected whether the link is there
 * @param asteriskVersion empty when it is not known
 * @param detail why it is not connected
 */
public record ServerState(String server, boolean connected, String asteriskVersion, String detail) {
  static ServerState of(io.agibridge.internal.v1.ServerState state) {
    return new ServerState(
        state.getServer(), state.getConnected(), state.getAsteriskVersion(), state.getDetail());
  }
}
