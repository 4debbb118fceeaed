package io.agibridge;

/**
 * Is told what a subscription hears, one after the other, on one thread. One that is slow misses
 * events, and slows nobody else down.
 */
@FunctionalInterface
public interface ManagerListener {
  /**
   * An event came.
   *
   * @param event the event
   * @throws Exception ends the subscription
   */
  void event(ManagerEvent event) throws Exception;

  /**
   * Events are missing here, because this listener was too slow.
   *
   * @param events how many
   */
  default void missed(long events) {}

  /**
   * How the bridge's link to each Asterisk is at first, and whenever it was lost or is back: events
   * may be missing around that.
   *
   * @param state of one link
   */
  default void state(ServerState state) {}

  /**
   * The stream from the bridge broke, or cannot be had; told once. It is asked for again: events
   * are missing until {@link #state} is told anew.
   *
   * @param why what the stream ended with
   */
  default void lost(ManagerException why) {}
}
