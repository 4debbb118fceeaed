package io.agibridge;

import io.agibridge.internal.v1.CallControl;
import io.agibridge.internal.v1.CallEvent;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.Status;

/** The stream of one call at a gRPC server. */
final class GrpcCall extends ServerCall.Listener<CallEvent> implements Transport {
  private final ServerCall<CallEvent, CallControl> call;
  private final CallRun run;

  GrpcCall(ServerCall<CallEvent, CallControl> call, CallRuns runs, Metadata headers) {
    this.call = call;
    this.run = runs.begin(Headers.trace(headers), ignored -> this);
  }

  /** Takes the call: headers go at once. */
  void open() {
    call.sendHeaders(new Metadata());
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
    Status status =
        switch (how) {
          case DONE -> Status.OK;
          case RELEASED -> Status.UNAVAILABLE.withDescription(detail);
          case FAILED -> Status.INTERNAL.withDescription(detail);
          case PROTOCOL_ERROR -> Status.INVALID_ARGUMENT.withDescription(detail);
        };
    call.close(status, new Metadata());
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
  public void onHalfClose() {
    run.machine.streamEnded("the bridge ended the stream without `ended`");
  }

  @Override
  public void onCancel() {
    run.streamClosed("the stream broke, or the bridge cancelled it");
  }

  @Override
  public void onComplete() {
    run.streamClosed("the stream is closed");
  }
}
