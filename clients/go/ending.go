// How a call comes to its end in the call machine: ended, lost, released, handed off, or left by its handler.

package agibridge

import (
	pb "github.com/agi-bridge/agi-bridge/clients/go/internal/agibridgev1"
	"google.golang.org/grpc/codes"
)

func (m *machine) end(ended *pb.CallEnded) {
	m.ended = ended
	if ended.GetReason() == pb.CallEnded_REASON_HANGUP {
		m.callerGone()
	}
	m.finish()
}

// lose notes that the stream is over without `ended`.
func (m *machine) lose(cause error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.isOver() {
		m.lost = &lostError{cause}
		m.finish()
	}
}

// release gives the call to another instance of the service.
func (m *machine) release(reason string, byHandler bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.misused("release"); err != nil && byHandler {
		return err
	}
	if m.isOver() {
		return m.refusal("release")
	}
	m.released = byHandler
	m.lost = &lostError{&kindText{"released to another instance: " + reason}}
	m.close(closing{codes.Unavailable, reason})
	m.finish()
	return nil
}

type kindText struct{ text string }

func (e *kindText) Error() string { return e.text }

// unstarted gives up a stream that does not begin as a call does: no handler will ever run on it.
func (m *machine) unstarted() {
	const text = "the first event was not `started`: is this bridge of another version?"
	m.log.Error("agibridge: " + text)
	m.lost = &lostError{&kindText{text}}
	m.close(closing{codes.InvalidArgument, text})
	m.finish()
}

// finish answers everybody: nothing more comes.
func (m *machine) finish() {
	for id, p := range m.waiting {
		delete(m.waiting, id)
		p.err = m.refusal(p.name())
		close(p.done)
	}
	m.unread = nil
	close(m.over)
	wake(m.wake)
}

func (m *machine) isOver() bool { return m.ended != nil || m.lost != nil }

func (m *machine) close(how closing) {
	if m.closing == nil {
		m.closing = &how
		wake(m.wake)
	}
}

// misused says what forbids this call's methods to the handler's program.
func (m *machine) misused(command string) error {
	switch {
	case m.returned:
		return misuse("%s on a call whose handler has returned: wait for everything that uses the call before it returns", command)
	case m.released:
		return misuse("%s on a call that was released: return after Release", command)
	case m.handing && m.lost == nil && (m.ended == nil || m.ended.GetReason() == pb.CallEnded_REASON_HANDOFF):
		return misuse("%s on a call that was handed off: return after Handoff", command)
	default:
		return nil
	}
}

// refusal is the error of a command that cannot be sent, or will not be answered, any more.
func (m *machine) refusal(command string) error {
	switch {
	case m.lost != nil:
		return m.lost
	case m.ended == nil:
		return nil
	case m.gone:
		return hungUpError(command)
	default:
		detail := "the session has ended: " + EndReason(m.ended.GetReason()).String()
		if m.ended.GetDetail() != "" {
			detail += ", " + m.ended.GetDetail()
		}
		return &CommandError{CodeCallEnded, detail, command}
	}
}

// askEnd sends `end`, unless the session is over already.
func (m *machine) askEnd(end *pb.EndCall) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.misused("end"); err != nil {
		return err
	}
	if m.endSent && !m.isOver() {
		return misuse("end was called before on this call")
	}
	if m.lost != nil {
		return m.lost
	}
	m.sendEnd(end)
	return nil
}

func (m *machine) sendEnd(end *pb.EndCall) {
	if !m.isOver() && !m.endSent {
		m.endSent = true
		m.post(&pb.CallControl{Control: &pb.CallControl_End{End: end}})
	}
}

func (m *machine) askHandoff(handoff *pb.Handoff) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.misused("handoff"); err != nil {
		return err
	}
	if err := m.refusal("handoff"); err != nil {
		return err
	}
	m.handing = true
	m.post(&pb.CallControl{Control: &pb.CallControl_Handoff{Handoff: handoff}})
	return nil
}

// leave notes that the handler is over. failed: it did not end well, and the call is for another service.
func (m *machine) leave(failed bool, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.returned = true
	if m.isOver() || m.handing {
		return
	}
	if failed && !m.endSent {
		m.close(closing{codes.Internal, text})
		return
	}
	m.sendEnd(&pb.EndCall{})
}

// abandon closes the stream without a handler that does not come to an end.
func (m *machine) abandon() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.returned = true
	m.close(closing{codes.OK, ""})
}
