// Drives one call: carries events and controls between a stream and the call machine, and runs the handler in between.

package agibridge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	pb "github.com/agi-bridge/agi-bridge/clients/go/internal/agibridgev1"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/status"
)

const (
	// stuckAfter is how long a cancelled handler may take before it is left to itself.
	stuckAfter = 5 * time.Second
	// flushTimeout is how long what was sent before the end may take to be written.
	flushTimeout = 5 * time.Second

	spanName = "agibridge.v1.CallService/HandleCall"
)

// callStream is the stream of one call. Recv and Send are each called by one goroutine.
type callStream interface {
	Recv() (*pb.CallEvent, error)
	Send(*pb.CallControl) error
}

// driver is what all calls of a server, worker or fake have in common.
type driver struct {
	handler Handler
	cleanup time.Duration
	stuck   time.Duration
	log     *slog.Logger
}

// drive runs a call until the service's side of its stream is to be closed, and says how. The stream must end soon after
// that. ctx has the values for the handler; that it ends does not end the handler. done is called when the handler is over
// too, or left to itself. A machine is given, so that others can release the call.
func (d *driver) drive(ctx context.Context, m *machine, stream callStream, done func()) closing {
	go d.read(ctx, m, stream, done)
	written := make(chan closing, 1)
	go func() { written <- write(m, stream) }()
	select {
	case how := <-written:
		return how
	case <-m.over:
	}
	select {
	case how := <-written:
		return how
	case <-time.After(flushTimeout):
		_, how := m.take()
		return *how
	}
}

// read gives the events to the machine until the stream ends.
func (d *driver) read(ctx context.Context, m *machine, stream callStream, done func()) {
	running := false
	for {
		event, err := stream.Recv()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = errors.New("it ended without `ended`")
			}
			m.lose(err)
			break
		}
		if m.handle(event) {
			running = true
			go d.run(ctx, m, done)
		}
	}
	if !running {
		done()
	}
}

// write sends the machine's controls until the service's side is to be closed.
func write(m *machine, stream callStream) closing {
	for range m.wake {
		controls, how := m.take()
		for _, control := range controls {
			if stream.Send(control) != nil {
				<-m.over // the reader learns why, and says so
				_, how := m.take()
				return *how
			}
		}
		if how != nil {
			return *how
		}
	}
	panic("unreachable: wake is never closed")
}

// run runs the handler, and looks after it.
func (d *driver) run(ctx context.Context, m *machine, done func()) {
	defer done()
	call := newCall(m, m.started)
	log := m.log.With("call_id", call.ID, "route", call.Route)

	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	ctx = context.WithValue(ctx, callKey{}, m)
	attributes := []attribute.KeyValue{
		attribute.String("agibridge.call.id", call.ID),
		attribute.String("agibridge.route", call.Route),
		attribute.String("rpc.system.name", "grpc"),
	}
	if before := call.Resumption; before != nil {
		attributes = append(attributes, attribute.Int("agibridge.resumption.attempt", int(before.Attempt)))
	}
	// A worker's stream has no metadata of the call.
	ctx = traceParent.Extract(ctx, propagation.MapCarrier(m.started.GetTraceContext()))
	ctx, span := otel.Tracer("github.com/agi-bridge/agi-bridge/clients/go", trace.WithInstrumentationVersion(Version)).
		Start(ctx, spanName, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attributes...))

	over := make(chan struct{})
	go func() {
		defer close(over)
		err := errGoexit
		defer func() {
			text := ""
			failed := judge(ctx, log, err)
			if failed {
				text = "the handler failed: " + err.Error()
				span.SetStatus(codes.Error, err.Error())
			}
			span.End()
			m.leave(failed, text)
		}()
		err = d.handle(ctx, call, log)
	}()
	d.superviseUntil(over, m, cancel, log)
	cancel(errors.New("agibridge: the handler is over"))
}

// errGoexit is what a handler is taken to have returned whose goroutine ended in it, as by FailNow of package testing.
var errGoexit = errors.New("the handler's goroutine ended by runtime.Goexit")

// panicError is what a panicking handler is taken to have returned.
type panicError struct{ value any }

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

func (d *driver) handle(ctx context.Context, call *Call, log *slog.Logger) (err error) {
	defer func() {
		if value := recover(); value != nil {
			log.Error("agibridge: the handler panicked", "panic", fmt.Sprint(value), "stack", string(debug.Stack()))
			err = &panicError{value}
		}
	}()
	return d.handler(ctx, call)
}

// judge logs how the handler ended, and tells whether that was a failure.
func judge(ctx context.Context, log *slog.Logger, err error) bool {
	var panicked *panicError
	switch {
	case err == nil, errors.Is(err, ErrHungUp):
		return false
	case errors.Is(err, ErrNoInput):
		log.Info("agibridge: the handler ended without input", "error", err)
		return false
	case errors.As(err, &panicked):
		return true // logged with its stack
	case errors.Is(err, ErrCallLost):
		log.Info("agibridge: the handler ended with its stream", "error", err)
		return false
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		log.Info("agibridge: the handler ended when it was cancelled", "cause", context.Cause(ctx))
		return false
	default:
		log.Error("agibridge: the handler failed", "error", err)
		return true
	}
}

// superviseUntil cancels a handler that is still there after its time, and leaves it to itself when that does not help.
func (d *driver) superviseUntil(over <-chan struct{}, m *machine, cancel context.CancelCauseFunc, log *slog.Logger) {
	hungUp, told, ended := m.hungUp, m.told, m.over
	var timer <-chan time.Time
	var cause error
	for cause == nil {
		select {
		case <-over:
			return
		case <-told:
			told, hungUp = nil, nil
			grace := d.cleanup
			m.mu.Lock()
			if its := m.hangup.GetGrace().AsDuration(); its > 0 {
				grace = its
			}
			m.mu.Unlock()
			timer = time.After(grace)
		case <-hungUp:
			// The bridge may say the grace in a moment, which counts then.
			hungUp = nil
			if timer == nil {
				timer = time.After(d.cleanup)
			}
		case <-ended:
			ended = nil
			if timer == nil {
				timer = time.After(d.cleanup)
			}
		case <-timer:
			cause = m.cancelCause()
		}
	}
	cancel(cause)
	select {
	case <-over:
	case <-time.After(d.stuck):
		log.Error("agibridge: the handler does not end, though its context was cancelled: it is left to itself. "+
			"Let everything it waits for end with ctx.Done()", "cause", cause)
		m.abandon()
	}
}

func (m *machine) cancelCause() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone && m.lost == nil {
		return &kindError{ErrHungUp, "the time after the hangup is over"}
	}
	return m.refusal("the handler")
}

// status is how a gRPC server closes its side. nil: OK.
func (c closing) status() error {
	const most = 1000 // headers are small
	text := c.text
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "")
	}
	return status.Error(c.code, text)
}
