package io.agibridge;

import io.agibridge.internal.v1.ListServersRequest;
import io.agibridge.internal.v1.ManagerServiceGrpc;
import io.agibridge.internal.v1.ManagerServiceGrpc.ManagerServiceBlockingStub;
import io.agibridge.internal.v1.OriginateRequest;
import io.agibridge.internal.v1.WatchEventsResponse;
import io.grpc.ChannelCredentials;
import io.grpc.Deadline;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.MetadataUtils;
import java.io.File;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/**
 * Asks the manager (AMI) of each Asterisk that the bridge has a link to: starts calls, sends
 * actions, hears events. What it may do is granted in the bridge's {@code api.clients}.
 *
 * <pre>{@code
 * try (var manager = AgiBridgeManager.builder().bridge("bridge:4575").token(token).build()) {
 *   Originated call = manager.originate(Originate.call("PJSIP/3200").toExtension("internal", "100"));
 *   System.out.println(call.outcome());
 * }
 * }</pre>
 *
 * <p>Methods wait for the answer, and may be used by several threads. A thread that is interrupted
 * meanwhile gets a {@link CallInterruptedException}. It connects when it is first used, and again
 * when the connection was lost.
 */
public final class AgiBridgeManager implements AutoCloseable {
  private static final int WINDOW = 1 << 20;
  private static final int MESSAGE_MAX = 4 << 20;

  /** With the pauses between them half a minute of a bridge that is away. */
  private static final int TRIES_MAX = 10;

  private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(1);

  private final ManagedChannel channel;
  private final String token;
  private final long firstPause;
  private final Set<ManagerSubscription> subscriptions = ConcurrentHashMap.newKeySet();
  private volatile boolean isClosed;

  private AgiBridgeManager(Builder settings) {
    if (settings.bridge == null) {
      throw new IllegalStateException("a manager needs a bridge");
    }
    token = settings.token;
    firstPause = settings.firstPause;
    channel =
        NettyChannelBuilder.forAddress(
                settings.bridge.getHostString(), settings.bridge.getPort(), settings.credentials)
            .directExecutor()
            .userAgent(Version.USER_AGENT)
            .flowControlWindow(WINDOW)
            .maxInboundMessageSize(MESSAGE_MAX)
            .keepAliveTime(30, TimeUnit.SECONDS)
            .keepAliveTimeout(10, TimeUnit.SECONDS)
            .disableRetry()
            .build();
  }

  /**
   * Begins to describe a client.
   *
   * @return a builder, in which the bridge must be set
   */
  public static Builder builder() {
    return new Builder();
  }

  /**
   * Starts a call, and waits until its fate is known. That nobody answered, or that Asterisk
   * refused it, is an outcome and no exception.
   *
   * <p>Without a request id it makes one. So it asks again by itself for about half a minute while
   * the bridge is not to be had, and the call is dialled once all the same.
   *
   * @param call whom to call, and where to go then
   * @return what became of it
   * @throws ManagerException it could not be learnt; the exception has the request id
   * @throws MisuseException the call has no destination, or this client is closed
   */
  public Originated originate(Originate call) {
    return originate(call, null);
  }

  /**
   * Starts a call, and waits for its fate only so long. It goes on then.
   *
   * @param call whom to call, and where to go then
   * @param timeout for all tries together; DEADLINE_EXCEEDED, or UNAVAILABLE, after it
   * @return what became of it
   * @throws ManagerException it could not be learnt; the exception has the request id
   * @throws MisuseException the call has no destination, or this client is closed
   */
  public Originated originate(Originate call, Duration timeout) {
    OriginateRequest request = call.request();
    return retrying(
        new Asked("originate", request.getRequestId(), timeout),
        stub -> Originated.of(stub.originate(request), request.getRequestId()));
  }

  /**
   * Sends an action, and collects the list or the output that belongs to its answer. That Asterisk
   * refused it is an answer. It is never sent twice: UNAVAILABLE says that nothing was sent, or
   * that the connection to the bridge broke meanwhile.
   *
   * @param action which, with its headers
   * @return what Asterisk answered
   * @throws ManagerException there is no answer
   * @throws MisuseException this client is closed
   */
  public ActionResponse sendAction(Action action) {
    var asked = new Asked("sendAction " + action.request().getAction(), null, null);
    try {
      return ActionResponse.of(stub(asked).sendAction(action.request()));
    } catch (StatusRuntimeException failed) {
      throw asked.failure(failed.getStatus());
    }
  }

  /**
   * Tells the Asterisk servers that this client may use, and the state of the bridge's link to
   * each.
   *
   * @return all of them
   * @throws ManagerException the bridge does not tell
   * @throws MisuseException this client is closed
   */
  public List<ServerState> listServers() {
    return retrying(
        new Asked("listServers", null, null),
        stub ->
            stub.listServers(ListServersRequest.getDefaultInstance()).getServersList().stream()
                .map(ServerState::of)
                .toList());
  }

  /**
   * Hears events from now on, on a thread of its own. It asks again when the bridge goes away.
   *
   * @param wanted which events
   * @param listener is told them one after the other
   * @return what ends it, and tells its end
   * @throws MisuseException this client is closed
   */
  public ManagerSubscription watch(Watch wanted, ManagerListener listener) {
    var subscription =
        new ManagerSubscription(new Events(wanted), listener, new Pauses(firstPause));
    subscriptions.add(subscription);
    if (isClosed) {
      subscriptions.remove(subscription);
      throw closed();
    }
    Threads.HANDLERS.execute(subscription::run);
    return subscription;
  }

  /** Ends all subscriptions, and then the connection: what is asked still is CANCELLED. */
  @Override
  public void close() {
    isClosed = true;
    subscriptions.forEach(ManagerSubscription::close);
    channel.shutdownNow();
    try {
      var unused = channel.awaitTermination(CLOSE_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private static MisuseException closed() {
    return new MisuseException("this manager client is closed; build another one");
  }

  private final class Events implements ManagerSubscription.Source {
    private final Watch wanted;

    Events(Watch wanted) {
      this.wanted = wanted;
    }

    @Override
    public Iterator<WatchEventsResponse> open() {
      channel.resetConnectBackoff();
      return stub(new Asked("watch", null, null)).watchEvents(wanted.request());
    }

    @Override
    public void ended(ManagerSubscription subscription) {
      subscriptions.remove(subscription);
    }
  }

  /** One request, over all of its tries. */
  private static final class Asked {
    private final String method;
    private final String requestId;
    private final Deadline deadline;

    Asked(String method, String requestId, Duration timeout) {
      this.method = method;
      this.requestId = requestId;
      deadline = timeout == null ? null : Deadline.after(timeout.toMillis(), TimeUnit.MILLISECONDS);
    }

    boolean hasTimeFor(long pause) {
      return deadline == null || deadline.timeRemaining(TimeUnit.MILLISECONDS) > pause;
    }

    AgiBridgeException failure(Status status) {
      return status.getCode() == Status.Code.CANCELLED && Thread.currentThread().isInterrupted()
          ? new CallInterruptedException(method)
          : ManagerException.of(method, status, requestId);
    }
  }

  private ManagerServiceBlockingStub stub(Asked asked) {
    if (isClosed) {
      throw closed();
    }
    Metadata headers = Headers.bearer(token);
    Tracing.inject(headers);
    var stub =
        ManagerServiceGrpc.newBlockingStub(channel)
            .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers));
    return asked.deadline == null ? stub : stub.withDeadline(asked.deadline);
  }

  /** Asks again while the bridge is not to be had. */
  private <T> T retrying(Asked asked, Function<ManagerServiceBlockingStub, T> ask) {
    var pauses = new Pauses(firstPause);
    for (int attempt = 1; ; attempt++) {
      try {
        return ask.apply(stub(asked));
      } catch (StatusRuntimeException failed) {
        long pause = pauses.next();
        if (failed.getStatus().getCode() != Status.Code.UNAVAILABLE
            || isClosed
            || attempt == TRIES_MAX
            || !asked.hasTimeFor(pause)) {
          throw asked.failure(failed.getStatus());
        }
        sleep(asked, pause);
        channel.resetConnectBackoff();
      }
    }
  }

  private static void sleep(Asked asked, long milliseconds) {
    try {
      Thread.sleep(milliseconds);
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw new CallInterruptedException(asked.method);
    }
  }

  /** Describes a client. */
  public static final class Builder {
    private InetSocketAddress bridge;
    private String token = "";
    private ChannelCredentials credentials = InsecureChannelCredentials.create();
    private long firstPause = Pauses.FIRST_MS;

    private Builder() {}

    /**
     * Sets the bridge.
     *
     * @param address its {@code api.listen}, as {@code bridge:4575}
     * @return this builder
     * @throws IllegalArgumentException it is no such address
     */
    public Builder bridge(String address) {
      bridge = Addresses.unresolved(address);
      return this;
    }

    /**
     * Sets the token that it shows.
     *
     * @param token of an entry of {@code api.clients} in the bridge's configuration
     * @return this builder
     */
    public Builder token(String token) {
      this.token = token;
      return this;
    }

    /**
     * Connects by TLS, to a bridge with a certificate that Java's own authorities have signed.
     *
     * @return this builder
     */
    public Builder tls() {
      credentials = TlsChannelCredentials.create();
      return this;
    }

    /**
     * Connects by TLS, to a bridge with a certificate of one's own authority.
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

    /** Tests have no time. */
    Builder firstPause(long milliseconds) {
      firstPause = milliseconds;
      return this;
    }

    /**
     * Makes the client.
     *
     * @return it, which must be closed
     * @throws IllegalStateException the bridge is missing
     */
    public AgiBridgeManager build() {
      return new AgiBridgeManager(this);
    }
  }
}
