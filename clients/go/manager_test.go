// The manager client, with a bridge that it dials over loopback.

package agibridge

import (
	"context"
	"errors"
	"net"
	"regexp"
	"slices"
	"testing"
	"time"

	pb "github.com/agi-bridge/agi-bridge/clients/go/internal/agibridgev1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

type watchSide = grpc.ServerStreamingServer[pb.WatchEventsResponse]

// managers is a bridge's side. Its tests say what it answers.
type managers struct {
	pb.UnimplementedManagerServiceServer

	originate func(context.Context, *pb.OriginateRequest) (*pb.OriginateResponse, error)
	send      func(*pb.SendActionRequest) (*pb.SendActionResponse, error)
	list      func() (*pb.ListServersResponse, error)
	watch     func(*pb.WatchEventsRequest, watchSide) error
}

func (b *managers) Originate(ctx context.Context, it *pb.OriginateRequest) (*pb.OriginateResponse, error) {
	return b.originate(ctx, it)
}

func (b *managers) SendAction(_ context.Context, it *pb.SendActionRequest) (*pb.SendActionResponse, error) {
	return b.send(it)
}

func (b *managers) ListServers(context.Context, *pb.ListServersRequest) (*pb.ListServersResponse, error) {
	return b.list()
}

func (b *managers) WatchEvents(it *pb.WatchEventsRequest, stream watchSide) error {
	return b.watch(it, stream)
}

func (b *managers) dialled(t *testing.T, options ...ManagerOption) *Manager {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	pb.RegisterManagerServiceServer(server, b)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	manager, err := NewManager(listener.Addr().String(), append(options, quietly())...)
	if err != nil {
		t.Fatal(err)
	}
	manager.pause = time.Millisecond
	t.Cleanup(func() { _ = manager.Close() })
	return manager
}

func told(t *testing.T, stream watchSide, items ...*pb.WatchEventsResponse) {
	t.Helper()
	for _, it := range items {
		if err := stream.Send(it); err != nil {
			t.Error(err)
		}
	}
}

func anEvent(name string) *pb.WatchEventsResponse {
	event := &pb.ManagerEvent{Server: "pbx1", Name: name, Headers: []*pb.Header{{Key: "Channel", Value: "PJSIP/1"}}}
	return &pb.WatchEventsResponse{Item: &pb.WatchEventsResponse_Event{Event: event}}
}

func aState(connected bool) *pb.WatchEventsResponse {
	state := &pb.ServerState{Server: "pbx1", Connected: connected}
	return &pb.WatchEventsResponse{Item: &pb.WatchEventsResponse_ServerState{ServerState: state}}
}

func aCall() Originate {
	return Originate{Channel: "PJSIP/1", Destination: Extension{Context: "internal", Extension: "100"}}
}

func TestAnOriginateIsAskedAgainByTheSameIDWhileTheBridgeIsAway(t *testing.T) {
	var asked []*pb.OriginateRequest
	var shown metadata.MD
	manager := (&managers{originate: func(ctx context.Context, it *pb.OriginateRequest) (*pb.OriginateResponse, error) {
		asked = append(asked, it)
		if len(asked) < 3 {
			return nil, status.Error(codes.Unavailable, "the bridge stops")
		}
		shown, _ = metadata.FromIncomingContext(ctx)
		return &pb.OriginateResponse{
			Outcome: pb.OriginateResponse_OUTCOME_BUSY, Channel: "PJSIP/1-1", UniqueId: "u", Detail: "user busy",
		}, nil
	}}).dialled(t, Token("s3cret"))
	call := aCall()
	call.RingTimeout, call.Variables = 20*time.Second, map[string]string{"A": "1"}
	got, err := manager.Originate(t.Context(), call)
	want := Originated{OutcomeBusy, "PJSIP/1-1", "u", "user busy", asked[0].GetRequestId()}
	if err != nil || got != want || got.Outcome.String() != "BUSY" {
		t.Error(got, err)
	}
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	if len(asked) != 3 || !uuid.MatchString(got.RequestID) || asked[2].GetRequestId() != got.RequestID {
		t.Error(asked)
	}
	last := asked[2]
	if !last.GetWaitForOutcome() || last.GetDialplan().GetExtension() != "100" || last.GetVariables()["A"] != "1" ||
		last.GetRingTimeout().AsDuration() != call.RingTimeout {
		t.Error(last)
	}
	if shown.Get("authorization")[0] != "Bearer s3cret" {
		t.Error(shown)
	}
}

func TestTheIDOfACallThatFailedIsToldAndTheProgramsOwnIsKept(t *testing.T) {
	manager := (&managers{originate: func(_ context.Context, it *pb.OriginateRequest) (*pb.OriginateResponse, error) {
		if it.GetWaitForOutcome() {
			t.Error("it waits")
		}
		return nil, status.Error(codes.AlreadyExists, "another call")
	}}).dialled(t)
	call := aCall()
	call.RequestID, call.DontWait = "mine", true
	got, err := manager.Originate(t.Context(), call)
	var failed *ManagerError
	if !errors.As(err, &failed) || failed.Code != ManagerAlreadyExists || failed.Detail != "another call" || got.RequestID != "mine" {
		t.Error(got, err)
	}
}

func TestAnEndedContextEndsARequest(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	manager := (&managers{originate: func(context.Context, *pb.OriginateRequest) (*pb.OriginateResponse, error) {
		cancel()
		return nil, status.Error(codes.Unavailable, "the bridge stops")
	}}).dialled(t)
	manager.pause = time.Hour
	if _, err := manager.Originate(ctx, aCall()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := manager.ListServers(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestAnActionIsSentOnceWithItsHeadersInOrder(t *testing.T) {
	asked := 0
	manager := (&managers{send: func(it *pb.SendActionRequest) (*pb.SendActionResponse, error) {
		asked++
		if it.GetAction() == "Lost" {
			return nil, status.Error(codes.Unavailable, "the link is down")
		}
		if it.GetHeaders()[0].GetValue() != "a" || it.GetHeaders()[1].GetValue() != "b" {
			t.Error(it)
		}
		return &pb.SendActionResponse{
			Message: "no", Headers: []*pb.Header{{Key: "Ping", Value: "Pong"}}, Output: []string{"x"}, Truncated: true,
			Events: []*pb.ManagerEvent{{Name: "Status"}},
		}, nil
	}}).dialled(t)
	got, err := manager.SendAction(t.Context(), Action{Name: "Originate", Headers: Headers{{"Variable", "a"}, {"Variable", "b"}}})
	if err != nil || got.Success || got.Message != "no" || got.Headers.Get("pING") != "Pong" || !got.Truncated ||
		got.Output[0] != "x" || got.Events[0].Name != "Status" {
		t.Error(got, err)
	}
	asked = 0
	var failed *ManagerError
	if _, err := manager.SendAction(t.Context(), Action{Name: "Lost"}); !errors.As(err, &failed) ||
		failed.Code != ManagerUnavailable || asked != 1 {
		t.Error(err, asked)
	}
}

func TestServersAreListed(t *testing.T) {
	manager := (&managers{list: func() (*pb.ListServersResponse, error) {
		return &pb.ListServersResponse{Servers: []*pb.ServerState{{Server: "pbx1", AsteriskVersion: "22", Detail: "no connection"}}}, nil
	}}).dialled(t)
	got, err := manager.ListServers(t.Context())
	if err != nil || !slices.Equal(got, []ServerState{{"pbx1", false, "22", "no connection"}}) {
		t.Error(got, err)
	}
}

func TestAWatchComesBackAndTellsWhatIsMissing(t *testing.T) {
	streams := 0
	manager := (&managers{watch: func(it *pb.WatchEventsRequest, stream watchSide) error {
		streams++
		if it.GetNames()[0] != "*" || it.GetMatch()["Channel"] != "PJSIP/1" {
			t.Error(it)
		}
		switch streams {
		case 1:
			missed := &pb.WatchEventsResponse{Item: &pb.WatchEventsResponse_Missed{Missed: 3}}
			told(t, stream, aState(true), anEvent("Hangup"), missed)
			return nil
		case 2, 3:
			return status.Error(codes.Unavailable, "not yet")
		default:
			told(t, stream, aState(false), anEvent("Last"))
			<-stream.Context().Done()
			return nil
		}
	}}).dialled(t)
	ctx, cancel := context.WithCancel(t.Context())
	var heard []string
	watch := Watch{
		Names: []string{"*"}, Match: map[string]string{"Channel": "PJSIP/1"},
		Missed: func(n uint64) { heard = append(heard, "missed"[:n]) },
		State: func(it ServerState) {
			heard = append(heard, map[bool]string{true: "up", false: "down"}[it.Connected])
		},
		Lost: func(error) { heard = append(heard, "lost") },
	}
	err := manager.Watch(ctx, watch, func(event Event) error {
		heard = append(heard, event.Name+" "+event.Headers.Get("channel"))
		if event.Name == "Last" {
			cancel()
		}
		return nil
	})
	want := []string{"up", "Hangup PJSIP/1", "mis", "lost", "down", "Last PJSIP/1"}
	if err != nil || !slices.Equal(heard, want) {
		t.Error(heard, err)
	}
}

func TestAWatchEndsByWhatNoRetryCuresAndByItsHandlersError(t *testing.T) {
	code := codes.OK
	manager := (&managers{watch: func(_ *pb.WatchEventsRequest, stream watchSide) error {
		if code != codes.OK {
			return status.Error(code, "no")
		}
		told(t, stream, anEvent("Hangup"))
		<-stream.Context().Done()
		return nil
	}}).dialled(t)
	enough := errors.New("enough")
	handler := func(Event) error { return enough }
	if err := manager.Watch(t.Context(), Watch{}, handler); !errors.Is(err, enough) {
		t.Error(err)
	}
	for _, code = range []codes.Code{codes.PermissionDenied, codes.Unauthenticated, codes.NotFound, codes.ResourceExhausted} {
		var failed *ManagerError
		if err := manager.Watch(t.Context(), Watch{}, handler); !errors.As(err, &failed) || failed.Code != ManagerCode(code) {
			t.Error(code, err)
		}
	}
}

func TestCloseEndsWatchesAndRefusesWhatComesAfter(t *testing.T) {
	manager := (&managers{watch: func(_ *pb.WatchEventsRequest, stream watchSide) error {
		told(t, stream, anEvent("Hangup"))
		<-stream.Context().Done()
		return nil
	}}).dialled(t)
	heard, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- manager.Watch(t.Context(), Watch{}, func(Event) error {
			close(heard)
			return nil
		})
	}()
	<-heard
	if err := errors.Join(manager.Close(), manager.Close(), <-ended); err != nil {
		t.Error(err)
	}
	_, err := manager.ListServers(t.Context())
	for _, err := range []error{err, manager.Watch(t.Context(), Watch{}, func(Event) error { return nil })} {
		if !errors.Is(err, ErrMisuse) {
			t.Error(err)
		}
	}
}

func TestAManagerRefusesWhatCannotBeRight(t *testing.T) {
	for _, address := range []string{"bridge", "", "a:1,b:1"} {
		if _, err := NewManager(address); !errors.Is(err, ErrMisuse) {
			t.Error(address, err)
		}
	}
	manager := (&managers{}).dialled(t)
	if _, err := manager.Originate(t.Context(), Originate{Channel: "PJSIP/1"}); !errors.Is(err, ErrMisuse) {
		t.Error(err)
	}
}
