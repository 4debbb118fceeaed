// Keys that the caller presses between commands, and the commands that are stopped for them.

package agibridge

import (
	"context"
	"slices"
	"strings"
	"time"

	pb "github.com/agi-bridge/agi-bridge/clients/go/internal/agibridgev1"
)

// digitsMax bounds the keys that nobody took; as many as the bridge keeps. A caller presses some ten a second at most.
const digitsMax = 64

// PressedDigit is a key that the caller pressed, on a route with `digits: true`.
type PressedDigit struct {
	// Digit is one of 0-9, *, # and A-D; empty when none was pressed in time.
	Digit string
	// Duration is how long it was held, as Asterisk says.
	Duration time.Duration
}

// DigitOption is an option of NextDigit: Timeout.
type DigitOption interface {
	promptSetting
	nextDigit()
}

// NextDigit takes the oldest key that the caller pressed and nobody took, or waits for one. With Timeout, which counts while no
// command runs, it gives an empty Digit when that is over.
//
// Up to 64 keys wait, in order, from the begin of this handler; newer ones are dropped, with a warning. A key that a command took
// is among them too. Once none waits, the error is ErrHungUp when the caller is gone, and that of a command when the session is over.
func (c *Call) NextDigit(ctx context.Context, options ...DigitOption) (PressedDigit, error) {
	if err := c.check(ctx, "NextDigit"); err != nil {
		return PressedDigit{}, err
	}
	asked := prompt{timeout: -1}
	for _, option := range options {
		if option != nil {
			option.setPrompt(&asked)
		}
	}
	wait := digitWait{machine: c.machine, timeout: asked.timeout, since: time.Now()}
	for {
		pressed, news, err := wait.next()
		if news == nil || err != nil {
			return pressed, err
		}
		var late <-chan time.Time
		if wait.counts {
			late = time.After(time.Until(wait.since.Add(wait.timeout)))
		}
		select {
		case <-news:
		case <-late:
		case <-c.machine.hungUp:
		case <-c.machine.over:
		case <-ctx.Done():
			return PressedDigit{}, givenUp(ctx, "NextDigit")
		}
	}
}

// TakeDigits takes all keys that wait, without waiting for more: what was typed ahead. Empty when none wait.
func (c *Call) TakeDigits(ctx context.Context) (string, error) {
	if err := c.check(ctx, "TakeDigits"); err != nil {
		return "", err
	}
	return c.machine.takeDigits()
}

// Interrupt takes back what was sent and is not written to Asterisk yet (CodeCancelled), and stops the command that runs there: its
// result comes as if it had ended by itself, a prompt's with no digit, GET DATA's with what was typed so far. Prompts, SAY, RECORD
// FILE, WAIT FOR DIGIT and GET DATA can be stopped, where the bridge has a link to Asterisk's manager; others go on.
//
// It waits for nothing, asks once for each command, and does nothing when the session is over.
func (c *Call) Interrupt(ctx context.Context) error {
	if err := c.check(ctx, "Interrupt"); err != nil {
		return err
	}
	return c.machine.interrupt()
}

// digitWait is one who waits for a key.
type digitWait struct {
	machine *machine
	timeout time.Duration // negative: for ever
	since   time.Time     // from when on it counts
	idles   uint64        // so often had the machine become idle by then; 0: not known
	counts  bool          // no command runs
}

// next gives a key, or what is closed when there may be one, or neither: the time is over.
func (w *digitWait) next() (PressedDigit, <-chan struct{}, error) {
	m := w.machine
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.misused("NextDigit"); err != nil {
		return PressedDigit{}, nil, err
	}
	if len(m.digits) > 0 {
		pressed := m.digits[0]
		m.digits = m.digits[1:]
		return pressed, nil, nil
	}
	if err := m.refusal("NextDigit"); err != nil {
		return PressedDigit{}, nil, err
	}
	if m.gone {
		return PressedDigit{}, nil, hungUpError("NextDigit")
	}
	if w.idles != 0 && w.idles != m.idles {
		w.since = time.Now()
	}
	w.idles = m.idles
	w.counts = w.timeout >= 0 && len(m.waiting) == 0
	if w.counts && time.Since(w.since) >= w.timeout {
		return PressedDigit{}, nil, nil
	}
	if m.digitNews == nil {
		m.digitNews = make(chan struct{})
	}
	return PressedDigit{}, m.digitNews, nil
}

func (m *machine) addDigit(digit *pb.Digit) {
	if len(m.digits) < digitsMax {
		m.digits = append(m.digits, PressedDigit{digit.GetDigit(), max(0, digit.GetDuration().AsDuration())})
	} else if !m.digitsDropped {
		m.digitsDropped = true
		m.log.Warn("agibridge: keys of the caller are dropped: take them by NextDigit or TakeDigits, or set no `digits` on the route",
			"call_id", m.started.GetCallId(), "waiting", digitsMax)
	}
	m.tellDigits()
}

// becameIdle notes that no command runs any more.
func (m *machine) becameIdle() {
	m.idles++
	m.tellDigits()
}

// tellDigits wakes all who wait for a key.
func (m *machine) tellDigits() {
	if m.digitNews != nil {
		close(m.digitNews)
		m.digitNews = nil
	}
}

func (m *machine) takeDigits() (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.misused("TakeDigits"); err != nil {
		return "", err
	}
	var taken strings.Builder
	for _, pressed := range m.digits {
		taken.WriteString(pressed.Digit)
	}
	m.digits = nil
	return taken.String(), nil
}

func (m *machine) interrupt() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.misused("Interrupt"); err != nil || m.isOver() {
		return err
	}
	m.interrupts++ // for those who wait for room
	wake(m.room)
	var running []*pending
	for _, p := range m.waiting {
		if !p.interrupted {
			running = append(running, p)
		}
	}
	// The newest first: else the end of one would have the next one written.
	slices.SortFunc(running, func(a, b *pending) int { return int(b.command.GetId()) - int(a.command.GetId()) })
	for _, p := range running {
		p.interrupted = true
		cancel := &pb.CancelCommand{Id: p.command.GetId(), Interrupt: true}
		m.post(&pb.CallControl{Control: &pb.CallControl_Cancel{Cancel: cancel}})
	}
	return nil
}

// interruptions counts how often what was sent was taken back.
func (m *machine) interruptions() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.interrupts
}
