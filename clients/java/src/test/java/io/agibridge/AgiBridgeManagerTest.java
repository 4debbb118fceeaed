package io.agibridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.agibridge.internal.v1.ListServersRequest;
import io.agibridge.internal.v1.ListServersResponse;
import io.agibridge.internal.v1.ManagerServiceGrpc;
import io.agibridge.internal.v1.OriginateRequest;
import io.agibridge.internal.v1.OriginateResponse;
import io.agibridge.internal.v1.SendActionRequest;
import io.agibridge.internal.v1.SendActionResponse;
import io.agibridge.internal.v1.WatchEventsRequest;
import io.agibridge.internal.v1.WatchEventsResponse;
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
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The manager client, with the test as its bridge. */
@Timeout(60)
class AgiBridgeManagerTest {
  private static final Originate CALL =
      Originate.call("PJSIP/1").toExtension("internal", "100").variable("A", "1");

  /** A bridge's side. What a test does not say, it refuses. */
  private static final class Bridge extends ManagerServiceGrpc.ManagerServiceImplBase
      implements ServerInterceptor {
    final List<OriginateRequest> originated = new ArrayList<>();
    final List<SendActionRequest> sent = new ArrayList<>();
    final List<WatchEventsRequest> watched = new ArrayList<>();
    volatile Metadata shown;
    Function<Integer, Object> originate = attempt -> Status.UNIMPLEMENTED;
    Object send = Status.UNIMPLEMENTED;
    BiConsumer<Integer, StreamObserver<WatchEventsResponse>> watch = (attempt, events) -> {};

    @Override
    public <Q, A> ServerCall.Listener<Q> interceptCall(
        ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
      shown = headers;
      return next.startCall(call, headers);
    }

    private static <A> void answer(StreamObserver<A> answers, Class<A> type, Object answer) {
      if (answer instanceof Status status) {
        answers.onError(status.asException());
      } else {
        answers.onNext(type.cast(answer));
        answers.onCompleted();
      }
    }

    @Override
    public void originate(OriginateRequest request, StreamObserver<OriginateResponse> answers) {
      originated.add(request);
      answer(answers, OriginateResponse.class, originate.apply(originated.size()));
    }

    @Override
    public void sendAction(SendActionRequest request, StreamObserver<SendActionResponse> answers) {
      sent.add(request);
      answer(answers, SendActionResponse.class, send);
    }

    @Override
    public void listServers(
        ListServersRequest request, StreamObserver<ListServersResponse> answers) {
      answers.onNext(ListServersResponse.newBuilder().addServers(link(false)).build());
      answers.onCompleted();
    }

    @Override
    public void watchEvents(
        WatchEventsRequest request, StreamObserver<WatchEventsResponse> events) {
      watched.add(request);
      watch.accept(watched.size(), events);
    }
  }

  private final Bridge bridge = new Bridge();
  private Server server;
  private AgiBridgeManager manager;

  @BeforeEach
  void dial() throws IOException {
    server =
        Grpc.newServerBuilderForPort(0, InsecureServerCredentials.create())
            .addService(bridge)
            .intercept(bridge)
            .build()
            .start();
    manager =
        AgiBridgeManager.builder()
            .bridge("127.0.0.1:" + server.getPort())
            .token("s3cret")
            .firstPause(1)
            .build();
  }

  @AfterEach
  void stop() {
    manager.close();
    server.shutdownNow();
  }

  private static io.agibridge.internal.v1.ServerState link(boolean connected) {
    return io.agibridge.internal.v1.ServerState.newBuilder()
        .setServer("pbx1")
        .setConnected(connected)
        .setDetail("no connection")
        .build();
  }

  private static WatchEventsResponse state(boolean connected) {
    return WatchEventsResponse.newBuilder().setServerState(link(connected)).build();
  }

  private static WatchEventsResponse event(String name) {
    return WatchEventsResponse.newBuilder()
        .setEvent(
            io.agibridge.internal.v1.ManagerEvent.newBuilder()
                .setName(name)
                .addHeaders(header("Channel", "PJSIP/1")))
        .build();
  }

  private static io.agibridge.internal.v1.Header header(String key, String value) {
    return io.agibridge.internal.v1.Header.newBuilder().setKey(key).setValue(value).build();
  }

  /** Notes what it is told. */
  private static final class Notes implements ManagerListener {
    final BlockingQueue<String> heard = new LinkedBlockingQueue<>();

    @Override
    public void event(ManagerEvent event) {
      heard.add(event.name() + " " + event.header("channel").orElseThrow());
    }

    @Override
    public void missed(long events) {
      heard.add("missed " + events);
    }

    @Override
    public void state(ServerState state) {
      heard.add(state.connected() ? "up" : "down");
    }

    @Override
    public void lost(ManagerException why) {
      heard.add("lost " + why.code());
    }

    String next() throws InterruptedException {
      String item = heard.poll(20, TimeUnit.SECONDS);
      assertNotNull(item);
      return item;
    }
  }

  @Test
  void anOriginateIsAskedAgainByTheSameIdWhileTheBridgeIsAway() {
    bridge.originate =
        attempt ->
            attempt < 3
                ? Status.UNAVAILABLE
                : OriginateResponse.newBuilder()
                    .setOutcome(OriginateResponse.Outcome.OUTCOME_BUSY)
                    .setChannel("PJSIP/1-1")
                    .setUniqueId("u")
                    .setDetail("user busy")
                    .build();
    Originated call = manager.originate(CALL);
    String id = bridge.originated.get(0).getRequestId();
    assertEquals(new Originated(OriginateOutcome.BUSY, "PJSIP/1-1", "u", "user busy", id, 3), call);
    assertEquals(3, bridge.originated.size());
    OriginateRequest last = bridge.originated.get(2);
    assertEquals(bridge.originated.get(0), last);
    assertEquals(36, id.length());
    assertTrue(last.getWaitForOutcome());
    assertEquals("100", last.getDialplan().getExtension());
    assertEquals("1", last.getVariablesOrThrow("A"));
    assertTrue(Headers.shows(bridge.shown, "s3cret"));
  }

  @Test
  void anOutcomeOfANewerBridgeKeepsItsNumber() {
    bridge.originate = attempt -> OriginateResponse.newBuilder().setOutcomeValue(77).build();
    Originated call = manager.originate(CALL.dontWait());
    assertEquals(OriginateOutcome.UNRECOGNIZED, call.outcome());
    assertEquals(77, call.outcomeNumber());
    bridge.originate = attempt -> OriginateResponse.newBuilder().setOutcomeValue(8).build();
    assertEquals(OriginateOutcome.UNKNOWN, manager.originate(CALL).outcome());
  }

  @Test
  void theIdOfACallThatFailedIsTold() {
    bridge.originate = attempt -> Status.ALREADY_EXISTS.withDescription("another call");
    var failed =
        assertThrows(ManagerException.class, () -> manager.originate(CALL.requestId("mine")));
    assertEquals(ManagerErrorCode.ALREADY_EXISTS, failed.code());
    assertEquals("another call", failed.detail());
    assertEquals("mine", failed.requestId().orElseThrow());
  }

  @Test
  void aTimeoutEndsAllTriesTogether() {
    bridge.originate = attempt -> Status.UNAVAILABLE;
    assertThrows(ManagerException.class, () -> manager.originate(CALL, Duration.ofMillis(1)));
  }

  @Test
  void anInterruptEndsTheWait() {
    Thread.currentThread().interrupt();
    assertThrows(CallInterruptedException.class, () -> manager.listServers());
    assertTrue(Thread.interrupted());
  }

  @Test
  void anActionIsSentOnceWithItsHeadersInOrder() {
    bridge.send =
        SendActionResponse.newBuilder()
            .setMessage("no")
            .addHeaders(header("Ping", "Pong"))
            .addOutput("x")
            .addEvents(event("Status").getEvent())
            .setTruncated(true)
            .build();
    Action action =
        Action.named("Originate").header("Variable", "a").header("Variable", "b").server("pbx1");
    ActionResponse answer = manager.sendAction(action);
    assertEquals("Pong", answer.header("pING").orElseThrow());
    assertEquals(List.of("x"), answer.output());
    assertEquals("Status", answer.events().get(0).name());
    assertTrue(!answer.success() && answer.truncated() && answer.message().equals("no"));
    assertEquals("b", bridge.sent.get(0).getHeaders(1).getValue());

    bridge.send = Status.UNAVAILABLE;
    var failed = assertThrows(ManagerException.class, () -> manager.sendAction(action));
    assertEquals(ManagerErrorCode.UNAVAILABLE, failed.code());
    assertEquals(2, bridge.sent.size());
  }

  @Test
  void serversAreListed() {
    assertEquals(
        List.of(new ServerState("pbx1", false, "", "no connection")), manager.listServers());
  }

  @Test
  void aSubscriptionComesBackAndTellsWhatIsMissing() throws Exception {
    bridge.watch =
        (attempt, events) -> {
          if (attempt == 1) {
            events.onNext(state(true));
            events.onNext(event("Hangup"));
            events.onNext(WatchEventsResponse.newBuilder().setMissed(3).build());
            events.onCompleted();
          } else if (attempt < 4) {
            events.onError(Status.UNAVAILABLE.asException());
          } else {
            events.onNext(state(false));
            events.onNext(event("Last"));
          }
        };
    var notes = new Notes();
    var subscription =
        manager.watch(Watch.events("*").match("Channel", "PJSIP/1").server("pbx1"), notes);
    for (String expected :
        List.of("up", "Hangup PJSIP/1", "missed 3", "lost UNAVAILABLE", "down", "Last PJSIP/1")) {
      assertEquals(expected, notes.next());
    }
    subscription.close();
    subscription.awaitEnd();
    assertEquals(
        Watch.events("*").match("Channel", "PJSIP/1").server("pbx1").request(),
        bridge.watched.get(3));
  }

  @Test
  void whatNoRetryCuresEndsASubscription() {
    for (Status status :
        List.of(Status.PERMISSION_DENIED, Status.UNAUTHENTICATED, Status.RESOURCE_EXHAUSTED)) {
      bridge.watch = (attempt, events) -> events.onError(status.asException());
      var subscription = manager.watch(Watch.events(), new Notes());
      var refused = assertThrows(ManagerException.class, subscription::awaitEnd);
      assertEquals(status.getCode().name(), refused.code().name());
    }
  }

  @Test
  void whatAListenerThrowsEndsItsSubscription() {
    bridge.watch = (attempt, events) -> events.onNext(event("Hangup"));
    var subscription =
        manager.watch(
            Watch.events(),
            event -> {
              throw new IOException("enough");
            });
    var failed = assertThrows(ExecutionException.class, subscription::awaitEnd);
    assertEquals("enough", failed.getCause().getMessage());
  }

  @Test
  void closingEndsSubscriptionsAndRefusesWhatComesAfter() throws Exception {
    bridge.watch = (attempt, events) -> events.onNext(event("Hangup"));
    var notes = new Notes();
    var subscription = manager.watch(Watch.events(), notes);
    notes.next();
    manager.close();
    subscription.awaitEnd();
    assertThrows(MisuseException.class, () -> manager.listServers());
    assertThrows(MisuseException.class, () -> manager.watch(Watch.events(), notes));
  }

  @Test
  void aCallWithoutADestinationIsMisuse() {
    assertThrows(MisuseException.class, () -> manager.originate(Originate.call("PJSIP/1")));
  }
}
