package io.agibridge;

import io.agibridge.internal.v1.CallControl;
import io.agibridge.internal.v1.CallEvent;
import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.Status;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** The stream of one call that a worker takes. */
final class WorkerCall extends ClientCall.Listener<CallEvent> implements Transport {
  /** How long the connection has for what was sent before the stream is reset. */
  private static final long BEFORE_RESET_MS = 100;

  private final ClientCall<CallControl, CallEvent> call;
  private final CallRun run;

  WorkerCall(ClientCall<CallControl, CallEvent> call, CallRuns runs) {
    this.call = call;
    this.run = runs.begin(Map.of(), ignored -> this);
  }

  void open(Metadata headers) {
    call.start(this, headers);
    call.request(1);
  }

  @Override
  public boolean isReady() {
    return call.isReady();
  }

  @Override
  public void send(CallControl control) {
    call.sendMessage(control);
  }

  @Override
  public void close(Close how, String detail) {
    if (how == Close.DONE) {
      call.halfClose();
    } else {
      // A client cannot end a stream with a status, only reset it, and a reset overtakes what was
      // sent before it.
      CompletableFuture.delayedExecutor(BEFORE_RESET_MS, TimeUnit.MILLISECONDS)
          .execute(() -> call.cancel(detail, null));
    }
  }

  @Override
  public void onMessage(CallEvent event) {
    run.machine.event(event);
    call.request(1);
  }

  @Override
  public void onReady() {
    run.machine.ready();
  }

  @Override
  public void onClose(Status status, Metadata trailers) {
    run.streamClosed(
        status.isOk()
            ? "the bridge ended the stream without `ended`"
            : "the stream broke: " + status.getCode() + " " + status.getDescription());
  }
}
