// The calls that a server or worker has: how many there may be, and how they come to an end.

package agibridge

import (
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

var (
	errFull     = errors.New("this service has as many calls as it takes")
	errDraining = errors.New("this service is shutting down")
)

type roster struct {
	most int // 0: no limit

	mu       sync.Mutex
	calls    map[*machine]int // how many things of it still run: its stream, its handler
	draining bool
	idle     chan struct{} // closed when it drains and has no calls
}

func newRoster(most int) *roster {
	return &roster{most: most, calls: map[*machine]int{}, idle: make(chan struct{})}
}

// add takes a call, which runs until leave was called for its stream and for its handler.
func (r *roster) add(m *machine) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.draining:
		return errDraining
	case r.most > 0 && len(r.calls) >= r.most:
		return errFull
	}
	r.calls[m] = 2
	return nil
}

func (r *roster) leave(m *machine) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.calls[m]--; r.calls[m] == 0 {
		delete(r.calls, m)
		r.tellIdle()
	}
}

func (r *roster) drain() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.draining {
		r.draining = true
		r.tellIdle()
	}
}

func (r *roster) tellIdle() {
	if r.draining && len(r.calls) == 0 {
		close(r.idle)
	}
}

func (r *roster) releaseAll(reason string) int {
	r.mu.Lock()
	machines := make([]*machine, 0, len(r.calls))
	for m := range r.calls {
		machines = append(machines, m)
	}
	r.mu.Unlock()
	released := 0
	for _, m := range machines {
		if m.release(reason, false) == nil {
			released++
		}
	}
	return released
}

// stopSignals gives the signals that ask this process to stop, and a function that leaves them alone again.
func stopSignals(without bool) (<-chan os.Signal, func()) {
	if without {
		return nil, func() {}
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	return signals, func() { signal.Stop(signals) }
}
