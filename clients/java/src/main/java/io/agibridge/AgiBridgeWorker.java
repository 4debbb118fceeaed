package io.agibridge;

import io.agibridge.internal.v1.WorkerHello;
import io.grpc.ChannelCredentials;
import io.grpc.InsecureChannelCredentials;
import io.grpc.TlsChannelCredentials;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import java.io.File;
import java.io.UncheckedIOException;
import java.lang.System.Logger.Level;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;

/**
 * Takes calls by dialing in to the bridge, for services that cannot be dialed, or want calls only
 * when they have room. The bridge's route has {@code url: worker://GROUP}.
 *
 * <pre>{@code
 * AgiBridgeWorker.builder()
 *     .bridge("bridge:4575")
 *     .group("sales")
 *     .token(System.getenv("WORKER_TOKEN"))
 *     .handler(call -> call.answer())
 *     .build()
 *     .start()
 *     .awaitTermination();
 * }</pre>
 *
 * <p>It registers at every address that the bridge's name has, looked up anew every 30 s, connects
 * again with growing pauses (0.1 to 10 s) when a bridge goes away, and drains on SIGTERM and
 * SIGINT.
 */
public final class AgiBridgeWorker {
  private static final System.Logger LOG = System.getLogger("io.agibridge");
  private static final Duration LOOKUP = Duration.ofSeconds(30);
  private static final int WINDOW = 1 << 20;
  private static final int MESSAGE_MAX = 4 << 20;

  private record Place(String bridge, InetSocketAddress address) {}

  private final Builder settings;
  private final CallRuns runs;
  private final Stopping stopping = new Stopping("agibridge-drain", this::drain);
  private final CompletableFuture<Void> registered = new CompletableFuture<>();
  private final Map<Place, Registration> registrations = new ConcurrentHashMap<>();
  private volatile Set<Registration> wanted = Set.of();
  private volatile WorkerRefusedException refused;
  private ScheduledFuture<?> lookups;

  private AgiBridgeWorker(Builder settings) {
    this.settings = settings;
    this.runs = new CallRuns(settings.handler, settings.cleanupTimeout, settings.maxCalls);
  }

  /**
   * Begins to describe a worker.
   *
   * @return a builder, in which the bridge, a group and the handler must be set
   */
  public static Builder builder() {
    return new Builder();
  }

  /**
   * Starts to register.
   *
   * @return this worker
   */
  public synchronized AgiBridgeWorker start() {
    if (lookups == null) {
      lookups =
          Threads.TIMERS.scheduleWithFixedDelay(
              // Looking up may take long, and the timers are everybody's.
              () -> new Thread(this::lookUp, "agibridge-lookup").start(),
              0,
              LOOKUP.toMillis(),
              TimeUnit.MILLISECONDS);
    }
    return this;
  }

  /**
   * Waits until the first bridge has registered it.
   *
   * @throws WorkerRefusedException a bridge does not let it in, and no retry would help
   * @throws InterruptedException the thread was interrupted
   */
  public void awaitRegistered() throws InterruptedException {
    try {
      registered.get();
    } catch (ExecutionException failed) {
      throw new WorkerRefusedException(failed.getCause().getMessage(), failed.getCause());
    }
  }

  /**
   * How many calls it has now.
   *
   * @return the number, over all bridges
   */
  public int calls() {
    return runs.count();
  }

  /**
   * Begins to drain: no new calls; returns at once. A second time, it releases the calls that are
   * left.
   */
  public void shutdown() {
    stopping.begin();
  }

  /**
   * Waits until the worker has drained after {@link #shutdown}, or after SIGTERM or SIGINT, which
   * it handles from now on unless {@link Builder#handleSignals} says otherwise.
   *
   * @throws WorkerRefusedException a bridge did not let it in, and no retry would help
   * @throws InterruptedException the thread was interrupted; the worker goes on
   */
  public void awaitTermination() throws InterruptedException {
    if (settings.handleSignals) {
      stopping.onSignals();
    }
    stopping.await();
    WorkerRefusedException why = refused;
    if (why != null) {
      throw new WorkerRefusedException(why.getMessage(), why);
    }
  }

  private synchronized void lookUp() {
    if (stopping.hasBegun()) {
      return;
    }
    Set<Place> found = new HashSet<>();
    Set<String> unknown = new HashSet<>();
    for (String bridge : settings.bridges) {
      InetSocketAddress named = Addresses.unresolved(bridge);
      try {
        for (InetAddress address : InetAddress.getAllByName(named.getHostString())) {
          found.add(new Place(bridge, new InetSocketAddress(address, named.getPort())));
        }
      } catch (UnknownHostException notNow) {
        LOG.log(
            Level.WARNING,
            "the name of bridge {0} has no address; looked up again in {1} s",
            bridge,
            LOOKUP.toSeconds());
        unknown.add(bridge);
      }
    }
    for (Place place : found) {
      registrations.computeIfAbsent(place, this::register);
    }
    Set<Registration> now = new HashSet<>();
    registrations.forEach(
        (place, registration) -> {
          if (found.contains(place) || unknown.contains(place.bridge())) {
            now.add(registration);
          }
        });
    wanted = now;
    for (Registration registration : now) {
      registration.connectUnlessConnected();
    }
    registrations
        .entrySet()
        .removeIf(
            entry -> {
              boolean gone = !now.contains(entry.getValue()) && !entry.getValue().isConnected();
              if (gone) {
                entry.getValue().close();
              }
              return gone;
            });
  }

  private Registration register(Place place) {
    var hello =
        WorkerHello.newBuilder()
            .setWorkerId(settings.workerId)
            .addAllGroups(settings.groups)
            .setMaxCalls(settings.maxCalls)
            .putAllLabels(settings.labels)
            .build();
    var channel =
        NettyChannelBuilder.forAddress(place.address(), settings.credentials)
            .overrideAuthority(place.bridge())
            .directExecutor()
            .userAgent(Version.USER_AGENT)
            .flowControlWindow(WINDOW)
            .maxInboundMessageSize(MESSAGE_MAX)
            .keepAliveTime(30, TimeUnit.SECONDS)
            .keepAliveTimeout(10, TimeUnit.SECONDS)
            .idleTimeout(1, TimeUnit.DAYS)
            .build();
    return new Registration(
        place.address().toString(), channel, hello, settings.token, runs, new Events());
  }

  private void drain(CompletableFuture<Void> hurry) throws InterruptedException {
    synchronized (this) {
      if (lookups != null) {
        lookups.cancel(false);
      }
    }
    LOG.log(Level.INFO, "draining: {0} calls are left", Integer.toString(runs.count()));
    List<Registration> all = List.copyOf(registrations.values());
    all.forEach(Registration::drain);
    runs.drain(settings.drainTimeout, hurry);
    all.forEach(Registration::close);
    for (Registration registration : all) {
      registration.awaitClosed(1_000);
    }
    registered.completeExceptionally(
        new IllegalStateException("the worker was stopped before a bridge had registered it"));
  }

  private final class Events implements Registration.Worker {
    @Override
    public void registered() {
      registered.complete(null);
    }

    @Override
    public void refused(WorkerRefusedException why) {
      LOG.log(Level.ERROR, why.getMessage());
      refused = why;
      registered.completeExceptionally(why);
      if (!stopping.hasBegun()) {
        stopping.begin();
      }
    }

    @Override
    public boolean wants(Registration registration) {
      return !stopping.hasBegun() && wanted.contains(registration);
    }
  }

  /** Describes a worker. */
  public static final class Builder {
    private final List<String> bridges = new ArrayList<>();
    private final List<String> groups = new ArrayList<>();
    private final Map<String, String> labels = new LinkedHashMap<>();
    private CallHandler handler;
    private String workerId = hostName() + "-" + ProcessHandle.current().pid();
    private WorkerToken token = WorkerToken.NONE;
    private ChannelCredentials credentials = InsecureChannelCredentials.create();
    private int maxCalls = 100;
    private Duration cleanupTimeout = Duration.ofSeconds(10);
    private Duration drainTimeout = Duration.ofHours(1);
    private boolean handleSignals = true;

    private Builder() {}

    private static String hostName() {
      try {
        return InetAddress.getLocalHost().getHostName();
      } catch (UnknownHostException nameless) {
        return "worker";
      }
    }

    /**
     * Sets what drives each call.
     *
     * @param handler is called once for each stream of a call
     * @return this builder
     */
    public Builder handler(CallHandler handler) {
      this.handler = handler;
      return this;
    }

    /**
     * Adds a bridge. Where its name has several addresses, each of them is a bridge.
     *
     * @param address its {@code api.listen}, as {@code bridge:4575}
     * @return this builder
     * @throws IllegalArgumentException it is no such address
     */
    public Builder bridge(String address) {
      Addresses.unresolved(address);
      bridges.add(address);
      return this;
    }

    /**
     * Adds a group, as routes name it: {@code worker://sales}.
     *
     * @param group its name
     * @return this builder
     */
    public Builder group(String group) {
      groups.add(group);
      return this;
    }

    /**
     * Names this worker. It must be another name for each worker, and the same one after a
     * reconnect.
     *
     * @param workerId as the pod's name; the host's name and the process's number unless set
     * @return this builder
     */
    public Builder workerId(String workerId) {
      this.workerId = workerId;
      return this;
    }

    /**
     * Adds a label, for people who look at the bridge's workers.
     *
     * @param name its name, up to 256 bytes
     * @param value its value, up to 256 bytes
     * @return this builder
     */
    public Builder label(String name, String value) {
      labels.put(name, value);
      return this;
    }

    /**
     * Sets the token that it shows, always the same.
     *
     * @param token of an entry of {@code api.workers} in the bridge's configuration
     * @return this builder
     * @see #tokenFile for one that expires
     */
    public Builder token(String token) {
      this.token = WorkerToken.always(token);
      return this;
    }

    /**
     * Has it show what this gives, for every registration and every call.
     *
     * <p>While it fails no bridge is asked, and calls are declined. A bridge that refuses what it
     * gave is asked again with what it gives then, for as long as it takes. Both are logged when
     * they begin, and the pauses grow, from 0.1 to 10 s.
     *
     * @param token is asked each time
     * @return this builder
     */
    public Builder token(TokenSource token) {
      this.token = WorkerToken.from(token);
      return this;
    }

    /**
     * Has it show what is in a file, without space around it; the file is read each time, as by a
     * {@link #token(TokenSource)}. For a token that is written anew before it expires, as
     * Kubernetes' projected service account tokens are.
     *
     * @param path as {@code /var/run/secrets/agi-bridge/token}
     * @return this builder
     */
    public Builder tokenFile(Path path) {
      this.token = WorkerToken.file(path);
      return this;
    }

    /**
     * Connects by TLS, to bridges with a certificate that Java's own authorities have signed.
     *
     * @return this builder
     */
    public Builder tls() {
      credentials = TlsChannelCredentials.create();
      return this;
    }

    /**
     * Connects by TLS, to bridges with a certificate of one's own authority.
     *
     * @param ca who must have signed the bridge's certificate, PEM
     * @return this builder
     * @throws UncheckedIOException the file cannot be read
     */
    public Builder tls(File ca) {
      return tls(ca, null, null);
    }

    /**
     * Connects by TLS, and shows a client certificate.
     *
     * @param ca who must have signed the bridge's certificate, PEM; null: Java's own authorities
     * @param certificates the client certificate and its chain, PEM
     * @param key its private key, PEM (PKCS 8)
     * @return this builder
     * @throws UncheckedIOException a file cannot be read
     */
    public Builder tls(File ca, File certificates, File key) {
      credentials = Tls.credentials(ca, certificates, key);
      return this;
    }

    /**
     * Sets how many calls it takes at once, over all bridges. It declines what is more. Each call
     * has a thread.
     *
     * @param maxCalls 100 unless set
     * @return this builder
     */
    public Builder maxCalls(int maxCalls) {
      this.maxCalls = maxCalls;
      return this;
    }

    /**
     * Sets how long a handler may go on once the session is over for another reason than a hangup,
     * for which the bridge says it. It is interrupted then.
     *
     * @param cleanupTimeout 10 s unless set
     * @return this builder
     */
    public Builder cleanupTimeout(Duration cleanupTimeout) {
      this.cleanupTimeout = cleanupTimeout;
      return this;
    }

    /**
     * Sets how long calls may go on once the worker drains. What is left then is released to other
     * workers.
     *
     * @param drainTimeout 1 h unless set
     * @return this builder
     */
    public Builder drainTimeout(Duration drainTimeout) {
      this.drainTimeout = drainTimeout;
      return this;
    }

    /**
     * Says whether {@link AgiBridgeWorker#awaitTermination} drains on SIGTERM and SIGINT.
     *
     * @param handleSignals on unless set
     * @return this builder
     */
    public Builder handleSignals(boolean handleSignals) {
      this.handleSignals = handleSignals;
      return this;
    }

    /**
     * Makes the worker.
     *
     * @return a worker that is not started
     * @throws IllegalStateException the handler, a bridge or a group is not set
     */
    public AgiBridgeWorker build() {
      if (handler == null || bridges.isEmpty() || groups.isEmpty()) {
        throw new IllegalStateException(
            "a worker needs a handler, a bridge and a group:"
                + " builder().handler(call -> …).bridge(\"bridge:4575\").group(\"sales\")");
      }
      return new AgiBridgeWorker(this);
    }
  }
}
