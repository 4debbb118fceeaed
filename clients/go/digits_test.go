// Keys between commands, and commands that are stopped, on the fake call.

package agibridge_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	agibridge "github.com/agi-bridge/agi-bridge/clients/go"
	"github.com/agi-bridge/agi-bridge/clients/go/agibridgetest"
)

// driven runs a handler that must end well.
func driven(t *testing.T, fake *agibridgetest.Fake, handler agibridge.Handler) *agibridgetest.Outcome {
	t.Helper()
	outcome := fake.Run(t.Context(), handler)
	if outcome.Err != nil {
		t.Error(outcome.Err)
	}
	return outcome
}

func TestKeysAreTakenInTheirOrder(t *testing.T) {
	fake := agibridgetest.New().Press("12").PressAt("NOOP", "3#")
	driven(t, fake, func(ctx context.Context, call *agibridge.Call) error {
		if err := call.Noop(ctx, ""); err != nil {
			return err
		}
		for _, want := range []string{"1", "2", "3", "#"} {
			pressed, err := call.NextDigit(ctx)
			if err != nil || pressed != (agibridge.PressedDigit{Digit: want, Duration: 100 * time.Millisecond}) {
				t.Error(pressed, err)
			}
		}
		return nil
	})
}

func TestWhatWasTypedAheadIsTakenAtOnceAndOnce(t *testing.T) {
	driven(t, agibridgetest.New().Press("12#"), func(ctx context.Context, call *agibridge.Call) error {
		if err := call.Answer(ctx); err != nil {
			return err
		}
		for _, want := range []string{"12#", ""} {
			if typed, err := call.TakeDigits(ctx); typed != want || err != nil {
				t.Error(typed, err)
			}
		}
		pressed, err := call.NextDigit(ctx, agibridge.Timeout(0))
		if pressed != (agibridge.PressedDigit{}) {
			t.Error(pressed)
		}
		return err
	})
}

func TestAPromptIsStoppedAsSoonAsAKeyComes(t *testing.T) {
	fake := agibridgetest.New().Hold("STREAM FILE").PressAt("STREAM FILE", "7")
	outcome := driven(t, fake, func(ctx context.Context, call *agibridge.Call) error {
		batch := call.Batch()
		first := batch.StreamFile("terms")
		second := batch.StreamFile("more")
		if err := batch.Send(ctx); err != nil {
			return err
		}
		pressed, err := call.NextDigit(ctx, agibridge.Timeout(5*time.Second))
		if pressed.Digit != "7" || err != nil {
			t.Error(pressed, err)
		}
		if err := errors.Join(call.Interrupt(ctx), call.Interrupt(ctx)); err != nil {
			return err
		}
		_ = batch.Wait(ctx)
		var taken *agibridge.CommandError
		if played, err := first.Result(); played.Digit != "" || err != nil {
			t.Error(played, err)
		}
		if _, err := second.Result(); !errors.As(err, &taken) || taken.Code != agibridge.CodeCancelled {
			t.Error(err)
		}
		return call.Noop(ctx, "")
	})
	sent(t, outcome, "STREAM FILE file=terms", "STREAM FILE file=more requires_success=true", "NOOP")
}

func TestInterruptTakesBackWhatWaitsForRoom(t *testing.T) {
	fake := agibridgetest.New().Hold("STREAM FILE").PressAt("STREAM FILE", "7")
	fake.MaxQueuedCommands = 1
	outcome := driven(t, fake, func(ctx context.Context, call *agibridge.Call) error {
		batch := call.Batch()
		batch.StreamFile("terms")
		more := batch.StreamFile("more")
		over := make(chan error, 1)
		go func() { over <- batch.Run(ctx) }()
		if _, err := call.NextDigit(ctx); err != nil {
			return err
		}
		if err := call.Interrupt(ctx); err != nil {
			return err
		}
		var taken *agibridge.CommandError
		if err := <-over; !errors.As(err, &taken) || taken.Code != agibridge.CodeCancelled {
			t.Error(err)
		}
		if _, err := more.Result(); !errors.As(err, &taken) {
			t.Error(err)
		}
		return nil
	})
	sent(t, outcome, "STREAM FILE file=terms")
}

func TestKeysBeforeTheHangupAreThereAfterIt(t *testing.T) {
	driven(t, agibridgetest.New().Press("1").HangUpAfter(0), func(ctx context.Context, call *agibridge.Call) error {
		<-call.HangupSignal()
		if pressed, err := call.NextDigit(ctx); pressed.Digit != "1" || err != nil {
			t.Error(pressed, err)
		}
		if _, err := call.NextDigit(ctx, agibridge.Timeout(time.Hour)); !errors.Is(err, agibridge.ErrHungUp) {
			t.Error(err)
		}
		return nil
	})
}

func TestWhoeverWaitsForAKeyIsToldThatNoneComes(t *testing.T) {
	waits := func(ctx context.Context, call *agibridge.Call) error {
		over := make(chan error, 1)
		go func() {
			_, err := call.NextDigit(ctx)
			over <- err
		}()
		_ = call.Noop(ctx, "")
		return <-over
	}
	for want, fake := range map[error]*agibridgetest.Fake{
		agibridge.ErrHungUp:   agibridgetest.New().HangUpAfter(1),
		agibridge.ErrCallLost: agibridgetest.New().LoseAfter(1),
	} {
		if outcome := fake.Run(t.Context(), waits); !errors.Is(outcome.Err, want) {
			t.Error(outcome.Err)
		}
	}
}

func TestToGiveUpWaitingForAKeyLeavesItToTheNextOne(t *testing.T) {
	driven(t, agibridgetest.New().PressAt("NOOP", "4"), func(ctx context.Context, call *agibridge.Call) error {
		given, giveUp := context.WithCancel(ctx)
		giveUp()
		if _, err := call.NextDigit(given); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if err := call.Noop(ctx, ""); err != nil {
			return err
		}
		if pressed, err := call.NextDigit(ctx); pressed.Digit != "4" || err != nil {
			t.Error(pressed, err)
		}
		return nil
	})
}

func TestMoreKeysThanAreTakenAreDroppedAndTheFirstOnesKept(t *testing.T) {
	var log bytes.Buffer
	fake := agibridgetest.New().Press(strings.Repeat("1", 64) + "23")
	fake.Log = slog.New(slog.NewTextHandler(&log, nil))
	driven(t, fake, func(ctx context.Context, call *agibridge.Call) error {
		if err := call.Noop(ctx, ""); err != nil {
			return err
		}
		typed, err := call.TakeDigits(ctx)
		if typed != strings.Repeat("1", 64) {
			t.Error(typed)
		}
		return err
	})
	if strings.Count(log.String(), "keys of the caller are dropped") != 1 {
		t.Error(log.String())
	}
}

func TestKeysAreMisuseAfterAHandoff(t *testing.T) {
	outcome := driven(t, agibridgetest.New().Press("99"), func(ctx context.Context, call *agibridge.Call) error {
		typed, err := call.TakeDigits(ctx)
		if err := errors.Join(err, call.Handoff(ctx, "/sales", []byte(typed))); err != nil {
			return err
		}
		_, next := call.NextDigit(ctx)
		_, take := call.TakeDigits(ctx)
		for _, err := range []error{next, take, call.Interrupt(ctx)} {
			if !errors.Is(err, agibridge.ErrMisuse) {
				t.Error(err)
			}
		}
		return nil
	})
	if string(outcome.HandoffState) != "99" {
		t.Error(outcome.HandoffState)
	}
}

func TestWhatCannotBeStoppedGoesOn(t *testing.T) {
	fake := agibridgetest.New().Hold("EXEC").PressAt("EXEC", "1")
	driven(t, fake, func(ctx context.Context, call *agibridge.Call) error {
		batch := call.Batch()
		batch.Exec("Dial", []string{"PJSIP/1"})
		if err := batch.Send(ctx); err != nil {
			return err
		}
		if _, err := call.NextDigit(ctx); err != nil {
			return err
		}
		if err := call.Interrupt(ctx); err != nil {
			return err
		}
		_, err := call.End(ctx)
		return err
	})
}
