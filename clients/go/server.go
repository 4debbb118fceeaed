// Serve: the gRPC server that the bridge dials.

package agibridge

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	pb "github.com/agi-bridge/agi-bridge/clients/go/internal/agibridgev1"
	"go.opentelemetry.io/otel/propagation"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"
)

// closeTimeout is how long connections may take to close once no call is left.
const closeTimeout = 2 * time.Second

// Serve takes calls at address, as ":50051" or "127.0.0.1:50051", until ctx ends or SIGTERM or SIGINT comes. Then it takes
// no new ones, running ones go on for up to DrainTimeout, and it returns nil. A second signal releases what is left to other
// instances at once. It offers grpc.health.v1 and reflection besides.
func Serve(ctx context.Context, address string, handler Handler, options ...ServerOption) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("agibridge: %w (choose an address that is free, and of this machine)", err)
	}
	return ServeListener(ctx, listener, handler, options...)
}

// ServeListener is Serve on a listener, which it closes.
func ServeListener(ctx context.Context, listener net.Listener, handler Handler, options ...ServerOption) error {
	its := newSettings(0)
	for _, option := range options {
		if option != nil {
			option.forServer(its)
		}
	}
	if handler == nil {
		_ = listener.Close()
		return misuse("Serve without a handler")
	}
	s := newServer(its, handler)
	signals, leaveSignals := stopSignals(its.noSignals)
	defer leaveSignals()

	served := make(chan error, 1)
	go func() { served <- s.grpc.Serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("agibridge: serving: %w", err)
	case <-ctx.Done():
	case <-signals:
	}
	s.stop(signals)
	leaveSignals() // the next one ends the process
	s.close()
	return nil
}

type server struct {
	pb.UnimplementedCallServiceServer
	*settings
	driver *driver
	roster *roster
	grpc   *grpc.Server
	health *healthServer
}

func newServer(its *settings, handler Handler) *server {
	options := []grpc.ServerOption{
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
		// A bridge whose machine is gone is noticed by this.
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
		grpc.InitialWindowSize(window), grpc.InitialConnWindowSize(window),
		grpc.MaxRecvMsgSize(messageMax), grpc.MaxSendMsgSize(messageMax),
	}
	if its.tls != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(its.tls)))
	}
	s := &server{
		settings: its, driver: its.driver(handler), roster: newRoster(its.maxCalls),
		grpc: grpc.NewServer(options...), health: &healthServer{health.NewServer(), make(chan struct{})},
	}
	pb.RegisterCallServiceServer(s.grpc, s)
	healthpb.RegisterHealthServer(s.grpc, s.health)
	s.health.SetServingStatus(pb.CallService_ServiceDesc.ServiceName, healthpb.HealthCheckResponse_SERVING)
	if !its.noReflection {
		reflection.Register(s.grpc)
	}
	return s
}

// HandleCall is the stream of one call.
func (s *server) HandleCall(stream pb.CallService_HandleCallServer) error {
	given, _ := metadata.FromIncomingContext(stream.Context())
	if !permitted(s.token, given) {
		return status.Error(codes.Unauthenticated, "this service wants `authorization: Bearer …` with its token")
	}
	m := newMachine(s.log)
	switch err := s.roster.add(m); err {
	case nil:
		defer s.roster.leave(m)
	case errFull:
		return status.Error(codes.ResourceExhausted, err.Error())
	default:
		return status.Error(codes.Unavailable, err.Error())
	}
	if err := stream.SendHeader(metadata.MD{}); err != nil { // takes the call
		s.roster.leave(m)
		return err
	}
	ctx := traceParent.Extract(stream.Context(), metadataCarrier(given))
	return s.driver.drive(ctx, m, stream, func() { s.roster.leave(m) }).status()
}

// stop lets running calls come to an end.
func (s *server) stop(signals <-chan os.Signal) {
	s.log.Info("agibridge: draining: no new calls", "timeout", s.drain)
	s.health.Shutdown()
	s.roster.drain()
	go s.grpc.GracefulStop()
	timeout := time.NewTimer(s.drain)
	defer timeout.Stop()
	select {
	case <-s.roster.idle:
		return
	case <-timeout.C:
	case <-signals:
	}
	left := s.roster.releaseAll(errDraining.Error())
	s.log.Warn("agibridge: calls were released to other instances", "calls", left)
}

// close waits for handlers that clean up, and closes the connections.
func (s *server) close() {
	select {
	case <-s.roster.idle:
	case <-time.After(s.cleanup + s.driver.stuck + closeTimeout):
	}
	close(s.health.stopped)
	gone := make(chan struct{})
	go func() {
		s.grpc.GracefulStop()
		close(gone)
	}()
	select {
	case <-gone:
	case <-time.After(closeTimeout):
	}
	s.grpc.Stop()
}

// healthServer ends the streams of those who watch when the server closes.
type healthServer struct {
	*health.Server
	stopped chan struct{}
}

// Watch is grpc.health.v1's.
func (h *healthServer) Watch(request *healthpb.HealthCheckRequest, stream healthpb.Health_WatchServer) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	go func() {
		select {
		case <-h.stopped:
			cancel()
		case <-ctx.Done():
		}
	}()
	return h.Server.Watch(request, &watchStream{stream, ctx})
}

type watchStream struct {
	healthpb.Health_WatchServer
	ctx context.Context
}

// Context ends with the server.
func (s *watchStream) Context() context.Context { return s.ctx }

// permitted compares in a time that does not depend on the tokens.
func permitted(token string, given metadata.MD) bool {
	if token == "" {
		return true
	}
	shown := ""
	if values := given.Get("authorization"); len(values) == 1 {
		if scheme, rest, found := strings.Cut(values[0], " "); found && strings.EqualFold(scheme, "bearer") {
			shown = strings.TrimSpace(rest)
		}
	}
	want, got := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(shown))
	return subtle.ConstantTimeCompare(want[:], got[:]) == 1
}

var traceParent = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})

// metadataCarrier shows metadata to OpenTelemetry.
type metadataCarrier metadata.MD

// Get gives the first value.
func (c metadataCarrier) Get(key string) string {
	if values := metadata.MD(c).Get(key); len(values) > 0 {
		return values[0]
	}
	return ""
}

// Set is not used: this carrier is only read.
func (c metadataCarrier) Set(key, value string) { metadata.MD(c).Set(key, value) }

// Keys gives the names.
func (c metadataCarrier) Keys() []string {
	keys := make([]string, 0, len(c))
	for key := range c {
		keys = append(keys, key)
	}
	return keys
}
