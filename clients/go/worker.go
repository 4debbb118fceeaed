// Work: a worker, which dials in to bridges and takes the calls that they offer. One registration is in registration.go.

package agibridge

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"math"
	mathrand "math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	// lookupEvery is how often the addresses of a name are looked up anew.
	lookupEvery = 30 * time.Second
	// pauseMin and pauseMax bound the pauses between attempts.
	pauseMin = 100 * time.Millisecond
	pauseMax = 10 * time.Second
)

// Work dials in to the bridge at address, "host:port", or several joined by commas, and serves calls of the groups with
// handler, until ctx ends or SIGTERM or SIGINT comes. It registers at every address of a name, and does so again, with
// growing pauses, when a bridge goes away. Then it takes no new calls, running ones go on for up to DrainTimeout, and it
// returns nil. A second signal releases what is left to other workers at once.
//
// What no retry can cure ends it with an error, once its calls have ended: a wrong Token (one of a TokenFunc is tried again), a
// group that is not permitted, a WorkerID that another worker has.
func Work(ctx context.Context, address string, groups []string, handler Handler, options ...WorkerOption) error {
	its := newSettings(defaultMaxCalls)
	its.workerID = randomID()
	for _, option := range options {
		if option != nil {
			option.forWorker(its)
		}
	}
	places, err := parsePlaces(address)
	switch {
	case err != nil:
		return err
	case handler == nil:
		return misuse("Work without a handler")
	case len(groups) == 0:
		return misuse("Work without a group: name those of the bridge's routes, as \"sales\" of worker://sales")
	}
	w := &worker{
		settings: its, driver: its.driver(handler), roster: newRoster(its.maxCalls), places: places, groups: groups,
		stopping: make(chan struct{}), failed: make(chan struct{}), links: map[string]*link{},
	}
	return w.run(ctx)
}

// place is a bridge, or several of one name, as the user wrote it.
type place struct{ host, port string }

func parsePlaces(address string) ([]place, error) {
	var places []place
	for part := range strings.SplitSeq(address, ",") {
		host, port, err := net.SplitHostPort(strings.TrimSpace(part))
		if err != nil || host == "" || port == "" {
			return nil, misuse("%q is no address of a bridge: write host:port, the one of its `api.listen`", strings.TrimSpace(part))
		}
		places = append(places, place{host, port})
	}
	return places, nil
}

func randomID() string {
	host, err := os.Hostname()
	if err != nil {
		host = "worker"
	}
	random := make([]byte, 4)
	_, _ = rand.Read(random) // never fails
	return host + "-" + hex.EncodeToString(random)
}

type worker struct {
	*settings
	driver *driver
	roster *roster
	places []place
	groups []string

	stopping chan struct{} // closed when it takes no new calls
	failed   chan struct{} // closed when failure is set

	mu      sync.Mutex
	failure error
	links   map[string]*link // by address
}

// link keeps the worker registered at one address.
type link struct {
	address   string // IP and port
	authority string
	stop      context.CancelFunc

	// Guarded by the worker's lock.
	bridge string // who registered it last
	live   bool
}

func (w *worker) run(ctx context.Context) error {
	signals, leaveSignals := stopSignals(w.noSignals)
	defer leaveSignals()
	all, cancelAll := context.WithCancel(context.WithoutCancel(ctx))
	defer cancelAll()
	var running sync.WaitGroup
	running.Go(func() { w.lookUp(all, &running) })

	select {
	case <-ctx.Done():
	case <-signals:
	case <-w.failed:
	}
	close(w.stopping)
	if w.failureNow() == nil {
		w.log.Info("agibridge: draining: no new calls", "timeout", w.drain)
	}
	w.roster.drain()
	timeout := time.NewTimer(w.drain)
	defer timeout.Stop()
	select {
	case <-w.roster.idle:
	case <-timeout.C:
		w.release()
	case <-signals:
		w.release()
	}
	leaveSignals() // the next one ends the process
	select {
	case <-w.roster.idle:
	case <-time.After(w.cleanup + w.driver.stuck + closeTimeout):
	}
	cancelAll()
	running.Wait()
	return w.failureNow()
}

func (w *worker) failureNow() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failure
}

func (w *worker) release() {
	left := w.roster.releaseAll("this worker is shutting down")
	w.log.Warn("agibridge: calls were released to other workers", "calls", left)
}

// fail ends the worker with the first error that no retry can cure.
func (w *worker) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failure == nil {
		w.failure = err
		close(w.failed)
	}
}

// lookUp keeps one link for each address of all names.
func (w *worker) lookUp(ctx context.Context, running *sync.WaitGroup) {
	pause := pauseMin
	for {
		next := lookupEvery
		addresses, complete := w.addresses(ctx)
		if !complete {
			next, pause = jittered(pause), longer(pause)
		} else {
			pause = pauseMin
		}
		w.mu.Lock()
		for address, link := range w.links {
			if _, still := addresses[address]; complete && !still {
				w.log.Info("agibridge: this address of a bridge is gone", "address", address)
				link.stop()
				delete(w.links, address)
			}
		}
		for address, authority := range addresses {
			if w.links[address] == nil {
				ctx, stop := context.WithCancel(ctx)
				link := &link{address: address, authority: authority, stop: stop}
				w.links[address] = link
				running.Go(func() { w.keep(ctx, link) })
			}
		}
		w.mu.Unlock()
		if !w.sleep(ctx, next) {
			return
		}
	}
}

// addresses gives IP and port of all places, with the name that stood for it. False: some could not be looked up.
func (w *worker) addresses(ctx context.Context) (map[string]string, bool) {
	found, complete := map[string]string{}, true
	for _, place := range w.places {
		authority := net.JoinHostPort(place.host, place.port)
		limited, cancel := context.WithTimeout(ctx, pauseMax)
		ips, err := net.DefaultResolver.LookupHost(limited, place.host)
		cancel()
		if err != nil {
			complete = false
			w.log.Warn("agibridge: the bridge's name cannot be looked up; trying again", "name", place.host, "error", err)
		}
		for _, ip := range ips {
			found[net.JoinHostPort(ip, place.port)] = authority
		}
	}
	return found, complete
}

// sleep is false when there is nothing to sleep for: the worker stops, or the link.
func (w *worker) sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-w.stopping:
	}
	return false
}

func jittered(pause time.Duration) time.Duration {
	return time.Duration(float64(pause) * (0.5 + 0.5*mathrand.Float64()))
}

func longer(pause time.Duration) time.Duration { return min(2*pause, pauseMax) }

// helloCalls is max_calls as the contract has it.
func (w *worker) helloCalls() uint32 { return uint32(min(w.maxCalls, math.MaxUint32)) }

// advice turns what ended a registration into an error for people.
func (w *worker) advice(address, text, what string) error {
	return fmt.Errorf("agibridge: the bridge at %s refused the worker: %s (%s)", address, text, what)
}
