// What a handler gets of a call that another service, or this one, had before.

package agibridge

import (
	"context"

	pb "github.com/agi-bridge/agi-bridge/clients/go/internal/agibridgev1"
)

// Resumption is what a handler needs to carry on with a call. What is in Results is done, what is Running is being done:
// do not repeat it. What is in neither, nor accounted for by the checkpoint, was not done, unless ResultsTruncated is set.
type Resumption struct {
	Cause ResumptionCause
	// Attempt is 1 for the first resumption of the call; handoffs count too.
	Attempt uint32
	// Checkpoint is the state of the last one, or of the handoff; nil when there was none.
	Checkpoint []byte
	// Results are those since the checkpoint, oldest first.
	Results []PastResult
	// ResultsTruncated is true when older results were dropped.
	ResultsTruncated bool
	// HungUp is true when the caller was gone already.
	HungUp bool
	// LastCommandID is the highest that the service before had used. Ids go on above it by themselves.
	LastCommandID uint32
	// Running is the command that is at Asterisk now; nil when there is none.
	Running *Running
}

// ResumptionCause says why the call came to this handler. A number of a newer bridge is kept.
type ResumptionCause int32

// Why a call comes to another handler.
const (
	// ServiceLost: the stream of the service before was lost, or it released the call.
	ServiceLost = ResumptionCause(pb.Resumption_CAUSE_SERVICE_LOST)
	// HandedOff: a service handed the call over.
	HandedOff = ResumptionCause(pb.Resumption_CAUSE_HANDOFF)
)

// String gives the contract's name, as SERVICE_LOST.
func (c ResumptionCause) String() string {
	return enumName(pb.Resumption_Cause_name, int32(c), "CAUSE_")
}

// PastResult is what a command gave to the service before.
type PastResult struct {
	CommandID uint32
	// Result is one of the types that commands give; nil when the command failed, or gave what only a newer version knows.
	Result Result
	// Err is ErrHungUp or a *CommandError when the command failed.
	Err error
}

// Running is a command of the service before that is at Asterisk now.
type Running struct {
	// CommandID is its number.
	CommandID uint32
	// Command is the name of the AGI command, as "GET DATA".
	Command string

	call    *Call
	pending *pending
}

// Wait gives the command's result. To cancel ctx gives up waiting.
func (r *Running) Wait(ctx context.Context) (Result, error) {
	if err := r.call.check(ctx, r.Command); err != nil {
		return nil, err
	}
	result, err := r.call.wait(ctx, r.pending)
	if err != nil {
		return nil, err
	}
	if known := resultOf(result); known != nil {
		return known, nil
	}
	return nil, &CommandError{CodeProtocolError, "a newer version of agibridge would know what the bridge answered", r.Command}
}

func newResumption(call *Call, before *pb.Resumption) *Resumption {
	resumption := &Resumption{
		Cause: ResumptionCause(before.GetCause()), Attempt: before.GetAttempt(), Checkpoint: before.GetCheckpoint(),
		ResultsTruncated: before.GetResultsTruncated(), HungUp: before.GetHungUp(), LastCommandID: before.GetLastCommandId(),
	}
	for _, result := range before.GetResults() {
		past := PastResult{CommandID: result.GetId(), Result: resultOf(result)}
		past.Err = commandError(func() string { return "a command of the service before" }, result, func() bool { return false })
		resumption.Results = append(resumption.Results, past)
	}
	if running := before.GetRunning(); running != nil {
		// The machine expects it since it was started.
		if expected := call.machine.expected(running.GetId()); expected != nil {
			resumption.Running = &Running{running.GetId(), expected.name(), call, expected}
		}
	}
	return resumption
}

func (m *machine) expected(id uint32) *pending {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.waiting[id]
}
