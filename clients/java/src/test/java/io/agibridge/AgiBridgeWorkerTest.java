package io.agibridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.agibridge.internal.v1.CallControl;
import io.agibridge.internal.v1.CallEnded;
import io.agibridge.internal.v1.CallEvent;
import io.agibridge.internal.v1.CallOffer;
import io.agibridge.internal.v1.Registered;
import io.agibridge.internal.v1.WorkerHello;
import io.agibridge.internal.v1.WorkerOffer;
import io.agibridge.internal.v1.WorkerReport;
import io.agibridge.internal.v1.WorkerServiceGrpc;
import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Grpc;
import io.grpc.InsecureServerCredentials;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The worker, with the test as its bridges. */
@Timeout(60)
class AgiBridgeWorkerTest {
  private static final Context.Key<Metadata> HEADERS = Context.key("headers");

  private final List<Bridge> bridges = new ArrayList<>();
  private AgiBridgeWorker worker;

  /** A bridge's port for workers. */
  private static final class Bridge extends WorkerServiceGrpc.WorkerServiceImplBase {
    final BlockingQueue<WorkerReport> reports = new LinkedBlockingQueue<>();
    final BlockingQueue<StreamObserver<WorkerOffer>> registrations = new LinkedBlockingQueue<>();
    final BlockingQueue<TakenCall> calls = new LinkedBlockingQueue<>();
    final BlockingQueue<String> shown = new LinkedBlockingQueue<>();
    volatile String token = "";
    volatile Status refusal;
    volatile String userAgent = "";
    Server server;

    Bridge start(int port) throws IOException {
      server =
          Grpc.newServerBuilderForPort(port, InsecureServerCredentials.create())
              .addService(this)
              .intercept(new Shown())
              .build()
              .start();
      return this;
    }

    String address() {
      return "127.0.0.1:" + server.getPort();
    }

    private boolean refuses(StreamObserver<?> answers) {
      Metadata headers = HEADERS.get();
      userAgent = headers.get(Metadata.Key.of("user-agent", Metadata.ASCII_STRING_MARSHALLER));
      shown.add(String.valueOf(headers.get(Headers.AUTHORIZATION)));
      boolean wrong = !token.isEmpty() && !Headers.shows(headers, token);
      if (wrong) {
        answers.onError(Status.UNAUTHENTICATED.withDescription("no token").asException());
      } else if (refusal != null) {
        answers.onError(refusal.asException());
      }
      return wrong || refusal != null;
    }

    @Override
    public StreamObserver<WorkerReport> register(StreamObserver<WorkerOffer> offers) {
      if (!refuses(offers)) {
        offers.onNext(
            WorkerOffer.newBuilder()
                .setRegistered(Registered.newBuilder().setBridgeId("test"))
                .build());
        registrations.add(offers);
      }
      return new Into<>(reports::add, offers);
    }

    @Override
    public StreamObserver<CallControl> takeCall(StreamObserver<CallEvent> events) {
      shown.add(String.valueOf(HEADERS.get().get(Headers.AUTHORIZATION)));
      var call = new TakenCall(HEADERS.get().get(Headers.OFFER_TOKEN), events);
      calls.add(call);
      events.onNext(CallEvent.newBuilder().setStarted(FakeStream.call()).build());
      return new Into<>(call.controls::add, events);
    }

    WorkerReport report() throws InterruptedException {
      return poll(reports);
    }

    StreamObserver<WorkerOffer> registration() throws InterruptedException {
      return poll(registrations);
    }

    TakenCall call() throws InterruptedException {
      return poll(calls);
    }

    void offer(StreamObserver<WorkerOffer> offers, String token) {
      offers.onNext(
          WorkerOffer.newBuilder().setCall(CallOffer.newBuilder().setToken(token)).build());
    }
  }

  private static final class TakenCall {
    final String token;
    final StreamObserver<CallEvent> events;
    final BlockingQueue<CallControl> controls = new LinkedBlockingQueue<>();

    TakenCall(String token, StreamObserver<CallEvent> events) {
      this.token = token;
      this.events = events;
    }

    void end() throws InterruptedException {
      assertTrue(poll(controls).hasEnd());
      events.onNext(CallEvent.newBuilder().setEnded(CallEnded.getDefaultInstance()).build());
      events.onCompleted();
    }
  }

  private record Into<T>(java.util.function.Consumer<T> sink, StreamObserver<?> answers)
      implements StreamObserver<T> {
    @Override
    public void onNext(T message) {
      sink.accept(message);
    }

    @Override
    public void onError(Throwable broken) {}

    @Override
    public void onCompleted() {
      try {
        answers.onCompleted();
      } catch (IllegalStateException closedAlready) {
        // The test has ended it before.
      }
    }
  }

  /** Keeps what the worker shows. */
  private static final class Shown implements ServerInterceptor {
    @Override
    public <Q, A> ServerCall.Listener<Q> interceptCall(
        ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
      return Contexts.interceptCall(
          Context.current().withValue(HEADERS, headers), call, headers, next);
    }
  }

  private static <T> T poll(BlockingQueue<T> queue) throws InterruptedException {
    T item = queue.poll(20, TimeUnit.SECONDS);
    assertNotNull(item);
    return item;
  }

  private Bridge bridge() throws IOException {
    var bridge = new Bridge().start(0);
    bridges.add(bridge);
    return bridge;
  }

  private AgiBridgeWorker.Builder worker(CallHandler handler, Bridge... to) {
    var builder =
        AgiBridgeWorker.builder()
            .handler(handler)
            .group("sales")
            .workerId("w-1")
            .label("zone", "a")
            .maxCalls(1)
            .handleSignals(false);
    for (Bridge bridge : to) {
      builder.bridge(bridge.address());
    }
    return builder;
  }

  private void start(AgiBridgeWorker.Builder builder) {
    worker = builder.build().start();
  }

  @AfterEach
  void stop() {
    if (worker != null) {
      worker.shutdown();
      worker.shutdown();
    }
    bridges.forEach(bridge -> bridge.server.shutdownNow());
  }

  @Test
  void itRegistersAndTakesACall() throws Exception {
    Bridge bridge = bridge();
    start(worker(call -> {}, bridge));
    worker.awaitRegistered();
    WorkerHello hello = bridge.report().getHello();
    assertEquals("w-1", hello.getWorkerId());
    assertEquals(List.of("sales"), hello.getGroupsList());
    assertEquals(1, hello.getMaxCalls());
    assertEquals("a", hello.getLabelsMap().get("zone"));
    assertTrue(bridge.userAgent.startsWith("agi-bridge-java/0.1.0"));
    bridge.offer(bridge.registration(), "token-1");
    TakenCall call = bridge.call();
    assertEquals("token-1", call.token);
    call.end();
  }

  @Test
  void itRegistersAtEachBridgeAndDeclinesWhatIsTooMuchOverAll() throws Exception {
    var proceed = new CountDownLatch(1);
    Bridge one = bridge();
    Bridge two = bridge();
    start(worker(call -> proceed.await(), one, two));
    one.offer(one.registration(), "a");
    TakenCall call = one.call();
    assertTrue(two.report().hasHello());
    two.offer(two.registration(), "b");
    WorkerReport declined = two.report();
    assertEquals("b", declined.getDeclined().getToken());
    proceed.countDown();
    call.end();
  }

  @Test
  void aWrongTokenEndsItWithAnErrorThatSaysWhatToDo() throws Exception {
    Bridge bridge = bridge();
    bridge.token = "right";
    start(worker(call -> {}, bridge).token("wrong"));
    var refused = assertThrows(WorkerRefusedException.class, worker::awaitRegistered);
    assertTrue(refused.getMessage().contains("api.workers"));
    assertThrows(WorkerRefusedException.class, worker::awaitTermination);
  }

  /**
   * Gives one after the other, and fails with those that begin with "!", and once there is none.
   */
  private static TokenSource tokens(String... these) {
    var given = new LinkedBlockingQueue<>(List.of(these));
    return () -> {
      String next = given.poll();
      if (next == null || next.startsWith("!")) {
        throw new IOException(next == null ? "gone" : next.substring(1));
      }
      return next;
    };
  }

  private static List<String> shownBy(Bridge bridge, int count) throws InterruptedException {
    var all = new ArrayList<String>();
    while (all.size() < count) {
      all.add(poll(bridge.shown));
    }
    return all;
  }

  @Test
  void aTokenSourceIsAskedForEveryRegistrationAndCall() throws Exception {
    Bridge bridge = bridge();
    start(
        worker(call -> {}, bridge)
            .token(tokens("one", "!no such file", "", "a\nb", "two", "three")));
    assertTrue(bridge.report().hasHello());
    bridge.registration().onError(Status.UNAVAILABLE.asException());
    assertTrue(bridge.report().hasHello());
    StreamObserver<WorkerOffer> offers = bridge.registration();
    bridge.offer(offers, "a");
    bridge.call().end();
    assertEquals(List.of("Bearer one", "Bearer two", "Bearer three"), shownBy(bridge, 3));
    // The place of a call that was declined is free again.
    for (String token : List.of("b", "c")) {
      bridge.offer(offers, token);
      var declined = bridge.report().getDeclined();
      assertEquals(token, declined.getToken());
      assertEquals("this worker has no token now", declined.getReason());
    }
  }

  @Test
  void afterARefusedTokenTheNextOneIsTriedAndEachReasonIsToldOnce() throws Exception {
    try (var log = new WarningLog()) {
      Bridge bridge = bridge();
      bridge.token = "good";
      start(
          worker(call -> {}, bridge).token(tokens("stale", "stale", "!sealed", "!sealed", "good")));
      worker.awaitRegistered();
      assertEquals(List.of("Bearer stale", "Bearer stale", "Bearer good"), shownBy(bridge, 3));
      List<String> warned = log.with(bridge.address());
      assertEquals(2, warned.size(), warned.toString());
      assertTrue(warned.get(0).contains("the token is refused (no token)"), warned.get(0));
      assertTrue(warned.get(1).contains("there is no token"), warned.get(1));
      assertTrue(warned.get(1).contains("sealed"), warned.get(1));
    }
  }

  @Test
  void whatIsNoMatterOfTheTokenEndsAWorkerWithATokenSourceToo() throws Exception {
    Bridge bridge = bridge();
    bridge.refusal = Status.PERMISSION_DENIED;
    start(worker(call -> {}, bridge).token(tokens("good")));
    assertThrows(WorkerRefusedException.class, worker::awaitRegistered);
  }

  @Test
  void aTokenFileIsReadEachTime(@TempDir Path folder) throws Exception {
    Path file = folder.resolve("token");
    Files.writeString(file, "one\n");
    Bridge bridge = bridge();
    start(worker(call -> {}, bridge).tokenFile(file));
    StreamObserver<WorkerOffer> offers = bridge.registration();
    Files.writeString(file, "two\n");
    offers.onError(Status.UNAVAILABLE.asException());
    bridge.registration();
    assertEquals(List.of("Bearer one", "Bearer two"), shownBy(bridge, 2));
  }

  @Test
  void itConnectsAgainWhenTheBridgeComesBack() throws Exception {
    Bridge bridge = bridge();
    int port = bridge.server.getPort();
    start(worker(call -> {}, bridge));
    bridge.registration();
    bridge.server.shutdownNow();
    bridge.server.awaitTermination();
    bridges.add(new Bridge().start(port));
    bridges.get(1).registration();
  }

  @Test
  void itRegistersAgainWhenTheBridgeEndsTheRegistration() throws Exception {
    Bridge bridge = bridge();
    start(worker(call -> {}, bridge));
    bridge
        .registration()
        .onError(Status.UNAVAILABLE.withDescription("the bridge drains").asException());
    bridge.registration();
  }

  @Test
  void itDrainsAndLetsItsCallsEnd() throws Exception {
    var proceed = new CountDownLatch(1);
    Bridge bridge = bridge();
    start(worker(call -> proceed.await(), bridge));
    StreamObserver<WorkerOffer> offers = bridge.registration();
    assertTrue(bridge.report().hasHello());
    bridge.offer(offers, "a");
    TakenCall call = bridge.call();
    worker.shutdown();
    assertTrue(bridge.report().getStatus().getDraining());
    bridge.offer(offers, "b");
    assertEquals("b", bridge.report().getDeclined().getToken());
    proceed.countDown();
    call.end();
    worker.awaitTermination();
  }

  @Test
  void aCallOfALostBridgeIsLostAloneAndItsPlaceIsFreeAgain() throws Exception {
    var lost = new CompletableFuture<Void>();
    Bridge bridge = bridge();
    start(
        worker(
            call -> {
              try {
                call.answer();
              } catch (CallLostException error) {
                lost.complete(null);
                throw error;
              }
            },
            bridge));
    StreamObserver<WorkerOffer> offers = bridge.registration();
    bridge.offer(offers, "a");
    TakenCall call = bridge.call();
    assertTrue(poll(call.controls).hasCommand());
    call.events.onError(Status.INTERNAL.asException());
    FakeStream.await(lost);
  }
}
