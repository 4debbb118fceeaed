// Batch: commands that are sent in one go.

package agibridge

import (
	"context"

	pb "github.com/agi-bridge/agi-bridge/clients/go/internal/agibridgev1"
)

// Batch is a number of commands that are sent in one go: one round trip between bridge and service. Each but the first is
// run only when the one before succeeded, and is CodeSkipped otherwise, unless the batch is Independent.
//
//	batch := call.Batch()
//	batch.Answer()
//	pin := batch.GetData("enter-pin", agibridge.MaxDigits(4))
//	if err := batch.Run(ctx); err != nil {
//		return err
//	}
//	digits, err := pin.Result()
//
// A batch is run once, by one goroutine.
type Batch struct {
	call        *Call
	independent bool
	pending     []*pending
	finished    []func(open error) error
	sent        bool
	late        bool
}

// BatchOption is an option of Call.Batch.
type BatchOption func(*Batch)

// Independent runs every command of the batch, whatever became of the one before; RequiresSuccess counts where it is set.
func Independent() BatchOption { return func(b *Batch) { b.independent = true } }

// Batch begins a batch.
func (c *Call) Batch(options ...BatchOption) *Batch {
	batch := &Batch{call: c}
	for _, option := range options {
		if option != nil {
			option(batch)
		}
	}
	return batch
}

// Pending is a command of a batch.
type Pending[T Result] struct {
	batch   *Batch
	pending *pending
	result  T
	err     error
}

func add[T Result](b *Batch, command *pb.Command) *Pending[T] {
	command.RequiresSuccess = command.RequiresSuccess || !b.independent && len(b.pending) > 0
	it := &Pending[T]{batch: b, pending: newPending(command)}
	it.err = misuse("%s has no result yet: Run the batch, or Send and Wait, before", commandName(command))
	if b.sent {
		it.err = misuse("%s was added to a batch that was sent: begin a new one", commandName(command))
		b.late = true
		return it
	}
	b.pending = append(b.pending, it.pending)
	b.finished = append(b.finished, it.finish)
	return it
}

// Result gives the command's own result or error, once Run or Wait has returned.
func (p *Pending[T]) Result() (T, error) { return p.result, p.err }

// Cancel takes the command back: it fails with CodeCancelled in its place, unless it was written to Asterisk before. The
// batch must have been sent.
func (p *Pending[T]) Cancel() {
	if p.batch.call != nil && p.batch.call.machine != nil {
		p.batch.call.machine.drop(p.pending, false)
	}
}

// finish takes the result; open is the error of a command that nobody waits for any more.
func (p *Pending[T]) finish(open error) error {
	var zero T
	p.result, p.err = zero, open
	select {
	case <-p.pending.done:
		var result *pb.CommandResult
		if result, p.err = p.batch.call.collect(p.pending); p.err == nil {
			p.result, p.err = resultAs[T](p.pending.name(), result)
		}
	default:
		p.batch.call.machine.drop(p.pending, true)
	}
	return p.err
}

// Run sends the batch and waits for all of it. The error is that of the first command that failed; Result gives each
// command's own. To cancel ctx takes back what was not written to Asterisk yet.
func (b *Batch) Run(ctx context.Context) error {
	// The commands that could not be sent have their error from it, and Wait gives it.
	if err := b.Send(ctx); err != nil && !b.sent {
		return err
	}
	return b.Wait(ctx)
}

// Send sends the batch and returns when its last command is on its way: it waits while MaxQueuedCommands are unanswered.
func (b *Batch) Send(ctx context.Context) error {
	if err := b.call.check(ctx, "a batch"); err != nil {
		return err
	}
	if b.sent {
		return misuse("a batch was sent twice: begin a new one")
	}
	b.sent = true
	if len(b.pending) == 0 {
		return nil
	}
	return b.call.send(ctx, b.pending...)
}

// Wait waits for the commands of a batch that was sent. The error is that of the first one that failed.
func (b *Batch) Wait(ctx context.Context) error {
	switch {
	case !b.sent:
		return misuse("Wait for a batch that was not sent: Send or Run it")
	case b.late:
		return misuse("a command was added to a batch after it was sent: begin a new one")
	}
	var open error
	for _, p := range b.pending {
		if open = b.call.settle(ctx, p); open != nil {
			break
		}
	}
	var first error
	for _, finish := range b.finished {
		if err := finish(open); err != nil && first == nil {
			first = err
		}
	}
	return first
}
