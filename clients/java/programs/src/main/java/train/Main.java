package train;

import io.agibridge.AgiBridgeServer;
import io.agibridge.AgiBridgeWorker;
import io.agibridge.WorkerRefusedException;
import io.agibridge.internal.v1.CallControl;
import io.agibridge.internal.v1.CallEnded;
import io.agibridge.internal.v1.CallEvent;
import io.agibridge.internal.v1.CallServiceGrpc;
import io.agibridge.internal.v1.CallStarted;
import io.agibridge.internal.v1.CommandResult;
import io.agibridge.internal.v1.Done;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.stub.StreamObserver;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * One call within one process: what it loads goes into the archive that lets the launchers start
 * fast.
 */
public final class Main {
  private Main() {}

  /** The bridge's side of the call. */
  private static final class Bridge implements StreamObserver<CallControl> {
    private final CompletableFuture<Void> over = new CompletableFuture<>();
    private StreamObserver<CallEvent> events;

    @Override
    public void onNext(CallControl control) {
      var event = CallEvent.newBuilder();
      if (control.hasCommand()) {
        event.setResult(
            CommandResult.newBuilder()
                .setId(control.getCommand().getId())
                .setDone(Done.getDefaultInstance()));
      } else {
        event.setEnded(CallEnded.getDefaultInstance());
      }
      events.onNext(event.build());
    }

    @Override
    public void onError(Throwable broken) {
      over.completeExceptionally(broken);
    }

    @Override
    public void onCompleted() {
      over.complete(null);
    }
  }

  /**
   * Makes the call.
   *
   * @param arguments none
   * @throws Exception it did not come to its end
   */
  public static void main(String[] arguments) throws Exception {
    var server =
        AgiBridgeServer.builder()
            .listen("127.0.0.1:0")
            .handler(
                call -> {
                  call.answer();
                  call.setVariable("X", "1");
                })
            .build()
            .start();
    String address = "127.0.0.1:" + server.port();
    var channel = Grpc.newChannelBuilder(address, InsecureChannelCredentials.create()).build();
    var bridge = new Bridge();
    bridge.events = CallServiceGrpc.newStub(channel).handleCall(bridge);
    bridge.events.onNext(
        CallEvent.newBuilder()
            .setStarted(CallStarted.newBuilder().setCallId("1").setMaxQueuedCommands(1))
            .build());
    bridge.over.get(30, TimeUnit.SECONDS);
    channel.shutdownNow();

    var worker =
        AgiBridgeWorker.builder().bridge(address).group("none").handler(call -> {}).build().start();
    server.shutdown();
    server.awaitTermination();
    worker.shutdown();
    try {
      worker.awaitTermination();
    } catch (WorkerRefusedException noBridge) {
      // There is none; that the worker has tried is enough.
    }
  }
}
