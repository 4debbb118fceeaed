// A script's steps, one after the other, on a call.

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	agibridge "github.com/agi-bridge/agi-bridge/clients/go"
)

// player plays the script of each call, and knows the running ones by their script.
type player struct {
	scripts string
	lines   sync.WaitGroup // those of calls that are not written yet

	mu    sync.Mutex
	calls map[string]*agibridge.Call
}

func newPlayer(scripts string) *player {
	return &player{scripts: scripts, calls: map[string]*agibridge.Call{}}
}

// errOver ends a script without an error.
var errOver = errors.New("the script is over")

// errThrown is the error of the step `throw`.
type errThrown struct{ text string }

func (e *errThrown) Error() string { return e.text }

func (p *player) handle(ctx context.Context, call *agibridge.Call) (err error) {
	name := call.PathParameters["script"]
	run := &run{player: p, call: call, name: name, pending: map[int]taken{}}
	p.mu.Lock()
	p.calls[name] = call
	p.mu.Unlock()
	call.OnProgress(func(progress agibridge.Progress) {
		run.mu.Lock()
		defer run.mu.Unlock()
		run.progress = append(run.progress, progress.Text)
	})
	p.lines.Add(1)
	defer func() {
		p.mu.Lock()
		if p.calls[name] == call {
			delete(p.calls, name)
		}
		p.mu.Unlock()
		line := run.report(ctx, err)
		go func() {
			defer p.lines.Done()
			<-call.OverSignal()
			line["hangup"], line["draining"], line["ended"] = fate(call)
			writeLine(line)
		}()
	}()
	steps, err := p.script(call)
	if err != nil {
		return err
	}
	for _, step := range steps {
		if err := run.step(ctx, step); err != nil {
			if errors.Is(err, errOver) {
				return nil
			}
			return err
		}
	}
	return nil
}

func (p *player) script(call *agibridge.Call) ([]map[string]json.RawMessage, error) {
	name := filepath.Base(call.PathParameters["script"])
	if before := call.Resumption; before != nil {
		name = fmt.Sprintf("%s.%d", name, before.Attempt)
	}
	text, err := os.ReadFile(filepath.Join(p.scripts, name+".json"))
	if err != nil {
		return nil, err
	}
	var steps []map[string]json.RawMessage
	return steps, json.Unmarshal(text, &steps)
}

// run is one handler's way through its script.
type run struct {
	player  *player
	call    *agibridge.Call
	name    string
	results []any
	sent    int           // commands over the whole call
	pending map[int]taken // those of a batch, by their number

	mu       sync.Mutex
	progress []string
}

// taken is a command that can be taken back.
type taken interface{ Cancel() }

func (r *run) step(ctx context.Context, step map[string]json.RawMessage) error {
	if len(step) != 1 {
		return fmt.Errorf("a step has one key: %v", step)
	}
	for kind, value := range step {
		switch kind {
		case "command":
			return r.command(ctx, value)
		case "batch", "begin":
			return r.batch(ctx, value, kind == "begin")
		case "checkpoint":
			return r.checkpoint(ctx, value)
		case "end":
			return r.end(ctx, value)
		case "handoff":
			return r.handoff(ctx, value)
		case "wait":
			return r.sleep(ctx, value)
		case "waitFor":
			return r.waitFor(ctx, value)
		case "close":
			return r.close(ctx, value)
		case "throw":
			var text string
			if err := json.Unmarshal(value, &text); err != nil {
				return err
			}
			return &errThrown{text}
		case "hang":
			r.say("ever")
			<-ctx.Done()
			return ctx.Err()
		case "running":
			return r.running(ctx)
		case "steal":
			return r.steal(ctx, value)
		case "play", "ask", "menu", "confirm":
			return r.prompt(ctx, kind, value)
		case "nextDigit":
			return r.nextDigit(ctx, value)
		case "takeDigits":
			return r.takeDigits(ctx)
		case "interrupt":
			return r.call.Interrupt(ctx)
		default:
			return fmt.Errorf("no such step: %s", kind)
		}
	}
	return nil
}

// note keeps a result or an error. The script goes on unless the handler was cancelled, or its stream is lost.
func (r *run) note(ctx context.Context, result any, err error) error {
	if err != nil {
		r.results = append(r.results, map[string]any{"error": errorOf(err)})
	} else {
		r.results = append(r.results, result)
	}
	return r.goOn(ctx, err)
}

func (r *run) goOn(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, agibridge.ErrCallLost) {
		return err
	}
	return nil
}

func (r *run) say(what string) {
	writeLine(map[string]any{"event": "waiting", "script": r.name, "for": what})
}

func (r *run) sleep(ctx context.Context, value json.RawMessage) error {
	d, err := duration(value)
	if err != nil {
		return err
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *run) waitFor(ctx context.Context, value json.RawMessage) error {
	var what string
	if err := json.Unmarshal(value, &what); err != nil {
		return err
	}
	signals := map[string]<-chan struct{}{
		"hangup": r.call.HangupSignal(), "draining": r.call.DrainingSignal(), "ended": r.call.OverSignal(),
	}
	signal, ok := signals[what]
	if !ok {
		return fmt.Errorf("no such thing to wait for: %s", what)
	}
	r.say(what)
	select {
	case <-signal:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-r.call.OverSignal():
		// It never comes when the stream is lost. When the session has ended, the signal may be there too.
		if _, ended := r.call.Ended(); ended {
			return nil
		}
		return agibridge.ErrCallLost
	}
}

func (r *run) close(ctx context.Context, value json.RawMessage) error {
	var how string
	if err := json.Unmarshal(value, &how); err != nil {
		return err
	}
	switch how {
	case "ok":
		return errOver
	case "error":
		if err := r.call.Release(ctx, "the script says so"); err != nil {
			return err
		}
		return errOver
	default:
		return fmt.Errorf("no such way to close: %s", how)
	}
}

func (r *run) running(ctx context.Context) error {
	if r.call.Resumption == nil || r.call.Resumption.Running == nil {
		return errors.New("no command is running")
	}
	result, err := r.call.Resumption.Running.Wait(ctx)
	return r.note(ctx, resultJSON(result), err)
}

func (r *run) steal(ctx context.Context, value json.RawMessage) error {
	var other string
	if err := json.Unmarshal(value, &other); err != nil {
		return err
	}
	r.player.mu.Lock()
	call := r.player.calls[other]
	r.player.mu.Unlock()
	if call == nil {
		return fmt.Errorf("no call runs the script %s", other)
	}
	err := call.Noop(ctx, "stolen")
	return r.note(ctx, map[string]any{"done": map[string]any{}}, err)
}
