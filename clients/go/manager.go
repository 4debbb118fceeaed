// Manager: a client of the manager (AMI) of each Asterisk that the bridge has a link to. Its events are in watch.go, what is
// asked and answered in managermessages.go.

package agibridge

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"sync"
	"time"

	pb "github.com/agi-bridge/agi-bridge/clients/go/internal/agibridgev1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// connectTimeout is how long an attempt to connect may take.
	connectTimeout = 5 * time.Second
	// triesMax is how often a request is sent that may be repeated: with the pauses, half a minute of a bridge that is away.
	triesMax = 10
)

// Manager asks the Asterisk servers of a bridge's `managers`: it starts calls, sends actions and hears events. What it may do is
// granted in the bridge's `api.clients`. It may be used by several goroutines, and is closed by Close.
type Manager struct {
	*settings
	client     pb.ManagerServiceClient
	connection *grpc.ClientConn
	pause      time.Duration // the first one

	mu      sync.Mutex
	closed  bool
	stop    chan struct{} // closed by Close
	watches sync.WaitGroup
}

// NewManager makes a client of the bridge at address, "host:port", that of its `api.listen`. It connects when it is first
// used, and again when the connection was lost. Options: Token, TLS and Logger.
func NewManager(address string, options ...ManagerOption) (*Manager, error) {
	its := newSettings(0)
	for _, option := range options {
		if option != nil {
			option.forManager(its)
		}
	}
	places, err := parsePlaces(address)
	switch {
	case err != nil:
		return nil, err
	case len(places) != 1:
		return nil, misuse("%q are several bridges: a Manager has one", address)
	}
	between := backoff.Config{BaseDelay: pauseMin, Multiplier: 2, Jitter: 0.5, MaxDelay: pauseMax}
	connection, err := grpc.NewClient("dns:///"+net.JoinHostPort(places[0].host, places[0].port), append(its.dialOptions(),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: between, MinConnectTimeout: connectTimeout}))...)
	if err != nil {
		return nil, misuse("%q is no address of a bridge: %s", address, err)
	}
	return &Manager{
		settings: its, client: pb.NewManagerServiceClient(connection), connection: connection, pause: pauseMin,
		stop: make(chan struct{}),
	}, nil
}

// Close ends every Watch, waits for their handlers, and closes the connection: requests that still run fail. It must not be
// called by the handler of a Watch.
func (m *Manager) Close() error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil
	}
	m.closed = true
	close(m.stop)
	m.mu.Unlock()
	m.watches.Wait()
	return m.connection.Close()
}

func (m *Manager) usable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return misuse("the Manager is closed: make another one")
	}
	return nil
}

// Originate starts a call, and returns once its fate is known, or, with DontWait, once Asterisk took it or refused it. That
// nobody answered, or that Asterisk refused it, is an Outcome and no error.
//
// Without a RequestID it makes one. So it asks again by itself for about half a minute while the bridge is not to be had
// (ManagerUnavailable), and the call is dialled once all the same. Repeat the returned RequestID, within an hour, to learn what
// became of a call whose Outcome is OutcomeUnknown, or that failed with an error; it is set then too. To end ctx does not end
// the call.
func (m *Manager) Originate(ctx context.Context, call Originate) (Originated, error) {
	if call.RequestID == "" {
		call.RequestID = newRequestID()
	}
	originated := Originated{RequestID: call.RequestID}
	request, err := call.message()
	if err != nil {
		return originated, err
	}
	err = m.retrying(ctx, "Originate", func(ctx context.Context) error {
		answer, err := m.client.Originate(ctx, request)
		if err == nil {
			originated = originatedFrom(answer, call.RequestID)
		}
		return err
	})
	return originated, err
}

// SendAction sends an action, and collects the list or the output that belongs to its answer. That Asterisk refused it is an
// answer, whose Success is false. It is never sent twice: ManagerUnavailable says that nothing was sent, or that the connection to
// the bridge broke meanwhile.
func (m *Manager) SendAction(ctx context.Context, action Action) (ActionResponse, error) {
	if err := m.usable(ctx); err != nil {
		return ActionResponse{}, err
	}
	answer, err := m.client.SendAction(m.asking(ctx), action.message())
	if err != nil {
		return ActionResponse{}, managerError(ctx, "SendAction "+action.Name, err)
	}
	return actionResponseFrom(answer), nil
}

// ListServers tells the Asterisk servers that this client may use, and the state of the bridge's link to each.
func (m *Manager) ListServers(ctx context.Context) ([]ServerState, error) {
	var servers []ServerState
	err := m.retrying(ctx, "ListServers", func(ctx context.Context) error {
		answer, err := m.client.ListServers(ctx, &pb.ListServersRequest{})
		if err == nil {
			servers = mapped(answer.GetServers(), serverStateFrom)
		}
		return err
	})
	return servers, err
}

// retrying asks again while the bridge is not to be had.
func (m *Manager) retrying(ctx context.Context, method string, ask func(context.Context) error) error {
	pause := m.pause
	for try := 1; ; try++ {
		if err := m.usable(ctx); err != nil {
			return err
		}
		err := ask(m.asking(ctx))
		if err == nil {
			return nil
		}
		if status.Code(err) != codes.Unavailable || try == triesMax || !m.sleep(ctx, jittered(pause)) {
			return managerError(ctx, method, err)
		}
		pause = longer(pause)
	}
}

// asking shows the token, and the active span, of which the request's becomes a child.
func (m *Manager) asking(ctx context.Context) context.Context {
	var pairs []string
	for key, value := range traceContext(ctx) {
		pairs = append(pairs, key, value)
	}
	return showing(ctx, m.token, pairs...)
}

// sleep tells whether it slept to the end.
func (m *Manager) sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-m.stop:
	}
	return false
}

// newRequestID makes a UUID, version 4.
func newRequestID() string {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}
