// What happens to a call besides commands: hangup, draining, checkpoints, handoff and the end.

package agibridge

import (
	"context"
	"sync"
	"time"

	pb "github.com/agi-bridge/agi-bridge/clients/go/internal/agibridgev1"
)

// Hangup is what the bridge told of the caller's hangup.
type Hangup struct {
	Source HangupSource
	// Grace is how long the handler had from then on. Zero: Asterisk closed the connection, and no command runs any more.
	Grace time.Duration
}

// HangupSource says how the bridge knows of a hangup. A number of a newer bridge is kept.
type HangupSource int32

// How the bridge knows of a hangup.
const (
	// HangupSignal: Asterisk wrote HANGUP.
	HangupSignal = HangupSource(pb.Hangup_SOURCE_SIGNAL)
	// HangupReply: a reply said so.
	HangupReply = HangupSource(pb.Hangup_SOURCE_REPLY)
	// HangupConnection: Asterisk closed the connection.
	HangupConnection = HangupSource(pb.Hangup_SOURCE_CONNECTION)
	// HangupService: the service's own HangUp.
	HangupService = HangupSource(pb.Hangup_SOURCE_SERVICE)
)

// String gives the contract's name, as SIGNAL.
func (s HangupSource) String() string { return enumName(pb.Hangup_Source_name, int32(s), "SOURCE_") }

// Ended is how a session ended.
type Ended struct {
	Reason EndReason
	// Detail is for people.
	Detail string
	// Duration is that of the whole session.
	Duration time.Duration
	// Commands is how many of the service were written to Asterisk.
	Commands uint32
}

// EndReason says why a session ended. A number of a newer bridge is kept.
type EndReason int32

// Why a session ended.
const (
	// EndedByService: the handler ended it.
	EndedByService = EndReason(pb.CallEnded_REASON_SERVICE)
	// EndedByHangup: the caller hung up.
	EndedByHangup = EndReason(pb.CallEnded_REASON_HANGUP)
	// EndedByHandoff: another route has the call.
	EndedByHandoff = EndReason(pb.CallEnded_REASON_HANDOFF)
	// EndedByConnectionLost: Asterisk's connection broke with no hangup seen.
	EndedByConnectionLost = EndReason(pb.CallEnded_REASON_CONNECTION_LOST)
	// EndedByProtocolError: replies could no longer be matched to commands, or the service broke the contract.
	EndedByProtocolError = EndReason(pb.CallEnded_REASON_PROTOCOL_ERROR)
	// EndedByDrain: the deadline of the bridge's drain passed.
	EndedByDrain = EndReason(pb.CallEnded_REASON_DRAINED)
	// EndedByLimit: a limit of the bridge was reached.
	EndedByLimit = EndReason(pb.CallEnded_REASON_LIMIT)
	// EndedByOperator: an operator ended it.
	EndedByOperator = EndReason(pb.CallEnded_REASON_OPERATOR)
)

// String gives the contract's name, as HANGUP.
func (r EndReason) String() string { return enumName(pb.CallEnded_Reason_name, int32(r), "REASON_") }

// HungUp tells whether the caller is gone.
func (c *Call) HungUp() bool {
	select {
	case <-c.machine.hungUp:
		return true
	default:
		return false
	}
}

// HangupSignal is closed once the caller is gone, for a select of who waits for something else.
func (c *Call) HangupSignal() <-chan struct{} { return c.machine.hungUp }

// Hangup gives what the bridge told of the hangup. False: nothing yet, or only the service before was told.
func (c *Call) Hangup() (Hangup, bool) {
	c.machine.mu.Lock()
	defer c.machine.mu.Unlock()
	hangup := c.machine.hangup
	if hangup == nil {
		return Hangup{}, false
	}
	return Hangup{HangupSource(hangup.GetSource()), hangup.GetGrace().AsDuration()}, true
}

// Draining tells whether the bridge would like the call to end, and by when. Nothing is cut before that.
func (c *Call) Draining() (deadline time.Time, draining bool) {
	c.machine.mu.Lock()
	defer c.machine.mu.Unlock()
	if c.machine.drain == nil {
		return time.Time{}, false
	}
	return c.machine.drain.GetDeadline().AsTime(), true
}

// DrainingSignal is closed once the bridge drains.
func (c *Call) DrainingSignal() <-chan struct{} { return c.machine.draining }

// Ended gives how the session ended. False: it has not, or the stream was lost or released before.
func (c *Call) Ended() (Ended, bool) {
	c.machine.mu.Lock()
	defer c.machine.mu.Unlock()
	ended := c.machine.ended
	if ended == nil {
		return Ended{}, false
	}
	return Ended{EndReason(ended.GetReason()), ended.GetDetail(), ended.GetDuration().AsDuration(), ended.GetCommands()}, true
}

// OverSignal is closed once nothing more comes from the bridge: the session has ended (Ended tells how), or the stream was
// lost or released. It may be used after the handler has returned.
func (c *Call) OverSignal() <-chan struct{} { return c.machine.over }

// Checkpoint keeps state for whoever resumes the call: at most 64 KiB unless the route says otherwise; more ends the call.
// It takes the place of the one before, accounts for every result that this handler has received, and is not waited for:
// send it before the commands that follow from it.
func (c *Call) Checkpoint(ctx context.Context, state []byte) error {
	if err := c.check(ctx, "checkpoint"); err != nil {
		return err
	}
	return c.machine.checkpoint(state)
}

// Release gives the call to another instance of the service, with the last checkpoint. The handler returns after it.
// When nobody takes the call, the route's `then` decides.
func (c *Call) Release(ctx context.Context, reason string) error {
	if err := c.check(ctx, "release"); err != nil {
		return err
	}
	return c.machine.release(reason, true)
}

// Handoff gives the call to another route, by its name, or by a path as "/sales/eu?lang=de", at once: commands that
// were not written are taken back. state, at most 64 KiB unless the route says otherwise, is the checkpoint that the
// other service finds; nil is none. It returns nil when the call is with the other route; the handler returns after it.
// When there is no such route, the call ends, which is the error here too.
func (c *Call) Handoff(ctx context.Context, route string, state []byte) error {
	if err := c.check(ctx, "handoff"); err != nil {
		return err
	}
	if err := c.machine.askHandoff(&pb.Handoff{Route: route, State: state}); err != nil {
		return err
	}
	ended, err := c.awaitEnd(ctx, "handoff")
	if err != nil || ended.Reason == EndedByHandoff {
		return err
	}
	c.machine.mu.Lock()
	defer c.machine.mu.Unlock()
	return c.machine.refusal("handoff")
}

// EndOption says how a session ends.
type EndOption interface{ end(*ending) }

type ending struct {
	call  *pb.EndCall
	nexts int
}

type endOption func(*ending)

func (o endOption) end(it *ending) { o(it) }

// WithVariable sets a channel variable, or a function as CDR(userfield), before the session ends.
func WithVariable(name, value string) EndOption {
	return endOption(func(it *ending) {
		if it.call.Variables == nil {
			it.call.Variables = map[string]string{}
		}
		it.call.Variables[name] = value
	})
}

// ThenGoto lets the dialplan go on at context, extension, priority.
func ThenGoto(context, extension string, priority int32) EndOption {
	return endOption(func(it *ending) {
		next := &pb.GotoDialplan{Context: context, Extension: extension, Priority: priority}
		it.call.Next, it.nexts = &pb.EndCall_GotoDialplan{GotoDialplan: next}, it.nexts+1
	})
}

// ThenHangUp hangs the channel up.
func ThenHangUp() EndOption {
	return endOption(func(it *ending) {
		it.call.Next, it.nexts = &pb.EndCall_HangUp{HangUp: &pb.HangupChannel{}}, it.nexts+1
	})
}

// ThenFail lets the dialplan go on with AGISTATUS=FAILURE, and the reason in AGIBRIDGE_REASON.
func ThenFail(reason string) EndOption {
	return endOption(func(it *ending) {
		it.call.Next, it.nexts = &pb.EndCall_FailDialplan{FailDialplan: &pb.FailDialplan{Reason: reason}}, it.nexts+1
	})
}

// End ends the session once the commands before it have run, and returns when it has ended. Without a Then option the
// dialplan goes on with AGISTATUS=SUCCESS, as when the handler returns. A session that had ended before is no error: the
// result tells the reason.
func (c *Call) End(ctx context.Context, options ...EndOption) (Ended, error) {
	if err := c.check(ctx, "end"); err != nil {
		return Ended{}, err
	}
	how := ending{call: &pb.EndCall{}}
	for _, option := range options {
		if option != nil {
			option.end(&how)
		}
	}
	if how.nexts > 1 {
		return Ended{}, misuse("end with more than one of ThenGoto, ThenHangUp and ThenFail: choose one")
	}
	if err := c.machine.askEnd(how.call); err != nil {
		return Ended{}, err
	}
	return c.awaitEnd(ctx, "end")
}

func (c *Call) awaitEnd(ctx context.Context, what string) (Ended, error) {
	select {
	case <-c.machine.over:
	case <-ctx.Done():
		return Ended{}, givenUp(ctx, what)
	}
	if ended, ok := c.Ended(); ok {
		return ended, nil
	}
	c.machine.mu.Lock()
	defer c.machine.mu.Unlock()
	return Ended{}, c.machine.lost
}

// Progress is what Asterisk said of a command before its result, as GOSUB does.
type Progress struct {
	CommandID uint32
	// Command is the name of the AGI command, as "GOSUB".
	Command string
	Text    string
}

type progressListener struct {
	mu   sync.Mutex
	tell func(Progress)
}

// OnProgress has tell called for the progress of this call's commands, by the goroutine that waits for the command, before
// the command returns. The newest tell counts.
func (c *Call) OnProgress(tell func(Progress)) {
	c.progress.mu.Lock()
	defer c.progress.mu.Unlock()
	c.progress.tell = tell
}

func (c *Call) tellProgress(p *pending) {
	texts := c.machine.takeProgress(p)
	if len(texts) == 0 {
		return
	}
	c.progress.mu.Lock()
	tell := c.progress.tell
	c.progress.mu.Unlock()
	for _, text := range texts {
		if tell != nil {
			tell(Progress{p.command.GetId(), p.name(), text})
		}
	}
}
