// Command recorder asks for a PIN, and takes a message that the caller can hear and record again.
package main

import (
	"context"
	"errors"
	"time"

	agibridge "github.com/agi-bridge/agi-bridge/clients/go"
	"github.com/agi-bridge/agi-bridge/clients/go/programs/internal/listen"
)

func main() { listen.Serve(recorder) }

func recorder(ctx context.Context, call *agibridge.Call) error {
	if err := call.Answer(ctx); err != nil {
		return err
	}
	pin := "1234"
	if call.Query.Has("pin") {
		pin = call.Query.Get("pin")
	}
	_, err := call.Ask(ctx, "vm-password", agibridge.MaxDigits(4), agibridge.Tries(3), agibridge.Invalid("vm-incorrect"),
		agibridge.Validate(func(digits string) bool { return digits == pin }))
	if errors.Is(err, agibridge.ErrNoInput) {
		if _, err := call.StreamFile(ctx, "vm-goodbye"); err != nil {
			return err
		}
		_, err = call.End(ctx, agibridge.ThenHangUp())
		return err
	}
	if err != nil {
		return err
	}

	file := "/tmp/recorder-" + call.Channel.UniqueID
	recorded, err := takeMessage(ctx, call, file)
	switch {
	case recorded && (errors.Is(err, agibridge.ErrHungUp) || errors.Is(err, agibridge.ErrNoInput)):
		// Gone, or undecided: it is kept. A variable can still be set after the hangup.
		return call.SetVariable(ctx, "RECORDED", file)
	case err != nil:
		return err
	}
	if _, err := call.StreamFile(ctx, "auth-thankyou"); err != nil && !errors.Is(err, agibridge.ErrHungUp) {
		return err
	}
	_, err = call.End(ctx, agibridge.WithVariable("RECORDED", file))
	return err
}

type choice int

const (
	keep choice = iota
	listenTo
	again
)

// takeMessage records until the caller keeps it. recorded tells whether there is a message.
func takeMessage(ctx context.Context, call *agibridge.Call, file string) (recorded bool, err error) {
	what := again
	for what != keep {
		switch what {
		case again:
			_, err = call.RecordFile(ctx, file, "wav", agibridge.EscapeDigits("#"), agibridge.Timeout(time.Minute),
				agibridge.Beep(), agibridge.Silence(5*time.Second))
			// The caller who hangs up instead of pressing # has left a message too.
			recorded = recorded || err == nil || errors.Is(err, agibridge.ErrHungUp)
		case listenTo:
			_, err = call.StreamFile(ctx, file, agibridge.EscapeDigits("123"))
		}
		if err != nil {
			return recorded, err
		}
		what, err = agibridge.Menu(ctx, call, "vm-review", map[string]choice{"1": keep, "2": listenTo, "3": again})
		if err != nil {
			return recorded, err
		}
	}
	return recorded, nil
}
