package io.agibridge;

import io.agibridge.internal.v1.CommandResult;
import java.util.function.Function;

/**
 * The result of a command that need not be there yet.
 *
 * @param <T> what the command gives
 */
public final class Pending<T> {
  private final CallMachine machine;
  private final String command;
  private final Function<CommandResult, T> decode;
  private volatile Slot slot;

  Pending(CallMachine machine, String command, Function<CommandResult, T> decode) {
    this.machine = machine;
    this.command = command;
    this.decode = decode;
  }

  Pending<T> sent(Slot sent) {
    slot = sent;
    return this;
  }

  /**
   * Waits for the result.
   *
   * @return the result
   * @throws HungUpException the caller is gone
   * @throws CommandException the command failed, for another reason
   * @throws CallLostException the bridge is gone
   * @throws MisuseException the batch was not sent
   * @throws CallInterruptedException the thread was interrupted; the command is taken back if
   *     Asterisk does not have it yet
   */
  public T get() {
    return machine.take(slot(), decode);
  }

  /**
   * Takes the command back if Asterisk does not have it yet: it fails with CANCELLED then. One that
   * runs goes on.
   */
  public void cancel() {
    machine.cancel(slot());
  }

  /**
   * Whether {@link #get} would return or throw at once.
   *
   * @return true once the result is there, or none can come any more
   */
  public boolean isDone() {
    return machine.isAnswered(slot());
  }

  /**
   * Which command it is.
   *
   * @return its name, as its method has it
   */
  public String command() {
    return command;
  }

  /**
   * The command's number in this call, from 1.
   *
   * @return the number
   * @throws MisuseException the batch was not sent
   */
  public long id() {
    return Integer.toUnsignedLong(slot().id);
  }

  /** Waits for the result, whether or not it is an error. */
  void await() {
    machine.await(slot());
  }

  private Slot slot() {
    Slot sent = slot;
    if (sent == null) {
      throw new MisuseException(
          "the result of "
              + command
              + " was asked for, but its batch was not sent; call send() or run() first");
    }
    return sent;
  }
}
