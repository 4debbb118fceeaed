package io.agibridge;

import io.agibridge.internal.v1.ContinueDialplan;
import io.agibridge.internal.v1.EndCall;
import io.agibridge.internal.v1.FailDialplan;
import io.agibridge.internal.v1.GotoDialplan;
import io.agibridge.internal.v1.HangupChannel;

/** How a session ends; for {@link Call#end(End)}. Instances never change. */
public final class End {
  private final EndCall message;

  private End(EndCall.Builder message) {
    this.message = message.build();
  }

  /**
   * The dialplan goes on after AGI(), with AGISTATUS=SUCCESS.
   *
   * @return this end
   */
  public static End continueDialplan() {
    return new End(EndCall.newBuilder().setContinueDialplan(ContinueDialplan.getDefaultInstance()));
  }

  /**
   * The dialplan goes on after AGI(), with AGISTATUS=FAILURE.
   *
   * @param reason left in the channel's variable AGIBRIDGE_REASON
   * @return this end
   */
  public static End fail(String reason) {
    return new End(
        EndCall.newBuilder().setFailDialplan(FailDialplan.newBuilder().setReason(reason)));
  }

  /**
   * The dialplan goes on elsewhere.
   *
   * @param context the context
   * @param extension the extension
   * @param priority the priority, from 1
   * @return this end
   */
  public static End goTo(String context, String extension, int priority) {
    return new End(
        EndCall.newBuilder()
            .setGotoDialplan(
                GotoDialplan.newBuilder()
                    .setContext(context)
                    .setExtension(extension)
                    .setPriority(priority)));
  }

  /**
   * The channel is hung up.
   *
   * @return this end
   */
  public static End hangUp() {
    return new End(EndCall.newBuilder().setHangUp(HangupChannel.getDefaultInstance()));
  }

  /**
   * Sets a variable on the channel first. Several are set in no promised order.
   *
   * @param name a variable or function
   * @param value its value, without line ends
   * @return this end, with the variable
   */
  public End variable(String name, String value) {
    return new End(message.toBuilder().putVariables(name, value));
  }

  EndCall message() {
    return message;
  }
}
