// Call: what a handler gets, with the call's facts, its end, and what happens to it. The commands are in commands.go.

package agibridge

import (
	"context"
	"net/url"
	"time"

	pb "github.com/agi-bridge/agi-bridge/clients/go/internal/agibridgev1"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Handler drives one stream of a call. When it returns nil, ErrHungUp or ErrNoInput (also wrapped), the session ends and
// the dialplan goes on. After any other error, or a panic, the route of the bridge decides: another service resumes the
// call, or the dialplan learns that it failed.
//
// A hangup does not cancel ctx: it is cancelled when the bridge's grace after the hangup (10 s unless configured) is over,
// or CleanupTimeout after the session ended otherwise or the stream was lost. context.Cause(ctx) says why. A handler that
// is still there 5 s later is reported in the log, and left to itself.
type Handler func(ctx context.Context, call *Call) error

// Call is one call. Its fields are what was known when it came; do not change them. Its methods may be called from
// several goroutines, as long as the handler has not returned.
//
// Methods take the handler's context, or one made from it. To cancel the context takes a command back when it was not
// written to Asterisk yet; one that runs goes on there, and its result is dropped. A context of another call's handler is
// ErrMisuse.
type Call struct {
	// ID names the call in the logs, spans and metrics of the bridge, and does so over resumptions. A UUIDv7.
	ID string
	// Route is the name of the bridge's route.
	Route string
	// PathParameters are those of the route's path: `/ivr/{tenant}` gives "tenant".
	PathParameters map[string]string
	// Query is the query string of the AGI URL.
	Query url.Values
	// Arguments are agi_arg_1, agi_arg_2 and so on.
	Arguments []string
	// Channel is the caller's channel.
	Channel Channel
	// Environment has every agi_ line as Asterisk sent it, by its whole name, as "agi_uniqueid".
	Environment map[string]string
	// AcceptedAt is when Asterisk connected to the bridge.
	AcceptedAt time.Time
	// MaxQueuedCommands is how many commands may be unanswered at a time. Methods wait for room by themselves.
	MaxQueuedCommands int
	// Resumption is nil for a new call. Otherwise another service, or this one, had the call before.
	Resumption *Resumption

	machine  *machine
	progress progressListener
}

// Channel is the channel as Asterisk described it at the start. What Asterisk did not know is empty.
type Channel struct {
	// Name is as "PJSIP/3200-0000001a".
	Name string
	// UniqueID is Asterisk's unique id of it.
	UniqueID string
	// Type is the channel driver's, as "PJSIP" or "Local".
	Type           string
	Language       string
	CallerIDNumber string
	CallerIDName   string
	DialedNumber   string
	// RedirectingNumber is the number that redirected the call here (RDNIS).
	RedirectingNumber string
	Context           string
	Extension         string
	Priority          int32
	AccountCode       string
	AsteriskVersion   string
}

type callKey struct{}

func newCall(m *machine, started *pb.CallStarted) *Call {
	channel := started.GetChannel()
	call := &Call{
		ID:                started.GetCallId(),
		Route:             started.GetRoute(),
		PathParameters:    started.GetPathParameters(),
		Query:             url.Values{},
		Arguments:         started.GetArguments(),
		Environment:       started.GetEnvironment(),
		AcceptedAt:        started.GetAcceptedAt().AsTime(),
		MaxQueuedCommands: max(1, int(started.GetMaxQueuedCommands())),
		Channel: Channel{
			Name: channel.GetName(), UniqueID: channel.GetUniqueId(), Type: channel.GetType(),
			Language: channel.GetLanguage(), CallerIDNumber: channel.GetCallerIdNumber(),
			CallerIDName: channel.GetCallerIdName(), DialedNumber: channel.GetDialedNumber(),
			RedirectingNumber: channel.GetRedirectingNumber(), Context: channel.GetContext(),
			Extension: channel.GetExtension(), Priority: channel.GetPriority(),
			AccountCode: channel.GetAccountCode(), AsteriskVersion: channel.GetAsteriskVersion(),
		},
		machine: m,
	}
	for _, parameter := range started.GetQueryParameters() {
		call.Query.Add(parameter.GetKey(), parameter.GetValue())
	}
	if before := started.GetResumption(); before != nil {
		call.Resumption = newResumption(call, before)
	}
	return call
}

// check says what forbids a method to a caller with this context.
func (c *Call) check(ctx context.Context, what string) error {
	if c == nil || c.machine == nil {
		return misuse("%s on a Call that no handler was given: only use the one that the handler gets", what)
	}
	if own, ok := ctx.Value(callKey{}).(*machine); ok && own != c.machine {
		return misuse("%s on the call of another handler: use the Call and the context that this handler was given, and keep no Call in a global", what)
	}
	return nil
}

// send puts commands behind those before, and waits while there is no room. What is not sent has its error set.
func (c *Call) send(ctx context.Context, batch ...*pending) error {
	err := c.sendAll(ctx, batch)
	if err == nil {
		return nil
	}
	m := c.machine
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range batch {
		if !p.sent && p.err == nil {
			p.err = err
			close(p.done)
		}
	}
	return err
}

func (c *Call) sendAll(ctx context.Context, batch []*pending) error {
	m := c.machine
	if ctx.Err() != nil {
		return givenUp(ctx, batch[0].name())
	}
	traced := traceContext(ctx)
	interrupts := m.interruptions()
	select {
	case m.turn <- struct{}{}:
		defer func() { <-m.turn }()
	case <-ctx.Done():
		return givenUp(ctx, batch[0].name())
	}
	for _, p := range batch {
		p.command.TraceContext = traced
		for {
			sent, err := m.offer(p, interrupts)
			if err != nil {
				return err
			}
			if sent {
				break
			}
			select {
			case <-m.room:
			case <-m.over: // offer says why
			case <-ctx.Done():
				return givenUp(ctx, p.name())
			}
		}
	}
	return nil
}

// settle waits until a command is answered. An error: ctx ended before.
func (c *Call) settle(ctx context.Context, p *pending) error {
	for {
		select {
		case <-p.done:
			return nil
		case <-p.news:
			c.tellProgress(p)
		case <-ctx.Done():
			select {
			case <-p.done:
				return nil
			default:
				return givenUp(ctx, p.name())
			}
		}
	}
}

// wait gives the answer of a command, and takes the command back when ctx ends before.
func (c *Call) wait(ctx context.Context, p *pending) (*pb.CommandResult, error) {
	if err := c.settle(ctx, p); err != nil {
		c.machine.drop(p, true)
		return nil, err
	}
	return c.collect(p)
}

func (c *Call) collect(p *pending) (*pb.CommandResult, error) {
	c.tellProgress(p)
	result, err := c.machine.collect(p)
	if err != nil {
		return nil, err
	}
	if err := commandError(p.name, result, c.HungUp); err != nil {
		return nil, err
	}
	return result, nil
}

// commandError is the error that a result holds, if it does.
func commandError(name func() string, result *pb.CommandResult, hungUp func() bool) error {
	failed, ok := result.GetOutcome().(*pb.CommandResult_Error)
	if !ok {
		return nil
	}
	code := failed.Error.GetCode()
	gone := code == pb.CommandError_CODE_CALL_ENDED && (result.GetHungUp() || hungUp())
	if code == pb.CommandError_CODE_HUNG_UP || gone {
		return hungUpError(name())
	}
	return &CommandError{Code(code), failed.Error.GetDetail(), name()}
}

func givenUp(ctx context.Context, command string) error {
	return &givenUpError{command, ctx.Err(), context.Cause(ctx)}
}

// run sends one command and gives its typed result.
func run[T Result](ctx context.Context, c *Call, command *pb.Command) (T, error) {
	var zero T
	p := newPending(command)
	if err := c.check(ctx, p.name()); err != nil {
		return zero, err
	}
	if err := c.send(ctx, p); err != nil {
		return zero, err
	}
	result, err := c.wait(ctx, p)
	if err != nil {
		return zero, err
	}
	return resultAs[T](p.name(), result)
}

// do is run for a command that only succeeds or fails.
func do(ctx context.Context, c *Call, command *pb.Command) error {
	_, err := run[Done](ctx, c, command)
	return err
}

var w3c = propagation.TraceContext{}

// traceContext is the context of the active span of this program: the command's span becomes its child.
func traceContext(ctx context.Context) map[string]string {
	span := trace.SpanContextFromContext(ctx)
	// A remote one is the bridge's own: no tracer is set up here.
	if !span.IsValid() || span.IsRemote() {
		return nil
	}
	carrier := propagation.MapCarrier{}
	w3c.Inject(ctx, carrier)
	return carrier
}
