// Watch: the events of the manager, over as many streams as it takes.

package agibridge

import (
	"context"
	"errors"
	"io"

	pb "github.com/agi-bridge/agi-bridge/clients/go/internal/agibridgev1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Watch says which events are wanted, and who is told what else there is to know. All are told one after the other, in order.
type Watch struct {
	// Server is an Asterisk of the bridge's configuration; all that this client may use unless set.
	Server string
	// Names of events; "*" or none: every one that is granted.
	Names []string
	// Match has headers with the values that they must have.
	Match map[string]string
	// Missed is told how many events are missing here, because they were not handled fast enough.
	Missed func(events uint64)
	// State is told how the bridge's link to each Asterisk is at first, and whenever it was lost or is back: events may be
	// missing around that.
	State func(state ServerState)
	// Lost is told once when the stream from the bridge broke, or cannot be had: events are missing until State is told anew.
	Lost func(err error)
}

// Watch calls handler for each event until ctx or the Manager ends, and returns nil then. When the bridge goes away it asks
// again, with growing pauses (0.1 to 10 s). It returns the error of the handler, if there is one, or a ManagerError that no retry can
// cure. A handler that is slow misses events, and slows nobody else down.
func (m *Manager) Watch(ctx context.Context, watch Watch, handler func(event Event) error) error {
	if handler == nil {
		return misuse("Watch without a handler")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := m.beginWatch(); err != nil {
		return err
	}
	defer m.watches.Done()
	go func() {
		select {
		case <-m.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	w := &watcher{Watch: watch, handler: handler}
	return m.watch(ctx, w)
}

func (m *Manager) beginWatch() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return misuse("the Manager is closed: make another one")
	}
	m.watches.Add(1)
	return nil
}

type watcher struct {
	Watch
	handler func(Event) error

	began bool // a stream was there
	live  bool // one is there now
	away  bool // Lost was told
}

// handlerError is what the handler of a Watch returned.
type handlerError struct{ error }

func (m *Manager) watch(ctx context.Context, w *watcher) error {
	pause := m.pause
	for {
		w.live = false
		err := m.stream(ctx, w)
		var own handlerError
		switch {
		case errors.As(err, &own):
			return own.error
		case ctx.Err() != nil:
			return nil
		case incurable(status.Code(err), w.began):
			return managerError(ctx, "Watch", err)
		}
		if w.live {
			pause = m.pause
		}
		if !w.away {
			w.away = true
			err := managerError(ctx, "Watch", err)
			m.log.Warn("agibridge: the stream of events is lost; asking for it again", "error", err)
			if w.Lost != nil {
				w.Lost(err)
			}
		}
		if !m.sleep(ctx, jittered(pause)) {
			return nil
		}
		pause = longer(pause)
	}
}

// incurable tells whether to ask again would not help. Too many streams are one too few once the bridge has noticed that an
// old one is gone.
func incurable(code codes.Code, began bool) bool {
	switch code {
	case codes.InvalidArgument, codes.Unauthenticated, codes.PermissionDenied, codes.NotFound, codes.Unimplemented:
		return true
	case codes.ResourceExhausted:
		return !began
	default:
		return false
	}
}

// stream is one stream of events, until its error.
func (m *Manager) stream(ctx context.Context, w *watcher) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events, err := m.client.WatchEvents(m.asking(ctx), &pb.WatchEventsRequest{Server: w.Server, Names: w.Names, Match: w.Match})
	for err == nil {
		err = w.next(ctx, events)
	}
	if errors.Is(err, io.EOF) {
		return status.Error(codes.Unavailable, "the bridge closed the stream")
	}
	return err
}

func (w *watcher) next(ctx context.Context, events grpc.ServerStreamingClient[pb.WatchEventsResponse]) error {
	told, err := events.Recv()
	if err == nil {
		// What had come before the end is not told after it.
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	w.began, w.live, w.away = true, true, false
	switch it := told.GetItem().(type) {
	case *pb.WatchEventsResponse_Event:
		if err := w.handler(eventFrom(it.Event)); err != nil {
			return handlerError{err}
		}
	case *pb.WatchEventsResponse_Missed:
		if w.Missed != nil {
			w.Missed(it.Missed)
		}
	case *pb.WatchEventsResponse_ServerState:
		if w.State != nil {
			w.State(serverStateFrom(it.ServerState))
		}
	default:
		// Of a newer contract.
	}
	return nil
}
