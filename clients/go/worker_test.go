// The worker, with bridges that it dials over loopback.

package agibridge

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	pb "github.com/agi-bridge/agi-bridge/clients/go/internal/agibridgev1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

func durationOf(d time.Duration) *durationpb.Duration { return durationpb.New(d) }

type (
	registerSide = grpc.BidiStreamingServer[pb.WorkerReport, pb.WorkerOffer]
	takeSide     = grpc.BidiStreamingServer[pb.CallControl, pb.CallEvent]
)

// bridge is what a worker dials. Its tests say what becomes of a registration, and of a call.
type bridge struct {
	pb.UnimplementedWorkerServiceServer
	credentials credentials.TransportCredentials

	register func(registerSide) error
	take     func(takeSide) error
}

func (b *bridge) Register(stream registerSide) error { return b.register(stream) }
func (b *bridge) TakeCall(stream takeSide) error     { return b.take(stream) }

func (b *bridge) listen(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var options []grpc.ServerOption
	if b.credentials != nil {
		options = append(options, grpc.Creds(b.credentials))
	}
	server := grpc.NewServer(options...)
	pb.RegisterWorkerServiceServer(server, b)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}

func greet(t *testing.T, stream registerSide) *pb.WorkerHello {
	t.Helper()
	report, err := stream.Recv()
	if err != nil || report.GetHello() == nil {
		t.Error("no hello", err)
		return &pb.WorkerHello{}
	}
	registered := &pb.WorkerOffer{Offer: &pb.WorkerOffer_Registered{Registered: &pb.Registered{BridgeId: "b"}}}
	if err := stream.Send(registered); err != nil {
		t.Error(err)
	}
	return report.GetHello()
}

func offer(t *testing.T, stream registerSide, token string) {
	t.Helper()
	call := &pb.WorkerOffer{Offer: &pb.WorkerOffer_Call{Call: &pb.CallOffer{Token: token, CallId: "c"}}}
	if err := stream.Send(call); err != nil {
		t.Error(err)
	}
}

// work runs a worker until the test ends it.
func work(t *testing.T, address string, handler Handler, options ...WorkerOption) (stop context.CancelFunc, stopped chan error) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	stopped = make(chan error, 1)
	options = append([]WorkerOption{quietly(), WithoutSignals(), WorkerID("w")}, options...)
	go func() { stopped <- Work(ctx, address, []string{"sales"}, handler, options...) }()
	return stop, stopped
}

func TestWhatNoRetryCanCureEndsTheWorkerWithAnErrorThatSaysWhatToDo(t *testing.T) {
	for code, advice := range map[codes.Code]string{
		codes.Unauthenticated: "Token", codes.PermissionDenied: "permit the group", codes.AlreadyExists: "WorkerID",
		codes.InvalidArgument: "correct", codes.Unimplemented: "api.listen",
	} {
		b := &bridge{register: func(registerSide) error { return status.Error(code, "no") }}
		_, stopped := work(t, b.listen(t), nothing)
		if err := <-stopped; err == nil || !strings.Contains(err.Error(), advice) {
			t.Error(code, err)
		}
	}
}

func TestAWorkerIntroducesItselfAndTakesWhatIsOffered(t *testing.T) {
	hellos := make(chan *pb.WorkerHello, 1)
	taken := make(chan metadata.MD, 1)
	ended := make(chan error, 1)
	b := &bridge{
		register: func(stream registerSide) error {
			hellos <- greet(t, stream)
			offer(t, stream, "tok")
			<-stream.Context().Done()
			return nil
		},
		take: func(stream takeSide) error {
			shown, _ := metadata.FromIncomingContext(stream.Context())
			taken <- shown
			started := &pb.CallStarted{CallId: "c", MaxQueuedCommands: 4}
			_ = stream.Send(&pb.CallEvent{Event: &pb.CallEvent_Started{Started: started}})
			control, err := stream.Recv()
			if err != nil || control.GetEnd() == nil {
				t.Error(control, err)
			}
			_ = stream.Send(&pb.CallEvent{Event: &pb.CallEvent_Ended{Ended: &pb.CallEnded{}}})
			_, err = stream.Recv()
			ended <- err
			return nil
		},
	}
	work(t, b.listen(t), nothing, Token("s3cret"), MaxCalls(7), Labels(map[string]string{"zone": "a"}))
	if hello := <-hellos; hello.GetWorkerId() != "w" || hello.GetMaxCalls() != 7 || hello.GetLabels()["zone"] != "a" {
		t.Error(hello)
	}
	shown := <-taken
	if shown.Get("agibridge-offer-token")[0] != "tok" || shown.Get("authorization")[0] != "Bearer s3cret" ||
		!strings.HasPrefix(shown.Get("user-agent")[0], "agi-bridge-go/"+Version) {
		t.Error(shown)
	}
	if err := <-ended; !errors.Is(err, io.EOF) {
		t.Error("the worker half-closes after the end:", err)
	}
}

func TestAWorkerDeclinesWhatIsMoreThanMaxCalls(t *testing.T) {
	declined := make(chan string, 1)
	b := &bridge{
		register: func(stream registerSide) error {
			greet(t, stream)
			offer(t, stream, "one")
			offer(t, stream, "two")
			report, err := stream.Recv()
			if err == nil {
				declined <- report.GetDeclined().GetToken()
			}
			<-stream.Context().Done()
			return nil
		},
		take: func(stream takeSide) error {
			<-stream.Context().Done()
			return nil
		},
	}
	work(t, b.listen(t), nothing, MaxCalls(1))
	if token := <-declined; token != "two" {
		t.Error(token)
	}
}

func TestAWorkerRegistersAgainAfterALossAndAtEveryAddress(t *testing.T) {
	again := make(chan string, 16)
	named := func(name string) string {
		return (&bridge{register: func(stream registerSide) error {
			greet(t, stream)
			again <- name
			return status.Error(codes.Unavailable, "draining")
		}}).listen(t)
	}
	work(t, named("a")+", "+named("b"), nothing)
	seen := map[string]int{}
	for seen["a"] < 2 || seen["b"] < 2 {
		seen[<-again]++
	}
}

func TestAWorkerOfTheSameNameElsewhereEndsThisOne(t *testing.T) {
	b := &bridge{register: func(stream registerSide) error {
		greet(t, stream)
		return status.Error(codes.Aborted, "it registered again")
	}}
	_, stopped := work(t, b.listen(t), nothing)
	if err := <-stopped; err == nil || !strings.Contains(err.Error(), "WorkerID") {
		t.Error(err)
	}
}

func TestTwoAddressesOfOneBridgeAreNoOtherWorker(t *testing.T) {
	var mu sync.Mutex
	var replace func()
	registrations := make(chan struct{}, 8)
	b := &bridge{register: func(stream registerSide) error {
		replaced := make(chan struct{})
		mu.Lock()
		if replace != nil {
			replace()
		}
		replace = sync.OnceFunc(func() { close(replaced) })
		mu.Unlock()
		greet(t, stream)
		registrations <- struct{}{}
		select {
		case <-replaced:
			return status.Error(codes.Aborted, "it registered again")
		case <-stream.Context().Done():
			return nil
		}
	}}
	log := &lines{more: make(chan struct{}, 1)}
	debug := slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})
	stop, stopped := work(t, b.listen(t)+","+b.listen(t), nothing, Logger(slog.New(debug)))
	<-registrations
	<-registrations
	log.await("leads to the same bridge")
	stop()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestServerAndWorkerSpeakTLSWithCertificatesOnBothSides(t *testing.T) {
	certificate, roots := certify(t)
	both := &tls.Config{
		Certificates: []tls.Certificate{certificate}, RootCAs: roots, ClientCAs: roots, ClientAuth: tls.RequireAndVerifyClientCert,
	}
	hellos := make(chan *pb.WorkerHello, 1)
	b := &bridge{
		credentials: credentials.NewTLS(both),
		register: func(stream registerSide) error {
			hellos <- greet(t, stream)
			<-stream.Context().Done()
			return nil
		},
	}
	work(t, b.listen(t), nothing, TLS(&tls.Config{Certificates: []tls.Certificate{certificate}, RootCAs: roots}))
	if hello := <-hellos; hello.GetWorkerId() != "w" {
		t.Error(hello)
	}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = ServeListener(t.Context(), listener, nothing, quietly(), WithoutSignals(), TLS(both)) }()
	for shown, want := range map[*tls.Config]codes.Code{
		{RootCAs: roots, Certificates: both.Certificates}: codes.OK,
		{RootCAs: roots}: codes.Unavailable,
	} {
		connection, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(credentials.NewTLS(shown)))
		if err != nil {
			t.Fatal(err)
		}
		_, err = healthpb.NewHealthClient(connection).Check(t.Context(), &healthpb.HealthCheckRequest{})
		if status.Code(err) != want {
			t.Error(want, err)
		}
		_ = connection.Close()
	}
}

// certify makes a certificate for 127.0.0.1 that vouches for itself.
func certify(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	bytes, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(bytes)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{bytes}, PrivateKey: key}, roots
}

func TestADrainingWorkerSaysSoAndItsCallsGoOn(t *testing.T) {
	running, drains, closed := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	b := &bridge{
		register: func(stream registerSide) error {
			greet(t, stream)
			offer(t, stream, "one")
			report, err := stream.Recv()
			if err != nil || !report.GetStatus().GetDraining() {
				t.Error(report, err)
			}
			close(drains)
			_, err = stream.Recv()
			closed <- err
			return nil
		},
		take: func(stream takeSide) error {
			started := &pb.CallStarted{CallId: "c", MaxQueuedCommands: 4}
			_ = stream.Send(&pb.CallEvent{Event: &pb.CallEvent_Started{Started: started}})
			command, err := stream.Recv()
			if err != nil {
				return err
			}
			close(running)
			<-drains
			_ = stream.Send(done(command.GetCommand().GetId()))
			if control, err := stream.Recv(); err != nil || control.GetEnd() == nil {
				t.Error(control, err)
			}
			return stream.Send(&pb.CallEvent{Event: &pb.CallEvent_Ended{Ended: &pb.CallEnded{}}})
		},
	}
	stop, stopped := work(t, b.listen(t), func(ctx context.Context, call *Call) error { return call.Noop(ctx, "") })
	<-running
	stop()
	if err := <-closed; !errors.Is(err, io.EOF) {
		t.Error("registration is closed in order:", err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestWorkRefusesWhatCannotBeRight(t *testing.T) {
	quiet := Logger(slog.New(slog.DiscardHandler))
	for _, err := range []error{
		Work(t.Context(), "bridge", []string{"sales"}, nothing, quiet),
		Work(t.Context(), "", []string{"sales"}, nothing, quiet),
		Work(t.Context(), "bridge:4575", nil, nothing, quiet),
		Work(t.Context(), "bridge:4575", []string{"sales"}, nil, quiet),
	} {
		if !errors.Is(err, ErrMisuse) {
			t.Error(err)
		}
	}
}
