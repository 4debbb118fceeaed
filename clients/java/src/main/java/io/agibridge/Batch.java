package io.agibridge;

import java.util.ArrayList;
import java.util.List;

/**
 * Commands that are sent in one go: one round trip between the bridge and the service. Each has its
 * own result or error. Unless the batch is made by {@link Call#independentBatch}, each command but
 * the first runs only when the one before succeeded, and is SKIPPED otherwise.
 *
 * <pre>{@code
 * Batch batch = call.batch();
 * batch.answer();
 * Pending<Playback> greeting = batch.streamFile("hello-world");
 * batch.run();
 * greeting.get().digit();
 * }</pre>
 *
 * <p>A batch is used by one thread, and sent once.
 */
public final class Batch extends BatchCommands {
  private record Item<T>(Spec<T> spec, Pending<T> pending) {
    void send(CallMachine machine) {
      pending.sent(machine.submit(spec.command()));
    }
  }

  private final CallMachine machine;
  private final boolean chained;
  private final List<Item<?>> items = new ArrayList<>();
  private boolean sent;

  Batch(CallMachine machine, boolean chained) {
    this.machine = machine;
    this.chained = chained;
  }

  @Override
  <T> Pending<T> add(Spec<T> spec) {
    if (sent) {
      throw new MisuseException("a command was added to a batch that was sent; make a new batch");
    }
    if (chained && !items.isEmpty()) {
      spec.command().setRequiresSuccess(true);
    }
    var pending =
        new Pending<>(machine, Protos.name(spec.command().getCommandCase()), spec.decode());
    items.add(new Item<>(spec, pending));
    return pending;
  }

  /**
   * Sends the commands, and does not wait for their results. It waits for room when there are more
   * than {@link Call#maxQueuedCommands}.
   *
   * @throws HungUpException the session has ended, with the caller gone
   * @throws CommandException the session has ended otherwise
   * @throws CallLostException the bridge is gone
   * @throws MisuseException the batch was sent before, or the call is not this handler's
   */
  public void send() {
    if (sent) {
      throw new MisuseException("a batch was sent twice; make a new batch");
    }
    sent = true;
    machine.inOneGo("a batch", () -> items.forEach(item -> item.send(machine)));
  }

  /**
   * Sends the commands, and waits until each has its result or its error, which {@link Pending#get}
   * gives.
   *
   * @throws HungUpException the session has ended, with the caller gone
   * @throws CommandException the session has ended otherwise
   * @throws CallLostException the bridge is gone
   * @throws MisuseException the batch was sent before, or the call is not this handler's
   * @throws CallInterruptedException the thread was interrupted; what Asterisk does not have yet is
   *     taken back
   */
  public void run() {
    send();
    try {
      items.forEach(item -> item.pending().await());
    } catch (CallInterruptedException interrupted) {
      items.forEach(item -> item.pending().cancel());
      throw interrupted;
    }
  }
}
