// Package agibridgetest runs a handler without network: results are scripted by command, or default to success, and what
// the handler sent is there to be asserted on. It is agibridge's own call machine with the stream in memory, so order,
// hangup and errors are the real ones.
//
//	fake := agibridgetest.New()
//	fake.Reply("GET DATA", agibridge.Digits{Digits: "1234"})
//	outcome := fake.Run(t.Context(), handler)
//	if outcome.Err != nil || outcome.Variables["PIN"] != "1234" { … }
package agibridgetest

import (
	"context"
	"log/slog"
	"net/url"
	"sync"
	"time"

	agibridge "github.com/agi-bridge/agi-bridge/clients/go"
	pb "github.com/agi-bridge/agi-bridge/clients/go/internal/agibridgev1"
	"github.com/agi-bridge/agi-bridge/clients/go/internal/hook"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Fake is a bridge, an Asterisk and a caller for one call. Its fields are what the handler finds in the Call. Set it up
// before Run; commands are named as Asterisk has them, as "GET DATA".
type Fake struct {
	ID             string
	Route          string
	PathParameters map[string]string
	Query          url.Values
	Arguments      []string
	Channel        agibridge.Channel
	Environment    map[string]string
	// MaxQueuedCommands is 32 unless set.
	MaxQueuedCommands int
	// Resumption is nil for a new call. The result of its Running is scripted as for a command that the handler sends.
	Resumption *agibridge.Resumption
	// Grace is what a handler has after the hangup before it is cancelled; 10 s unless set.
	Grace time.Duration
	// CleanupTimeout is what it has after the session ended otherwise; 10 s unless set.
	CleanupTimeout time.Duration
	// Log is where agibridge logs; nowhere unless set.
	Log *slog.Logger

	replies     map[string][]reply
	progress    map[string][]string
	hangUpAt    map[string]bool
	holds       map[string]int
	pressed     string
	pressAt     map[string][]string
	hangUpAfter int
	drainAfter  int
	loseAfter   int
}

type reply struct {
	result agibridge.Result
	failed *pb.CommandError
}

// New gives a call from 100 to extension s, on a channel that is up.
func New() *Fake {
	return &Fake{
		ID: "01900000-0000-7000-8000-000000000000", Route: "test", Query: url.Values{},
		Channel: agibridge.Channel{
			Name: "Fake/100-00000001", UniqueID: "1700000000.1", Type: "Fake", Language: "en", CallerIDNumber: "100",
			Context: "default", Extension: "s", Priority: 1, AsteriskVersion: "22",
		},
		MaxQueuedCommands: 32, Grace: 10 * time.Second, CleanupTimeout: 10 * time.Second, Log: slog.New(slog.DiscardHandler),
		replies: map[string][]reply{}, progress: map[string][]string{}, hangUpAt: map[string]bool{}, holds: map[string]int{}, pressAt: map[string][]string{},
		hangUpAfter: -1, drainAfter: -1, loseAfter: -1,
	}
}

// Reply gives results to the next uses of a command, one each. After them, and without them, it succeeds: with nothing
// pressed, no variable set, a channel that is up.
func (f *Fake) Reply(command string, results ...agibridge.Result) *Fake {
	for _, result := range results {
		f.replies[command] = append(f.replies[command], reply{result: result})
	}
	return f
}

// Fail has the next use of a command, behind those of Reply, fail.
func (f *Fake) Fail(command string, code agibridge.Code, detail string) *Fake {
	failed := &pb.CommandError{Code: pb.CommandError_Code(code), Detail: detail}
	f.replies[command] = append(f.replies[command], reply{failed: failed})
	return f
}

// Progress is told before the next result of a command.
func (f *Fake) Progress(command, text string) *Fake {
	f.progress[command] = append(f.progress[command], text)
	return f
}

// Press has the caller press keys as the call begins. They come by NextDigit and TakeDigits; what a command gives is said by Reply.
func (f *Fake) Press(digits string) *Fake {
	f.pressed += digits
	return f
}

// PressAt has the caller press keys during the next use of a command.
func (f *Fake) PressAt(command, digits string) *Fake {
	f.pressAt[command] = append(f.pressAt[command], digits)
	return f
}

// Hold has the next use of a command run until Interrupt stops it; its result is then that of Reply, if there is one. One that no bridge can stop, as EXEC, runs until the session's end.
func (f *Fake) Hold(command string) *Fake {
	f.holds[command]++
	return f
}

// HangUpAt has the caller hang up during the next use of a command.
func (f *Fake) HangUpAt(command string) *Fake {
	f.hangUpAt[command] = true
	return f
}

// HangUpAfter has the caller hang up once n commands were answered; 0 is at the start.
func (f *Fake) HangUpAfter(n int) *Fake {
	f.hangUpAfter = n
	return f
}

// DrainAfter has the bridge drain once n commands were answered.
func (f *Fake) DrainAfter(n int) *Fake {
	f.drainAfter = n
	return f
}

// LoseAfter breaks the stream once n commands were answered.
func (f *Fake) LoseAfter(n int) *Fake {
	f.loseAfter = n
	return f
}

// Outcome is what a handler did.
type Outcome struct {
	// Err is what the handler returned.
	Err error
	// Commands are those that it sent, in order.
	Commands []Command
	// Variables are those of End.
	Variables map[string]string
	// Next is how the call goes on: one of the constants of this package.
	Next Next
	// Reason is that of ThenFail or Release, or the text of a failed handler.
	Reason string
	// Goto is "context,extension,priority" of ThenGoto.
	Goto string
	// Handoff is the route that has the call now, and HandoffState what it was given.
	Handoff      string
	HandoffState []byte
	// Checkpoints are the states, in order.
	Checkpoints [][]byte
	// HungUp tells whether the caller hung up.
	HungUp bool
}

// Next says how a call goes on after its handler.
type Next string

// How a call goes on.
const (
	// Continue: the dialplan goes on.
	Continue Next = "continue"
	// Fail: the dialplan goes on with a failure: ThenFail.
	Fail Next = "fail"
	// Goto: the dialplan goes on elsewhere: ThenGoto.
	Goto Next = "goto"
	// HangUp: the channel is hung up: ThenHangUp.
	HangUp Next = "hang up"
	// HandedOff: another route has it.
	HandedOff Next = "handed off"
	// Released: another instance takes it.
	Released Next = "released"
	// Failed: the handler returned an error or panicked; the route decides.
	Failed Next = "failed"
	// Lost: the stream broke.
	Lost Next = "lost"
)

// Sent gives the commands as text, as `GET DATA file=enter-pin max_digits=4`.
func (o *Outcome) Sent() []string {
	texts := make([]string, 0, len(o.Commands))
	for _, command := range o.Commands {
		texts = append(texts, command.String())
	}
	return texts
}

// Run runs the handler to its end. When ctx ends before, the stream breaks.
func (f *Fake) Run(ctx context.Context, handler agibridge.Handler) *Outcome {
	s := newStream(ctx, f)
	var mu sync.Mutex
	var returned error
	wrapped := agibridge.Handler(func(ctx context.Context, call *agibridge.Call) error {
		err := handler(ctx, call)
		mu.Lock()
		defer mu.Unlock()
		returned = err
		return err
	})
	over := make(chan struct{})
	settings := hook.Settings{Cleanup: f.CleanupTimeout, Log: f.Log}
	code, text := hook.Drive(ctx, wrapped, s, settings, func() { close(over) })
	s.close()
	<-over
	outcome := s.outcome()
	switch code {
	case codes.OK:
	case codes.Unavailable:
		outcome.Next, outcome.Reason = Released, text
	default:
		outcome.Next, outcome.Reason = Failed, text
	}
	mu.Lock()
	defer mu.Unlock()
	outcome.Err = returned
	return outcome
}

func (f *Fake) started() *pb.CallStarted {
	channel := f.Channel
	started := &pb.CallStarted{
		CallId: f.ID, Route: f.Route, PathParameters: f.PathParameters, Arguments: f.Arguments, Environment: f.Environment,
		AcceptedAt: timestamppb.Now(), MaxQueuedCommands: uint32(max(1, f.MaxQueuedCommands)),
		Channel: &pb.Channel{
			Name: channel.Name, UniqueId: channel.UniqueID, Type: channel.Type, Language: channel.Language,
			CallerIdNumber: channel.CallerIDNumber, CallerIdName: channel.CallerIDName, DialedNumber: channel.DialedNumber,
			RedirectingNumber: channel.RedirectingNumber, Context: channel.Context, Extension: channel.Extension,
			Priority: channel.Priority, AccountCode: channel.AccountCode, AsteriskVersion: channel.AsteriskVersion,
		},
	}
	for key, values := range f.Query {
		for _, value := range values {
			started.QueryParameters = append(started.QueryParameters, &pb.QueryParameter{Key: key, Value: value})
		}
	}
	if before := f.Resumption; before != nil {
		started.Resumption = &pb.Resumption{
			Cause: pb.Resumption_Cause(before.Cause), Attempt: before.Attempt, Checkpoint: before.Checkpoint,
			ResultsTruncated: before.ResultsTruncated, HungUp: before.HungUp, LastCommandId: before.LastCommandID,
		}
		for _, past := range before.Results {
			started.Resumption.Results = append(started.Resumption.Results, pastMessage(past))
		}
		if before.Running != nil {
			started.Resumption.Running = commandNamed(before.Running.Command)
			started.Resumption.Running.Id = before.Running.CommandID
		}
	}
	return started
}
