// The stream of a fake call: answers controls as the bridge would.

package agibridgetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	agibridge "github.com/agi-bridge/agi-bridge/clients/go"
	pb "github.com/agi-bridge/agi-bridge/clients/go/internal/agibridgev1"
	"github.com/agi-bridge/agi-bridge/clients/go/internal/hook"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// deadCommands run on a channel whose caller is gone.
var deadCommands = []string{
	"NOOP", "VERBOSE", "GET VARIABLE", "GET FULL VARIABLE", "SET VARIABLE", "DATABASE DEL", "DATABASE DELTREE", "DATABASE GET",
	"DATABASE PUT", "EXEC", "ASYNCAGI BREAK", "SPEECH DESTROY", "SPEECH UNLOAD GRAMMAR",
}

type stream struct {
	ctx    context.Context
	fake   *Fake
	closed chan struct{} // the service's side
	once   sync.Once
	events chan *pb.CallEvent

	mu       sync.Mutex
	done     *Outcome
	held     *pb.Command   // it runs until it is stopped
	queue    []*pb.Command // behind it
	answered int
	failed   bool // the command before did not succeed
	ended    bool
	begun    time.Time
}

func newStream(ctx context.Context, fake *Fake) *stream {
	// One control makes a few events at most, and the machine's reader takes them without waiting for anything.
	s := &stream{
		ctx: ctx, fake: fake, closed: make(chan struct{}), events: make(chan *pb.CallEvent, 256+len(fake.pressed)),
		done: &Outcome{Next: Lost, Variables: map[string]string{}}, begun: time.Now(),
	}
	started := fake.started()
	s.events <- &pb.CallEvent{Event: &pb.CallEvent_Started{Started: started}}
	if running := started.GetResumption().GetRunning(); running != nil {
		s.answer(running)
		s.answered = 0
	}
	s.press(fake.pressed)
	s.happen()
	return s
}

// Recv gives the next event.
func (s *stream) Recv() (*pb.CallEvent, error) {
	select {
	case event, open := <-s.events:
		if !open {
			return nil, io.EOF
		}
		return event, nil
	case <-s.ctx.Done():
		return nil, fmt.Errorf("the test's context has ended: %w", s.ctx.Err())
	case <-s.closed:
		return nil, io.EOF
	}
}

// Send takes a control.
func (s *stream) Send(control *pb.CallControl) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return errors.New("the stream is over")
	}
	switch it := control.GetControl().(type) {
	case *pb.CallControl_Command:
		s.done.Commands = append(s.done.Commands, commandOf(it.Command))
		s.queue = append(s.queue, it.Command)
		s.run()
	case *pb.CallControl_Checkpoint:
		s.done.Checkpoints = append(s.done.Checkpoints, slices.Clone(it.Checkpoint.GetState()))
	case *pb.CallControl_End:
		s.end(it.End)
	case *pb.CallControl_Handoff:
		s.done.Next, s.done.Handoff, s.done.HandoffState = HandedOff, it.Handoff.GetRoute(), it.Handoff.GetState()
		s.finish(pb.CallEnded_REASON_HANDOFF)
	case *pb.CallControl_Cancel:
		s.cancel(it.Cancel)
		s.run()
	case *pb.CallControl_Heartbeat:
		// It means nothing.
	}
	return nil
}

func (s *stream) send(event *pb.CallEvent) { s.events <- event }

// run answers what need not wait for a command that is held.
func (s *stream) run() {
	for len(s.queue) > 0 && s.held == nil && !s.ended {
		command := s.queue[0]
		s.queue = s.queue[1:]
		if name := hook.CommandName(command); s.fake.holds[name] > 0 && !s.done.HungUp {
			s.fake.holds[name]--
			s.held = command
			s.pressDuring(name)
			continue
		}
		s.answer(command)
		s.happen()
	}
}

// cancel stops the command that is held, or takes back one behind it.
func (s *stream) cancel(cancel *pb.CancelCommand) {
	if held := s.held; held != nil && held.GetId() == cancel.GetId() {
		if cancel.GetInterrupt() && canBeStopped(held) {
			s.held = nil
			s.answerWith(held, interrupted(held))
			s.happen()
		}
		return
	}
	for at, command := range s.queue {
		if command.GetId() == cancel.GetId() {
			s.queue = slices.Delete(s.queue, at, at+1)
			const why = "taken back before it was written"
			result := failure(command.GetId(), pb.CommandError_CODE_CANCELLED, why)
			s.send(&pb.CallEvent{Event: &pb.CallEvent_Result{Result: result}})
			return
		}
	}
}

func (s *stream) pressDuring(command string) {
	if keys := s.fake.pressAt[command]; len(keys) > 0 {
		s.fake.pressAt[command] = keys[1:]
		s.press(keys[0])
	}
}

func (s *stream) press(digits string) {
	for _, digit := range digits {
		pressed := &pb.Digit{Digit: string(digit), Duration: durationpb.New(100 * time.Millisecond)}
		s.send(&pb.CallEvent{Event: &pb.CallEvent_Digit{Digit: pressed}})
	}
}

func (s *stream) answer(command *pb.Command) { s.answerWith(command, success(command)) }

// answerWith answers a command; its result is unscripted unless there is a reply.
func (s *stream) answerWith(command *pb.Command, unscripted agibridge.Result) {
	name := hook.CommandName(command)
	s.pressDuring(name)
	if s.fake.hangUpAt[name] && !s.done.HungUp {
		delete(s.fake.hangUpAt, name)
		s.hangUp()
	}
	for _, text := range s.fake.progress[name] {
		progress := &pb.CommandProgress{Id: command.GetId(), Text: text}
		s.send(&pb.CallEvent{Event: &pb.CallEvent_Progress{Progress: progress}})
	}
	delete(s.fake.progress, name)

	var result *pb.CommandResult
	switch replies := s.fake.replies[name]; {
	case command.GetRequiresSuccess() && s.failed:
		result = failure(command.GetId(), pb.CommandError_CODE_SKIPPED, "the command before it did not succeed")
	case s.done.HungUp && !slices.Contains(deadCommands, name):
		result = failure(command.GetId(), pb.CommandError_CODE_HUNG_UP, "the caller is gone")
	case len(replies) > 0:
		s.fake.replies[name] = replies[1:]
		if failed := replies[0].failed; failed != nil {
			result = failure(command.GetId(), failed.GetCode(), failed.GetDetail())
		} else {
			result = message(command.GetId(), replies[0].result)
		}
	default:
		result = message(command.GetId(), unscripted)
	}
	s.failed = result.GetError() != nil
	result.HungUp = s.done.HungUp
	s.send(&pb.CallEvent{Event: &pb.CallEvent_Result{Result: result}})
	s.answered++
}

// happen does what was planned for after so many commands.
func (s *stream) happen() {
	if s.answered == s.fake.hangUpAfter {
		s.fake.hangUpAfter = -1
		s.hangUp()
	}
	if s.answered == s.fake.drainAfter {
		s.fake.drainAfter = -1
		draining := &pb.Draining{Deadline: timestamppb.New(time.Now().Add(time.Hour))}
		s.send(&pb.CallEvent{Event: &pb.CallEvent_Draining{Draining: draining}})
	}
	if s.answered == s.fake.loseAfter && !s.ended {
		s.ended = true
		close(s.events)
	}
}

func (s *stream) hangUp() {
	if s.done.HungUp {
		return
	}
	s.done.HungUp = true
	hangup := &pb.Hangup{Source: pb.Hangup_SOURCE_SIGNAL, Grace: durationpb.New(s.fake.Grace)}
	s.send(&pb.CallEvent{Event: &pb.CallEvent_Hangup{Hangup: hangup}})
}

func (s *stream) end(how *pb.EndCall) {
	for name, value := range how.GetVariables() {
		s.done.Variables[name] = value
	}
	switch next := how.GetNext().(type) {
	case *pb.EndCall_FailDialplan:
		s.done.Next, s.done.Reason = Fail, next.FailDialplan.GetReason()
	case *pb.EndCall_GotoDialplan:
		it := next.GotoDialplan
		s.done.Next = Goto
		s.done.Goto = fmt.Sprintf("%s,%s,%d", it.GetContext(), it.GetExtension(), it.GetPriority())
	case *pb.EndCall_HangUp:
		s.done.Next = HangUp
	default:
		s.done.Next = Continue
	}
	reason := pb.CallEnded_REASON_SERVICE
	if s.done.HungUp {
		reason = pb.CallEnded_REASON_HANGUP
	}
	s.finish(reason)
}

func (s *stream) finish(reason pb.CallEnded_Reason) {
	s.ended = true
	s.send(&pb.CallEvent{Event: &pb.CallEvent_Ended{Ended: &pb.CallEnded{
		Reason: reason, Duration: durationpb.New(time.Since(s.begun)), Commands: uint32(s.answered),
	}}})
	close(s.events)
}

// close closes the service's side.
func (s *stream) close() { s.once.Do(func() { close(s.closed) }) }

func (s *stream) outcome() *Outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done
}
