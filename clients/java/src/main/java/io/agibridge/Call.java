package io.agibridge;

import io.agibridge.internal.v1.CallStarted;
import java.time.Duration;
import java.time.Instant;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/**
 * One call, as a handler has it: its facts, AGI's commands, and its end.
 *
 * <p>A call belongs to its handler. Another handler, and code that runs after the handler has
 * returned, gets a {@link MisuseException}. A thread of your own may use any call whose handler
 * runs.
 */
public final class Call extends CallPrompts {
  private final CallMachine machine;
  private final CallStarted started;
  private final CompletableFuture<Void> closed;
  private final Channel channel;
  private final Map<String, List<String>> query;
  private final Optional<Resumption> resumption;

  Call(CallMachine machine, CompletableFuture<Void> closed) {
    this.machine = machine;
    this.started = machine.started();
    this.closed = closed;
    this.channel = Channel.of(started);
    this.query = query(started);
    this.resumption =
        started.hasResumption()
            ? Optional.of(Resumption.of(machine, started.getResumption()))
            : Optional.empty();
  }

  private static Map<String, List<String>> query(CallStarted started) {
    var query = new LinkedHashMap<String, List<String>>();
    for (var parameter : started.getQueryParametersList()) {
      query
          .computeIfAbsent(parameter.getKey(), key -> new java.util.ArrayList<>())
          .add(parameter.getValue());
    }
    query.replaceAll((key, values) -> List.copyOf(values));
    return Collections.unmodifiableMap(query);
  }

  @Override
  <T> T run(Spec<T> spec) {
    return machine.take(machine.submit(spec.command()), spec.decode());
  }

  /**
   * Names this call in every log, span and event.
   *
   * @return a UUID
   */
  public String id() {
    return started.getCallId();
  }

  /**
   * The route that matched.
   *
   * @return its name in the bridge's configuration
   */
  public String route() {
    return started.getRoute();
  }

  /**
   * Parameters of the route's path: {@code /ivr/{tenant}} gives {@code tenant}.
   *
   * @return all of them
   */
  public Map<String, String> pathParameters() {
    return started.getPathParametersMap();
  }

  /**
   * A parameter of the route's path.
   *
   * @param name its name
   * @return its value, if the path has it
   */
  public Optional<String> pathParameter(String name) {
    return Optional.ofNullable(pathParameters().get(name));
  }

  /**
   * The query of the AGI URL. A repeated key has all its values, in order.
   *
   * @return all of it
   */
  public Map<String, List<String>> queryParameters() {
    return query;
  }

  /**
   * A parameter of the AGI URL's query.
   *
   * @param name its name
   * @return its first value, if there is one
   */
  public Optional<String> queryParameter(String name) {
    return Optional.ofNullable(query.get(name)).map(values -> values.get(0));
  }

  /**
   * The arguments of AGI() in the dialplan: {@code agi_arg_1} and so on.
   *
   * @return the arguments
   */
  public List<String> arguments() {
    return started.getArgumentsList();
  }

  /**
   * The channel, as it was when Asterisk connected.
   *
   * @return the channel
   */
  public Channel channel() {
    return channel;
  }

  /**
   * Every {@code agi_} line as Asterisk sent it.
   *
   * @return the lines, by their whole names
   */
  public Map<String, String> environment() {
    return started.getEnvironmentMap();
  }

  /**
   * When Asterisk connected.
   *
   * @return the moment, by the bridge's clock
   */
  public Instant acceptedAt() {
    return Protos.instant(started.getAcceptedAt());
  }

  /**
   * How many commands may be unanswered at once. A method that would send one more waits for room
   * first.
   *
   * @return the number
   */
  public long maxQueuedCommands() {
    return Integer.toUnsignedLong(started.getMaxQueuedCommands());
  }

  /**
   * What this handler needs to carry on with a call that another one had.
   *
   * @return empty for a new call
   */
  public Optional<Resumption> resumption() {
    return resumption;
  }

  /**
   * Begins a batch in which each command but the first runs only when the one before succeeded.
   *
   * @return an empty batch
   */
  public Batch batch() {
    return new Batch(machine, true);
  }

  /**
   * Begins a batch in which every command runs, whatever became of the one before.
   *
   * @return an empty batch
   */
  public Batch independentBatch() {
    return new Batch(machine, false);
  }

  /**
   * Whether the caller is gone.
   *
   * @return true from the moment when the bridge has told it
   */
  public boolean isHungUp() {
    return machine.isHungUp();
  }

  /**
   * The hangup.
   *
   * @return empty while the caller is there, and when only a command's result has told it
   */
  public Optional<Hangup> hangup() {
    return Optional.ofNullable(machine.hangup());
  }

  /**
   * Whether the bridge would like the call to end, and by when.
   *
   * @return empty while it does not
   */
  public Optional<Draining> draining() {
    return Optional.ofNullable(machine.draining());
  }

  /**
   * The session's end.
   *
   * @return empty while it lasts
   */
  public Optional<Ended> ended() {
    return Optional.ofNullable(machine.ended());
  }

  /**
   * The hangup, for those who wait for something else than a command. The handler is not
   * interrupted by it; it has {@link Hangup#grace} to finish.
   *
   * @return done at the hangup. It fails with {@link CommandException} (CALL_ENDED) or {@link
   *     HungUpException} when the session ends before one is told, and with {@link
   *     CallLostException} when the stream is lost
   */
  public CompletableFuture<Hangup> whenHungUp() {
    return machine.whenHungUp();
  }

  /**
   * The bridge's wish that the call ends.
   *
   * @return done when the bridge drains; fails as {@link #whenHungUp}
   */
  public CompletableFuture<Draining> whenDraining() {
    return machine.whenDraining();
  }

  /**
   * The session's end.
   *
   * @return done when the session has ended; fails with {@link CallLostException} when the stream
   *     is lost before
   */
  public CompletableFuture<Ended> whenEnded() {
    return machine.whenEnded();
  }

  /**
   * The end of everything: the handler is over, and the stream closed. For code outside of the
   * handler.
   *
   * @return done then, always without an error
   */
  public CompletableFuture<Void> whenClosed() {
    return closed.copy();
  }

  /**
   * Sets who is told what GOSUB reports before its result. It is told on the thread that waits for
   * the result.
   *
   * @param listener takes the text; an exception from it comes out of the command's method
   */
  public void onProgress(Consumer<String> listener) {
    machine.onProgress(listener);
  }

  /**
   * Takes the oldest key that the caller pressed and nobody took, or waits for one, on a route with
   * {@code digits: true}. Up to 64 keys wait, in order, from the begin of this handler; newer ones
   * are dropped, with a warning. A key that a command took is among them too.
   *
   * @return the key
   * @throws HungUpException no key waits, and the caller is gone
   * @throws CommandException no key waits, and the session has ended (CALL_ENDED)
   * @throws CallLostException no key waits, and the bridge is gone
   * @throws MisuseException the call is not this handler's
   * @throws CallInterruptedException the thread was interrupted while it waited
   */
  public PressedDigit nextDigit() {
    return machine.nextDigit(null);
  }

  /**
   * Takes the oldest key that the caller pressed and nobody took, or waits for one so long.
   *
   * @param timeout how long the caller may take; it counts while no command runs
   * @return the key; empty when none was pressed in time
   * @throws HungUpException no key waits, and the caller is gone
   * @throws CommandException no key waits, and the session has ended (CALL_ENDED)
   * @throws CallLostException no key waits, and the bridge is gone
   * @throws MisuseException the call is not this handler's
   * @throws CallInterruptedException the thread was interrupted while it waited
   */
  public Optional<PressedDigit> nextDigit(Duration timeout) {
    return Optional.ofNullable(
        machine.nextDigit(java.util.Objects.requireNonNull(timeout, "timeout")));
  }

  /**
   * Takes all keys that wait, without waiting for more: what was typed ahead.
   *
   * @return the digits; empty when none wait
   * @throws MisuseException the call is not this handler's
   */
  public String takeDigits() {
    return machine.takeDigits();
  }

  /**
   * Takes back what was sent and is not written to Asterisk yet (CANCELLED), and stops the command
   * that runs there: its result comes as if it had ended by itself, a prompt's with no digit, GET
   * DATA's with what was typed so far. Prompts, SAY, RECORD FILE, WAIT FOR DIGIT and GET DATA can
   * be stopped, where the bridge has a link to Asterisk's manager; others go on.
   *
   * <p>It waits for nothing, asks once for each command, and does nothing when the session is over.
   *
   * @throws MisuseException the call is not this handler's
   */
  public void interrupt() {
    machine.interrupt();
  }

  /**
   * Keeps a state for whoever resumes the call, in place of the one before. It accounts for every
   * result that this handler has received; newer ones are kept by the bridge besides.
   *
   * @param state up to the route's {@code checkpoint_limit} (64 KiB unless set): more costs the
   *     call
   * @throws HungUpException the session has ended, with the caller gone
   * @throws CommandException the session has ended otherwise
   * @throws CallLostException the bridge is gone
   * @throws MisuseException the call is not this handler's, or the state does not fit into a
   *     message
   */
  public void checkpoint(byte[] state) {
    machine.checkpoint(state);
  }

  /**
   * Ends the session: the dialplan goes on. To return from the handler does the same.
   *
   * @return how it ended, once it has
   * @throws CallLostException the bridge is gone
   * @throws MisuseException the call is not this handler's
   */
  public Ended end() {
    return end(End.continueDialplan());
  }

  /**
   * Ends the session. What was sent before still runs.
   *
   * @param end where the call goes on, and with which variables
   * @return how it ended, once it has: {@link Ended.Reason#HANGUP} when the caller was gone by then
   * @throws CallLostException the bridge is gone
   * @throws MisuseException the call is not this handler's
   */
  public Ended end(End end) {
    return machine.end(end.message());
  }

  /**
   * Gives the call to another route, with the channel as it is, and returns when it is there.
   * Commands that wait are CANCELLED, one that runs goes on; commands after it are misuse.
   *
   * @param route the name of a route, or a path with its query: {@code /sales/eu?lang=de}
   * @throws HungUpException the caller was gone before
   * @throws CommandException the call ended instead, as when there is no such route; the detail
   *     says why
   * @throws CallLostException the bridge is gone
   * @throws MisuseException the call is not this handler's
   */
  public void handoff(String route) {
    machine.handoff(route, null);
  }

  /**
   * Gives the call to another route, with a state.
   *
   * @param route the name of a route, or a path with its query: {@code /sales/eu?lang=de}
   * @param state what the other service gets as the checkpoint of its {@link #resumption}; up to
   *     the route's {@code checkpoint_limit} (64 KiB unless set)
   * @throws HungUpException the caller was gone before
   * @throws CommandException the call ended instead, as when there is no such route; the detail
   *     says why
   * @throws CallLostException the bridge is gone
   * @throws MisuseException the call is not this handler's, or the state does not fit into a
   *     message
   */
  public void handoff(String route, byte[] state) {
    machine.handoff(route, java.util.Objects.requireNonNull(state, "state"));
  }

  /**
   * Gives the call back, so that another instance of the service takes it, with the checkpoint.
   * Commands after it are misuse.
   *
   * @param reason for the bridge's log, within 200 characters
   * @throws HungUpException the session has ended, with the caller gone
   * @throws CommandException the session has ended otherwise
   * @throws CallLostException the bridge is gone
   * @throws MisuseException the call is not this handler's
   */
  public void release(String reason) {
    machine.release(reason);
  }
}
