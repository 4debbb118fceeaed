package io.agibridge;

import io.agibridge.internal.v1.CallControl;
import io.agibridge.internal.v1.CallEnded;
import io.agibridge.internal.v1.CallEvent;
import io.agibridge.internal.v1.CallStarted;
import io.agibridge.internal.v1.Command;
import io.agibridge.internal.v1.CommandError;
import io.agibridge.internal.v1.CommandResult;
import io.agibridge.internal.v1.Done;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * A call whose bridge is the test: it sees each control as it is sent, and sends events when it
 * likes.
 */
final class FakeStream implements Transport {
  private static final int LIMIT_SECONDS = 20;

  final BlockingQueue<CallControl> controls = new LinkedBlockingQueue<>();
  final CompletableFuture<Close> closed = new CompletableFuture<>();
  final CallRun run;
  volatile String closeDetail = "";
  volatile boolean ready = true;

  FakeStream(CallHandler handler) {
    this(handler, Duration.ofSeconds(LIMIT_SECONDS));
  }

  FakeStream(CallHandler handler, Duration cleanupTimeout) {
    this(handler, cleanupTimeout, Map.of());
  }

  FakeStream(CallHandler handler, Duration cleanupTimeout, Map<String, String> headers) {
    run = new CallRun(handler, Threads.HANDLERS, cleanupTimeout, headers, ignored -> this);
  }

  static CallStarted.Builder call() {
    return CallStarted.newBuilder().setCallId("1").setRoute("test").setMaxQueuedCommands(32);
  }

  FakeStream start() {
    return start(call());
  }

  FakeStream start(CallStarted.Builder started) {
    event(CallEvent.newBuilder().setStarted(started));
    return this;
  }

  void event(CallEvent.Builder event) {
    run.machine.event(event.build());
  }

  void done(int id) {
    result(id, CommandResult.newBuilder().setDone(Done.getDefaultInstance()));
  }

  void error(int id, CommandError.Code code) {
    result(id, CommandResult.newBuilder().setError(CommandError.newBuilder().setCode(code)));
  }

  void result(int id, CommandResult.Builder result) {
    event(CallEvent.newBuilder().setResult(result.setId(id)));
  }

  void hangup(Duration grace) {
    event(
        CallEvent.newBuilder()
            .setHangup(
                io.agibridge.internal.v1.Hangup.newBuilder().setGrace(Protos.duration(grace))));
  }

  void ended(CallEnded.Reason reason) {
    event(CallEvent.newBuilder().setEnded(CallEnded.newBuilder().setReason(reason)));
  }

  CallControl next() throws InterruptedException {
    CallControl control = controls.poll(LIMIT_SECONDS, TimeUnit.SECONDS);
    if (control == null) {
      throw new AssertionError("nothing was sent");
    }
    return control;
  }

  Command command() throws InterruptedException {
    CallControl control = next();
    if (!control.hasCommand()) {
      throw new AssertionError("no command, but " + control);
    }
    return control.getCommand();
  }

  Close awaitClosed() throws Exception {
    return await(closed);
  }

  /** Ends the session well, and waits until the handler is over. */
  void finish() throws Exception {
    if (!next().hasEnd()) {
      throw new AssertionError("no end");
    }
    ended(CallEnded.Reason.REASON_SERVICE);
    awaitOver();
  }

  void awaitOver() throws Exception {
    run.streamClosed("over");
    await(run.closed);
  }

  static <T> T await(CompletableFuture<T> future) throws Exception {
    return future.get(LIMIT_SECONDS, TimeUnit.SECONDS);
  }

  @Override
  public boolean isReady() {
    return ready;
  }

  @Override
  public void send(CallControl control) {
    controls.add(control);
  }

  @Override
  public void close(Close how, String detail) {
    closeDetail = detail;
    closed.complete(how);
  }
}
