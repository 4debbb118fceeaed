// The server, with a bridge that dials it over loopback.

package agibridge

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	pb "github.com/agi-bridge/agi-bridge/clients/go/internal/agibridgev1"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
	nooptrace "go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// served is a server that runs, and what a bridge would do with it.
type served struct {
	t          *testing.T
	stop       context.CancelFunc
	connection *grpc.ClientConn
	stopped    chan error
}

func serve(t *testing.T, handler Handler, options ...ServerOption) *served {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	connection, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &served{t, stop, connection, make(chan error, 1)}
	go func() { s.stopped <- ServeListener(ctx, listener, handler, append(options, WithoutSignals())...) }()
	t.Cleanup(func() {
		_ = connection.Close()
		stop()
	})
	return s
}

type bridgeSide = grpc.BidiStreamingClient[pb.CallEvent, pb.CallControl]

func (s *served) call(pairs ...string) bridgeSide {
	s.t.Helper()
	ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(context.Background(), pairs...))
	s.t.Cleanup(cancel)
	stream, err := pb.NewCallServiceClient(s.connection).HandleCall(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	return stream
}

func start(t *testing.T, stream bridgeSide) {
	t.Helper()
	tell(t, stream, &pb.CallEvent{Event: &pb.CallEvent_Started{Started: &pb.CallStarted{CallId: "c", MaxQueuedCommands: 32}}})
}

func tell(t *testing.T, stream bridgeSide, event *pb.CallEvent) {
	t.Helper()
	if err := stream.Send(event); err != nil {
		t.Fatal(err)
	}
}

func next(t *testing.T, stream bridgeSide) *pb.CallControl {
	t.Helper()
	control, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return control
}

func endOf(stream bridgeSide) error {
	for {
		if _, err := stream.Recv(); err != nil {
			return err
		}
	}
}

// refused gives the error of new calls, once they are refused.
func refused(t *testing.T, s *served) error {
	t.Helper()
	for {
		ctx, cancel := context.WithCancel(t.Context())
		stream, err := pb.NewCallServiceClient(s.connection).HandleCall(ctx)
		if err == nil {
			_, err = stream.Header()
		}
		cancel()
		if err != nil {
			return err
		}
	}
}

// lines is a log that can be looked at.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // signalled by each line, where it is set
}

func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.more != nil {
		wake(l.more)
	}
	return l.text.Write(line)
}

// await waits for a line with this text.
func (l *lines) await(text string) {
	for !l.has(text) {
		<-l.more
	}
}

func (l *lines) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), text)
}

func quietly() ConnectionOption { return Logger(slog.New(slog.DiscardHandler)) }

var nothing = func(context.Context, *Call) error { return nil }

func TestTheCallIsTakenByHeadersBeforeStarted(t *testing.T) {
	stream := serve(t, nothing, quietly()).call()
	if _, err := stream.Header(); err != nil {
		t.Fatal(err)
	}
	start(t, stream)
	if next(t, stream).GetEnd() == nil {
		t.Error("no end")
	}
	tell(t, stream, &pb.CallEvent{Event: &pb.CallEvent_Ended{Ended: &pb.CallEnded{}}})
	if err := endOf(stream); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func TestACallWithoutTheTokenIsRefused(t *testing.T) {
	s := serve(t, nothing, quietly(), Token("s3cret"))
	for _, shown := range []string{"", "Bearer wrong", "s3cret"} {
		stream := s.call("authorization", shown)
		if err := endOf(stream); status.Code(err) != codes.Unauthenticated {
			t.Error(shown, err)
		}
	}
	if _, err := s.call("authorization", "Bearer s3cret").Header(); err != nil {
		t.Error(err)
	}
}

func TestOneCallMoreThanMaxCallsIsRefusedBeforeHeaders(t *testing.T) {
	s := serve(t, nothing, quietly(), MaxCalls(1))
	first := s.call()
	if _, err := first.Header(); err != nil {
		t.Fatal(err)
	}
	if err := endOf(s.call()); status.Code(err) != codes.ResourceExhausted {
		t.Error(err)
	}
}

func TestHealthIsServedForBothNamesAndWatchersDoNotKeepTheServer(t *testing.T) {
	s := serve(t, nothing, quietly())
	client := healthpb.NewHealthClient(s.connection)
	watch, err := client.Watch(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if now, err := watch.Recv(); err != nil || now.Status != healthpb.HealthCheckResponse_SERVING {
		t.Fatal(now, err)
	}
	checked, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{Service: "agibridge.v1.CallService"})
	if err != nil || checked.Status != healthpb.HealthCheckResponse_SERVING {
		t.Error(checked, err)
	}
	s.stop()
	if now, err := watch.Recv(); err != nil || now.Status != healthpb.HealthCheckResponse_NOT_SERVING {
		t.Error(now, err)
	}
	if _, err := watch.Recv(); status.Code(err) != codes.Canceled {
		t.Error("the watcher is not sent away, but cut off:", err)
	}
	if err := <-s.stopped; err != nil {
		t.Error(err)
	}
}

func TestDrainingLetsRunningCallsEndAndTakesNoNewOnes(t *testing.T) {
	s := serve(t, func(ctx context.Context, call *Call) error { return call.Noop(ctx, "") }, quietly())
	stream := s.call()
	start(t, stream)
	id := next(t, stream).GetCommand().GetId()
	s.stop()
	if err := refused(t, s); status.Code(err) != codes.Unavailable {
		t.Error("a new call while it drains:", err)
	}
	tell(t, stream, done(id))
	if next(t, stream).GetEnd() == nil {
		t.Error("no end")
	}
	tell(t, stream, &pb.CallEvent{Event: &pb.CallEvent_Ended{Ended: &pb.CallEnded{}}})
	if err := endOf(stream); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if err := <-s.stopped; err != nil {
		t.Error(err)
	}
}

func TestWhatIsLeftAfterTheDrainTimeoutIsReleased(t *testing.T) {
	s := serve(t, func(ctx context.Context, call *Call) error { return call.Noop(ctx, "") }, quietly(), DrainTimeout(0))
	stream := s.call()
	start(t, stream)
	next(t, stream)
	s.stop()
	if err := endOf(stream); status.Code(err) != codes.Unavailable {
		t.Error(err)
	}
	if err := <-s.stopped; err != nil {
		t.Error(err)
	}
}

func TestAFailingHandlerEndsItsStreamWithInternalAndTheOthersGoOn(t *testing.T) {
	log := &lines{}
	s := serve(t, func(ctx context.Context, call *Call) error {
		if call.Query.Get("panic") != "" {
			panic("oops")
		}
		return call.Noop(ctx, "")
	}, Logger(slog.New(slog.NewTextHandler(log, nil))))
	other := s.call()
	start(t, other)
	id := next(t, other).GetCommand().GetId()
	bad := s.call()
	tell(t, bad, &pb.CallEvent{Event: &pb.CallEvent_Started{Started: &pb.CallStarted{
		QueryParameters: []*pb.QueryParameter{{Key: "panic", Value: "1"}},
	}}})
	if err := endOf(bad); status.Code(err) != codes.Internal || !strings.Contains(err.Error(), "oops") {
		t.Error(err)
	}
	if !log.has("server_test.go") {
		t.Error("no stack in the log")
	}
	tell(t, other, done(id))
	if next(t, other).GetEnd() == nil {
		t.Error("the other call did not go on")
	}
}

func TestAHandlerThatNeverReturnsIsCancelledReportedAndLeft(t *testing.T) {
	log := &lines{}
	never := make(chan struct{})
	defer close(never)
	its := newSettings(0)
	its.log = slog.New(slog.NewTextHandler(log, nil))
	d := its.driver(func(context.Context, *Call) error {
		<-never
		return nil
	})
	d.stuck = time.Millisecond
	m := newMachine(its.log)
	events := make(chan *pb.CallEvent, 2)
	events <- &pb.CallEvent{Event: &pb.CallEvent_Started{Started: &pb.CallStarted{}}}
	grace := &pb.Hangup{Grace: durationOf(time.Millisecond)}
	events <- &pb.CallEvent{Event: &pb.CallEvent_Hangup{Hangup: grace}}
	left := make(chan struct{})
	how := d.drive(t.Context(), m, channelStream{events}, func() { close(left) })
	<-left
	if how.code != codes.OK || !log.has("left to itself") {
		t.Error(how, log.text.String())
	}
	close(events)
}

func TestGivingUpWaitingTakesTheCommandBack(t *testing.T) {
	gaveUp := make(chan error, 1)
	cancelNow := make(chan context.CancelFunc, 1)
	s := serve(t, func(ctx context.Context, call *Call) error {
		limited, cancel := context.WithCancel(ctx)
		cancelNow <- cancel
		gaveUp <- call.Noop(limited, "")
		return nil
	}, quietly())
	stream := s.call()
	start(t, stream)
	id := next(t, stream).GetCommand().GetId()
	(<-cancelNow)()
	if err := <-gaveUp; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if cancelled := next(t, stream).GetCancel().GetId(); cancelled != id {
		t.Error(cancelled, id)
	}
}

func TestACallContinuesTheTraceOfTheBridge(t *testing.T) {
	tracer := &recorder{}
	otel.SetTracerProvider(provider{tracer: tracer})
	defer otel.SetTracerProvider(nooptrace.NewTracerProvider())
	s := serve(t, func(ctx context.Context, call *Call) error { return call.Noop(ctx, "") }, quietly())
	parent := "00-0102030405060708090a0b0c0d0e0f10-0102030405060708-01"
	stream := s.call("traceparent", parent)
	start(t, stream)
	carried := next(t, stream).GetCommand().GetTraceContext()["traceparent"]
	if want := "00-0102030405060708090a0b0c0d0e0f10-aa00000000000000-01"; carried != want {
		t.Error(carried)
	}
	if tracer.name != spanName || tracer.kind != trace.SpanKindServer {
		t.Error(tracer.name, tracer.kind)
	}
}

func TestWithoutATracerCommandsCarryNoContext(t *testing.T) {
	s := serve(t, func(ctx context.Context, call *Call) error { return call.Noop(ctx, "") }, quietly())
	stream := s.call("traceparent", "00-0102030405060708090a0b0c0d0e0f10-0102030405060708-01")
	start(t, stream)
	if carried := next(t, stream).GetCommand().GetTraceContext(); len(carried) != 0 {
		t.Error(carried)
	}
}

func TestAnAddressThatCannotBeListenedAtIsAnErrorAtOnce(t *testing.T) {
	if err := Serve(t.Context(), "256.0.0.1:0", nothing); err == nil || !strings.Contains(err.Error(), "choose an address") {
		t.Error(err)
	}
	if err := Serve(t.Context(), "127.0.0.1:0", nil); !errors.Is(err, ErrMisuse) {
		t.Error(err)
	}
}

// channelStream has its events from a channel, and forgets its controls.
type channelStream struct{ events chan *pb.CallEvent }

func (s channelStream) Recv() (*pb.CallEvent, error) {
	event, open := <-s.events
	if !open {
		return nil, io.EOF
	}
	return event, nil
}

func (s channelStream) Send(*pb.CallControl) error { return nil }

// recorder is a tracer that notes the span it was asked for.
type recorder struct {
	embedded.Tracer
	name string
	kind trace.SpanKind
}

type provider struct {
	embedded.TracerProvider
	tracer *recorder
}

func (p provider) Tracer(string, ...trace.TracerOption) trace.Tracer { return p.tracer }

func (r *recorder) Start(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	config := trace.NewSpanStartConfig(options...)
	r.name, r.kind = name, config.SpanKind()
	parent := trace.SpanContextFromContext(ctx)
	its := parent.WithSpanID(trace.SpanID{0xaa}).WithRemote(false)
	span := localSpan{nooptrace.Span{}, its}
	return trace.ContextWithSpan(ctx, span), span
}

type localSpan struct {
	nooptrace.Span
	its trace.SpanContext
}

func (s localSpan) SpanContext() trace.SpanContext { return s.its }
