package io.agibridge;

import io.agibridge.internal.v1.CallOffer;
import io.agibridge.internal.v1.OfferDeclined;
import io.agibridge.internal.v1.WorkerHello;
import io.agibridge.internal.v1.WorkerOffer;
import io.agibridge.internal.v1.WorkerReport;
import io.agibridge.internal.v1.WorkerServiceGrpc;
import io.agibridge.internal.v1.WorkerStatus;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import java.lang.System.Logger.Level;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;

/** A worker at one bridge: keeps a `Register` stream there, and takes the calls that it offers. */
final class Registration {
  /** What a registration tells its worker. */
  interface Worker {
    void registered();

    /** No retry would help. */
    void refused(WorkerRefusedException why);

    /**
     * False once the worker drains, or the bridge's name does not lead to this address any more.
     */
    boolean wants(Registration registration);
  }

  private static final System.Logger LOG = System.getLogger("io.agibridge");
  private static final long PAUSE_FIRST_MS = 100;
  private static final long PAUSE_LAST_MS = 10_000;

  private final String bridge;
  private final ManagedChannel channel;
  private final WorkerHello hello;
  private final WorkerToken token;
  private final CallRuns runs;
  private final Worker worker;

  // Guarded by this.
  private boolean waiting;
  private ClientCall<WorkerReport, WorkerOffer> stream;
  private boolean draining;
  private long pause = PAUSE_FIRST_MS;
  private String told = "";

  Registration(
      String bridge,
      ManagedChannel channel,
      WorkerHello hello,
      WorkerToken token,
      CallRuns runs,
      Worker worker) {
    this.bridge = bridge;
    this.channel = channel;
    this.hello = hello;
    this.token = token;
    this.runs = runs;
    this.worker = worker;
  }

  /** Connects, unless it is connected or will try again by itself. */
  synchronized void connectUnlessConnected() {
    if (stream == null && !waiting) {
      connect();
    }
  }

  private void connect() {
    synchronized (this) {
      waiting = worker.wants(this) && !draining;
      if (!waiting) {
        return;
      }
    }
    var unused = token.show().thenAccept(this::show);
  }

  private void show(WorkerToken.Shown shown) {
    if (shown.missing() != null) {
      tryAgain(shown.missing());
    } else {
      register(shown.headers());
    }
  }

  private synchronized void register(Metadata headers) {
    waiting = false;
    if (draining || !worker.wants(this)) {
      return;
    }
    var call = channel.newCall(WorkerServiceGrpc.getRegisterMethod(), CallOptions.DEFAULT);
    stream = call;
    call.start(new Offers(call), headers);
    call.request(1);
    call.sendMessage(WorkerReport.newBuilder().setHello(hello).build());
  }

  /** No more offers, please; the calls go on. */
  synchronized void drain() {
    draining = true;
    report(
        WorkerReport.newBuilder().setStatus(WorkerStatus.newBuilder().setDraining(true)).build());
  }

  /** The end, once the calls are over. */
  void close() {
    synchronized (this) {
      draining = true;
      if (stream != null) {
        stream.halfClose();
        stream = null;
      }
    }
    channel.shutdown();
  }

  boolean awaitClosed(long milliseconds) throws InterruptedException {
    boolean closed = channel.awaitTermination(milliseconds, TimeUnit.MILLISECONDS);
    channel.shutdownNow();
    return closed;
  }

  synchronized boolean isConnected() {
    return stream != null;
  }

  private synchronized void report(WorkerReport report) {
    if (stream != null) {
      stream.sendMessage(report);
    }
  }

  private void offered(CallOffer offer) {
    boolean stops;
    synchronized (this) {
      stops = draining;
    }
    if (stops || !runs.reserve()) {
      decline(offer, stops ? "the worker drains" : "the worker has no room");
      return;
    }
    var unused = token.show().thenAccept(shown -> take(offer, shown));
  }

  private void take(CallOffer offer, WorkerToken.Shown shown) {
    if (shown.missing() != null) {
      runs.giveBack();
      LOG.log(Level.WARNING, "call {0} is declined: {1}", offer.getCallId(), shown.missing());
      decline(offer, "this worker has no token now");
      return;
    }
    shown.headers().put(Headers.OFFER_TOKEN, offer.getToken());
    new WorkerCall(
            channel.newCall(WorkerServiceGrpc.getTakeCallMethod(), CallOptions.DEFAULT), runs)
        .open(shown.headers());
  }

  private void decline(CallOffer offer, String reason) {
    report(
        WorkerReport.newBuilder()
            .setDeclined(OfferDeclined.newBuilder().setToken(offer.getToken()).setReason(reason))
            .build());
  }

  private void closed(Status status) {
    synchronized (this) {
      stream = null;
      if (draining || !worker.wants(this)) {
        return;
      }
    }
    if (status.getCode() == Status.Code.UNAUTHENTICATED && !token.isFixed()) {
      tryAgain(
          "the token is refused ("
              + status.getDescription()
              + "), and the next one is tried: see that the bridge's `jwt` and `api.workers` have"
              + " its issuer, audience and claims, and that the clocks agree");
      return;
    }
    String advice = advice(status.getCode());
    if (advice != null) {
      worker.refused(
          new WorkerRefusedException(
              "bridge "
                  + bridge
                  + " refuses this worker ("
                  + status.getCode()
                  + ", "
                  + status.getDescription()
                  + "): "
                  + advice,
              status.asException()));
      return;
    }
    tryAgain(status.getCode() + " " + status.getDescription());
  }

  private void tryAgain(String why) {
    long delay;
    boolean isNews;
    synchronized (this) {
      waiting = true;
      delay = ThreadLocalRandom.current().nextLong(pause / 2, pause + 1);
      pause = Math.min(pause * 2, PAUSE_LAST_MS);
      // It may be so for hours, and this is said of each try.
      isNews = !why.equals(told);
      told = why;
    }
    if (isNews) {
      LOG.log(Level.WARNING, "not registered at bridge {0} ({1}); trying again", bridge, why);
    }
    var unused = Threads.TIMERS.schedule(this::connect, delay, TimeUnit.MILLISECONDS);
  }

  /** What to do about what no retry cures; null for anything else. */
  private static String advice(Status.Code code) {
    return switch (code) {
      case UNAUTHENTICATED ->
          "give it the token of an entry of `api.workers` in the bridge's configuration";
      case PERMISSION_DENIED ->
          "the entry of `api.workers` for its token must have all of its groups";
      case ALREADY_EXISTS -> "another worker has its name; set another workerId";
      case INVALID_ARGUMENT -> "correct what is named";
      default -> null;
    };
  }

  private final class Offers extends ClientCall.Listener<WorkerOffer> {
    private final ClientCall<WorkerReport, WorkerOffer> call;

    Offers(ClientCall<WorkerReport, WorkerOffer> call) {
      this.call = call;
    }

    @Override
    public void onMessage(WorkerOffer offer) {
      switch (offer.getOfferCase()) {
        case REGISTERED -> {
          synchronized (Registration.this) {
            pause = PAUSE_FIRST_MS;
            told = "";
          }
          LOG.log(
              Level.INFO,
              "registered at bridge {0} ({1})",
              bridge,
              offer.getRegistered().getBridgeId());
          worker.registered();
        }
        case CALL -> offered(offer.getCall());
        case HEARTBEAT ->
            report(WorkerReport.newBuilder().setHeartbeat(offer.getHeartbeat()).build());
        // One that is taken already ends by its own stream.
        case WITHDRAWN, OFFER_NOT_SET -> {}
      }
      call.request(1);
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
      closed(status);
    }
  }
}
