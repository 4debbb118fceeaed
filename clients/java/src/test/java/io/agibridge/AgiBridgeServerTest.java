package io.agibridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.agibridge.internal.v1.CallControl;
import io.agibridge.internal.v1.CallEnded;
import io.agibridge.internal.v1.CallEvent;
import io.agibridge.internal.v1.CallServiceGrpc;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The gRPC server, with the test as the bridge. */
@Timeout(60)
class AgiBridgeServerTest {
  private AgiBridgeServer server;
  private ManagedChannel channel;

  private void serve(AgiBridgeServer.Builder builder) {
    server = builder.listen("127.0.0.1:0").handleSignals(false).build().start();
    channel =
        Grpc.newChannelBuilder("127.0.0.1:" + server.port(), InsecureChannelCredentials.create())
            .build();
  }

  private static AgiBridgeServer.Builder handler(CallHandler handler) {
    return AgiBridgeServer.builder().handler(handler).cleanupTimeout(Duration.ofMillis(500));
  }

  @AfterEach
  void stop() throws Exception {
    channel.shutdownNow();
    server.shutdown();
    server.shutdown();
    server.awaitTermination();
  }

  /** A bridge's side of a call. */
  private final class Bridge extends ClientCall.Listener<CallControl> {
    final CompletableFuture<Void> taken = new CompletableFuture<>();
    final CompletableFuture<Status> closed = new CompletableFuture<>();
    final BlockingQueue<CallControl> controls = new LinkedBlockingQueue<>();
    final ClientCall<CallEvent, CallControl> call =
        channel.newCall(CallServiceGrpc.getHandleCallMethod(), CallOptions.DEFAULT);

    Bridge(String token) {
      call.start(this, Headers.bearer(token));
      call.request(1_000);
    }

    Bridge start() {
      call.sendMessage(CallEvent.newBuilder().setStarted(FakeStream.call()).build());
      return this;
    }

    void ended() {
      call.sendMessage(CallEvent.newBuilder().setEnded(CallEnded.getDefaultInstance()).build());
      call.halfClose();
    }

    CallControl next() throws InterruptedException {
      CallControl control = controls.poll(20, TimeUnit.SECONDS);
      assertNotNull(control);
      return control;
    }

    Status status() throws Exception {
      return FakeStream.await(closed);
    }

    @Override
    public void onHeaders(Metadata headers) {
      taken.complete(null);
    }

    @Override
    public void onMessage(CallControl control) {
      controls.add(control);
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
      closed.complete(status);
    }
  }

  @Test
  void headersAreSentBeforeAnythingElse() throws Exception {
    serve(handler(call -> {}));
    var bridge = new Bridge("");
    FakeStream.await(bridge.taken);
    bridge.start();
    assertTrue(bridge.next().hasEnd());
    bridge.ended();
    assertEquals(Status.Code.OK, bridge.status().getCode());
  }

  @Test
  void callsWithoutTheTokenAreRefused() throws Exception {
    serve(handler(call -> {}).token("secret"));
    assertEquals(Status.Code.UNAUTHENTICATED, new Bridge("").status().getCode());
    assertEquals(Status.Code.UNAUTHENTICATED, new Bridge("wrong").status().getCode());
    FakeStream.await(new Bridge("secret").taken);
  }

  @Test
  void oneCallTooManyIsRefused() throws Exception {
    serve(handler(Call::answer).maxCalls(1));
    var first = new Bridge("").start();
    FakeStream.await(first.taken);
    assertEquals(Status.Code.RESOURCE_EXHAUSTED, new Bridge("").status().getCode());
    first.ended();
    assertEquals(Status.Code.OK, first.status().getCode());
  }

  @Test
  void aHandlerThatThrowsEndsItsStreamAloneWithInternal() throws Exception {
    serve(
        handler(
            call -> {
              throw new IllegalStateException("a fault");
            }));
    Status status = new Bridge("").start().status();
    assertEquals(Status.Code.INTERNAL, status.getCode());
    assertTrue(status.getDescription().contains("a fault"));
    FakeStream.await(new Bridge("").taken);
  }

  @Test
  void releaseEndsTheStreamWithUnavailable() throws Exception {
    serve(handler(call -> call.release("moving")));
    Status status = new Bridge("").start().status();
    assertEquals(Status.Code.UNAVAILABLE, status.getCode());
    assertEquals("moving", status.getDescription());
  }

  @Test
  void aStreamThatEndsWithoutEndedLosesTheCall() throws Exception {
    var lost = new CompletableFuture<AgiBridgeException>();
    serve(
        handler(
            call -> {
              try {
                call.answer();
              } catch (CallLostException error) {
                lost.complete(error);
                throw error;
              }
            }));
    var bridge = new Bridge("").start();
    assertTrue(bridge.next().hasCommand());
    bridge.call.halfClose();
    FakeStream.await(lost);
    assertEquals(Status.Code.UNAVAILABLE, bridge.status().getCode());

    var cancelled = new Bridge("").start();
    assertTrue(cancelled.next().hasCommand());
    cancelled.call.cancel("cut", null);
    FakeStream.await(cancelled.closed);
  }

  @Test
  void healthTellsAndDrainingIsSeen() throws Exception {
    var proceed = new CountDownLatch(1);
    serve(handler(call -> proceed.await()));
    var health = HealthGrpc.newBlockingStub(channel);
    for (String service : new String[] {"", "agibridge.v1.CallService"}) {
      assertEquals(
          ServingStatus.SERVING,
          health.check(HealthCheckRequest.newBuilder().setService(service).build()).getStatus());
    }
    var watched = health.watch(HealthCheckRequest.getDefaultInstance());
    assertEquals(ServingStatus.SERVING, watched.next().getStatus());
    var running = new Bridge("").start();
    FakeStream.await(running.taken);
    server.shutdown();
    assertEquals(ServingStatus.NOT_SERVING, watched.next().getStatus());
    assertEquals(Status.Code.UNAVAILABLE, new Bridge("").status().getCode());
    proceed.countDown();
    assertTrue(running.next().hasEnd());
    running.ended();
    assertEquals(Status.Code.OK, running.status().getCode());
    server.awaitTermination();
  }

  @Test
  void aSecondShutdownReleasesTheCallsThatAreLeft() throws Exception {
    var interrupted = new CompletableFuture<Void>();
    serve(
        handler(
            call -> {
              try {
                new CountDownLatch(1).await();
              } finally {
                interrupted.complete(null);
              }
            }));
    var running = new Bridge("").start();
    FakeStream.await(running.taken);
    server.shutdown();
    server.shutdown();
    assertEquals(Status.Code.UNAVAILABLE, running.status().getCode());
    FakeStream.await(interrupted);
    server.awaitTermination();
  }

  @Test
  void callsThatOutlastTheDrainTimeoutAreReleased() throws Exception {
    serve(handler(call -> new CountDownLatch(1).await()).drainTimeout(Duration.ofMillis(50)));
    var running = new Bridge("").start();
    FakeStream.await(running.taken);
    server.shutdown();
    assertEquals(Status.Code.UNAVAILABLE, running.status().getCode());
    server.awaitTermination();
  }

  @Test
  void reflectionCanBeSwitchedOff() throws Exception {
    serve(handler(call -> {}).reflection(false));
    var reflection = io.grpc.reflection.v1.ServerReflectionGrpc.getServerReflectionInfoMethod();
    var status = new CompletableFuture<Status>();
    var call = channel.newCall(reflection, CallOptions.DEFAULT);
    call.start(
        new ClientCall.Listener<>() {
          @Override
          public void onClose(Status closed, Metadata trailers) {
            status.complete(closed);
          }
        },
        new Metadata());
    call.request(1);
    call.halfClose();
    assertEquals(Status.Code.UNIMPLEMENTED, FakeStream.await(status).getCode());
  }
}
