package io.agibridge;

import io.agibridge.internal.v1.CallControl;
import io.agibridge.internal.v1.CallEvent;
import io.agibridge.internal.v1.CallServiceGrpc;
import io.grpc.InsecureServerCredentials;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCredentials;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.TlsServerCredentials;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.services.HealthStatusManager;
import io.grpc.protobuf.services.ProtoReflectionServiceV1;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.System.Logger.Level;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * Serves calls by gRPC: the bridge connects to it, by a route with {@code url: grpc://host:port}.
 *
 * <pre>{@code
 * AgiBridgeServer.builder()
 *     .port(50051)
 *     .handler(call -> {
 *       call.answer();
 *       call.streamFile("hello-world");
 *     })
 *     .build()
 *     .start()
 *     .awaitTermination();
 * }</pre>
 *
 * <p>It offers {@code grpc.health.v1} and reflection, permits the bridge's pings, and drains on
 * SIGTERM and SIGINT.
 */
public final class AgiBridgeServer {
  private static final System.Logger LOG = System.getLogger("io.agibridge");
  private static final int WINDOW = 1 << 20;
  private static final int MESSAGE_MAX = 4 << 20;

  private final Builder settings;
  private final CallRuns runs;
  private final HealthStatusManager health = new HealthStatusManager();
  private final Stopping stopping = new Stopping("agibridge-drain", this::drain);
  private volatile Server server;

  private AgiBridgeServer(Builder settings) {
    this.settings = settings;
    this.runs = new CallRuns(settings.handler, settings.cleanupTimeout, settings.maxCalls);
  }

  /**
   * Begins to describe a server.
   *
   * @return a builder, in which the handler must be set
   */
  public static Builder builder() {
    return new Builder();
  }

  /**
   * Starts to listen.
   *
   * @return this server
   * @throws UncheckedIOException the address is in use, or is not one of this machine
   */
  public AgiBridgeServer start() {
    health.setStatus("", ServingStatus.SERVING);
    health.setStatus(CallServiceGrpc.SERVICE_NAME, ServingStatus.SERVING);
    NettyServerBuilder builder =
        NettyServerBuilder.forAddress(settings.address, settings.credentials)
            .directExecutor()
            .permitKeepAliveTime(1, TimeUnit.SECONDS)
            .permitKeepAliveWithoutCalls(true)
            .flowControlWindow(WINDOW)
            .maxInboundMessageSize(MESSAGE_MAX)
            .addService(service())
            .addService(health.getHealthService());
    if (settings.reflection) {
      builder.addService(ProtoReflectionServiceV1.newInstance());
    }
    try {
      server = builder.build().start();
    } catch (IOException cannot) {
      throw new UncheckedIOException(
          "cannot listen on " + settings.address + "; is the port in use?", cannot);
    }
    LOG.log(Level.INFO, "serving calls by gRPC on port {0}", Integer.toString(port()));
    return this;
  }

  /**
   * The port that it listens on.
   *
   * @return the port, also when any free one was asked for by 0; -1 before the start
   */
  public int port() {
    Server running = server;
    return running == null ? -1 : running.getPort();
  }

  /**
   * How many calls it has now.
   *
   * @return the number
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
   * Waits until the server has drained after {@link #shutdown}, or after SIGTERM or SIGINT, which
   * it handles from now on unless {@link Builder#handleSignals} says otherwise.
   *
   * @throws InterruptedException the thread was interrupted; the server goes on
   */
  public void awaitTermination() throws InterruptedException {
    if (settings.handleSignals) {
      stopping.onSignals();
    }
    stopping.await();
  }

  private void drain(CompletableFuture<Void> hurry) throws InterruptedException {
    Server running = server;
    health.enterTerminalState();
    if (running == null) {
      return;
    }
    LOG.log(Level.INFO, "draining: {0} calls are left", Integer.toString(runs.count()));
    running.shutdown();
    runs.drain(settings.drainTimeout, hurry);
    running.shutdownNow();
    if (!running.awaitTermination(5, TimeUnit.SECONDS)) {
      LOG.log(Level.WARNING, "the gRPC server did not stop within 5 s");
    }
  }

  private ServerServiceDefinition service() {
    return ServerServiceDefinition.builder(CallServiceGrpc.getServiceDescriptor())
        .addMethod(CallServiceGrpc.getHandleCallMethod(), this::accept)
        .build();
  }

  private ServerCall.Listener<CallEvent> accept(
      ServerCall<CallEvent, CallControl> call, Metadata headers) {
    if (!settings.token.isEmpty() && !Headers.shows(headers, settings.token)) {
      return refuse(
          call,
          Status.UNAUTHENTICATED.withDescription(
              "the service asks for a token; set `token` for it in the bridge's route"));
    }
    if (stopping.hasBegun()) {
      return refuse(call, Status.UNAVAILABLE.withDescription("the service stops"));
    }
    if (!runs.reserve()) {
      return refuse(
          call,
          Status.RESOURCE_EXHAUSTED.withDescription(
              "the service has all the calls that it may have, " + settings.maxCalls));
    }
    var opened = new GrpcCall(call, runs, headers);
    opened.open();
    return opened;
  }

  private static ServerCall.Listener<CallEvent> refuse(
      ServerCall<CallEvent, CallControl> call, Status status) {
    call.close(status, new Metadata());
    return new ServerCall.Listener<>() {};
  }

  /** Describes a server. */
  public static final class Builder {
    private CallHandler handler;
    private InetSocketAddress address = new InetSocketAddress(50051);
    private ServerCredentials credentials = InsecureServerCredentials.create();
    private String token = "";
    private int maxCalls = 10_000;
    private Duration cleanupTimeout = Duration.ofSeconds(10);
    private Duration drainTimeout = Duration.ofHours(1);
    private boolean reflection = true;
    private boolean handleSignals = true;

    private Builder() {}

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
     * Listens on a port of all addresses of this machine; 50051 unless set.
     *
     * @param port the port; 0: any free one
     * @return this builder
     */
    public Builder port(int port) {
      address = new InetSocketAddress(port);
      return this;
    }

    /**
     * Listens on one address.
     *
     * @param address as {@code 127.0.0.1:50051} or {@code [::1]:50051}; port 0: any free one
     * @return this builder
     * @throws IllegalArgumentException it is no such address
     */
    public Builder listen(String address) {
      this.address = Addresses.parse(address);
      return this;
    }

    /**
     * Serves by TLS.
     *
     * @param certificates the certificate and its chain, PEM
     * @param key the private key, PEM (PKCS 8)
     * @return this builder
     * @throws UncheckedIOException a file cannot be read
     */
    public Builder tls(File certificates, File key) {
      return tls(certificates, key, null);
    }

    /**
     * Serves by TLS, to bridges that show a client certificate.
     *
     * @param certificates the certificate and its chain, PEM
     * @param key the private key, PEM (PKCS 8)
     * @param clientCa who must have signed the bridges' certificates, PEM; null: none is asked for
     * @return this builder
     * @throws UncheckedIOException a file cannot be read
     */
    public Builder tls(File certificates, File key, File clientCa) {
      try {
        var tls = TlsServerCredentials.newBuilder().keyManager(certificates, key);
        if (clientCa != null) {
          tls.trustManager(clientCa).clientAuth(TlsServerCredentials.ClientAuth.REQUIRE);
        }
        credentials = tls.build();
      } catch (IOException unreadable) {
        throw new UncheckedIOException("a file for TLS cannot be read", unreadable);
      }
      return this;
    }

    /**
     * Asks for a token, and refuses calls without it.
     *
     * @param token what the bridge's route has as {@code token}; empty: none is asked for
     * @return this builder
     */
    public Builder token(String token) {
      this.token = token;
      return this;
    }

    /**
     * Refuses calls above a number with RESOURCE_EXHAUSTED, so that the bridge asks another
     * instance. Each call has a thread.
     *
     * @param maxCalls how many calls it takes at once; 10,000 unless set
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
     * Sets how long calls may go on once the server drains. What is left then is released to other
     * instances.
     *
     * @param drainTimeout 1 h unless set
     * @return this builder
     */
    public Builder drainTimeout(Duration drainTimeout) {
      this.drainTimeout = drainTimeout;
      return this;
    }

    /**
     * Switches reflection, by which tools as grpcurl find out what is served.
     *
     * @param reflection on unless set
     * @return this builder
     */
    public Builder reflection(boolean reflection) {
      this.reflection = reflection;
      return this;
    }

    /**
     * Says whether {@link AgiBridgeServer#awaitTermination} drains on SIGTERM and SIGINT.
     *
     * @param handleSignals on unless set
     * @return this builder
     */
    public Builder handleSignals(boolean handleSignals) {
      this.handleSignals = handleSignals;
      return this;
    }

    /**
     * Makes the server.
     *
     * @return a server that is not started
     * @throws IllegalStateException no handler is set
     */
    public AgiBridgeServer build() {
      if (handler == null) {
        throw new IllegalStateException(
            "set the handler of the calls: builder().handler(call -> …)");
      }
      return new AgiBridgeServer(this);
    }
  }
}
