// What a handler can rely on, shown on the fake call.

package agibridge_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	agibridge "github.com/agi-bridge/agi-bridge/clients/go"
	"github.com/agi-bridge/agi-bridge/clients/go/agibridgetest"
)

func sent(t *testing.T, outcome *agibridgetest.Outcome, want ...string) {
	t.Helper()
	if got := outcome.Sent(); !slices.Equal(got, want) {
		t.Errorf("sent\n%q, want\n%q", got, want)
	}
}

func TestCommandsAreSentInOrderWithTheirOptionsAndGiveTypedResults(t *testing.T) {
	fake := agibridgetest.New().Reply("GET DATA", agibridge.Digits{Digits: "0012"})
	outcome := fake.Run(t.Context(), func(ctx context.Context, call *agibridge.Call) error {
		if err := call.Answer(ctx, agibridge.ReplyTimeout(2*time.Second)); err != nil {
			return err
		}
		pin, err := call.GetData(ctx, "enter pin", agibridge.Timeout(1500*time.Millisecond), agibridge.MaxDigits(4))
		if err != nil {
			return err
		}
		return call.SetVariable(ctx, "PIN", pin.Digits, agibridge.RequiresSuccess())
	})
	if outcome.Err != nil || outcome.Next != agibridgetest.Continue {
		t.Errorf("%v, %v", outcome.Err, outcome.Next)
	}
	sent(t, outcome,
		"ANSWER reply_timeout=2s",
		`GET DATA file="enter pin" timeout=1.5s max_digits=4`,
		"SET VARIABLE name=PIN value=0012 requires_success=true")
}

func TestAFailedCommandIsACommandErrorWithCodeDetailAndName(t *testing.T) {
	fake := agibridgetest.New().Fail("STREAM FILE", agibridge.CodeFailed, "no such file").Fail("STREAM FILE", 77, "")
	fake.Run(t.Context(), func(ctx context.Context, call *agibridge.Call) error {
		_, err := call.StreamFile(ctx, "nosuch")
		var failed *agibridge.CommandError
		if !errors.As(err, &failed) || failed.Code != agibridge.CodeFailed || failed.Detail != "no such file" ||
			failed.Command != "STREAM FILE" || errors.Is(err, agibridge.ErrHungUp) {
			t.Errorf("%v", err)
		}
		_, err = call.StreamFile(ctx, "nosuch")
		if !errors.As(err, &failed) || failed.Code.String() != "UNKNOWN(77)" {
			t.Errorf("%v", err)
		}
		return nil
	})
}

func TestAHangupIsTheErrorOfWhatNeedsAChannelAndTheRestStillRuns(t *testing.T) {
	fake := agibridgetest.New().HangUpAt("EXEC").Reply("GET VARIABLE", agibridge.Value{Value: "CANCEL", Exists: true})
	outcome := fake.Run(t.Context(), func(ctx context.Context, call *agibridge.Call) error {
		if call.HungUp() {
			t.Error("hung up before")
		}
		if _, err := call.Exec(ctx, "Dial", []string{"PJSIP/1", "20"}); err != nil {
			return err
		}
		<-call.HangupSignal()
		if its, told := call.Hangup(); !told || its.Source != agibridge.HangupSignal || its.Grace != 10*time.Second {
			t.Errorf("%+v %v", its, told)
		}
		status, err := call.GetVariable(ctx, "DIALSTATUS")
		if err != nil || status.Value != "CANCEL" {
			t.Errorf("%v %v", status, err)
		}
		_, err = call.StreamFile(ctx, "vm-nobodyavail")
		return err
	})
	if !errors.Is(outcome.Err, agibridge.ErrHungUp) || outcome.Next != agibridgetest.Continue || !outcome.HungUp {
		t.Errorf("%v %v", outcome.Err, outcome.Next)
	}
}

func TestAHandlerIsCancelledAfterTheGraceWithTheHangupAsCause(t *testing.T) {
	fake := agibridgetest.New().HangUpAfter(0)
	fake.Grace = time.Millisecond
	outcome := fake.Run(t.Context(), func(ctx context.Context, _ *agibridge.Call) error {
		<-ctx.Done()
		return context.Cause(ctx)
	})
	if !errors.Is(outcome.Err, agibridge.ErrHungUp) || outcome.Next != agibridgetest.Continue {
		t.Errorf("%v %v", outcome.Err, outcome.Next)
	}
}

func TestAfterALostStreamCommandsFailAndTheHandlerIsCancelled(t *testing.T) {
	fake := agibridgetest.New().LoseAfter(1)
	fake.CleanupTimeout = time.Millisecond
	outcome := fake.Run(t.Context(), func(ctx context.Context, call *agibridge.Call) error {
		if err := call.Answer(ctx); err != nil {
			t.Error(err)
		}
		<-call.OverSignal()
		if err := call.Noop(ctx, "x"); !errors.Is(err, agibridge.ErrCallLost) {
			t.Error(err)
		}
		<-ctx.Done()
		return context.Cause(ctx)
	})
	if !errors.Is(outcome.Err, agibridge.ErrCallLost) || outcome.Next != agibridgetest.Lost {
		t.Errorf("%v %v", outcome.Err, outcome.Next)
	}
}

func TestEndSetsVariablesAndSaysHowTheCallGoesOn(t *testing.T) {
	outcome := agibridgetest.New().Run(t.Context(), func(ctx context.Context, call *agibridge.Call) error {
		if _, err := call.End(ctx, agibridge.ThenHangUp(), agibridge.ThenFail("x")); !errors.Is(err, agibridge.ErrMisuse) {
			t.Error(err)
		}
		ended, err := call.End(ctx, agibridge.WithVariable("SCORE", "1/2"), agibridge.ThenGoto("agents", "s", 1))
		if err != nil || ended.Reason != agibridge.EndedByService {
			t.Errorf("%v %v", ended, err)
		}
		var failed *agibridge.CommandError
		if err := call.Noop(ctx, ""); !errors.As(err, &failed) || failed.Code != agibridge.CodeCallEnded {
			t.Error(err)
		}
		return nil
	})
	if outcome.Variables["SCORE"] != "1/2" || outcome.Next != agibridgetest.Goto || outcome.Goto != "agents,s,1" {
		t.Errorf("%+v", outcome)
	}
}

func TestAnErrorOrAPanicFailsTheCallForAnotherService(t *testing.T) {
	for name, handler := range map[string]agibridge.Handler{
		"error": func(context.Context, *agibridge.Call) error { return errors.New("oops") },
		"panic": func(context.Context, *agibridge.Call) error { panic("oops") },
	} {
		outcome := agibridgetest.New().Run(t.Context(), handler)
		if outcome.Next != agibridgetest.Failed {
			t.Errorf("%s: %+v", name, outcome)
		}
	}
}

func TestReleaseAndHandoffGiveTheCallAwayAndCommandsAreMisuseThen(t *testing.T) {
	outcome := agibridgetest.New().Run(t.Context(), func(ctx context.Context, call *agibridge.Call) error {
		if err := call.Release(ctx, "restart"); err != nil {
			t.Error(err)
		}
		if err := call.Noop(ctx, ""); !errors.Is(err, agibridge.ErrMisuse) {
			t.Error(err)
		}
		return nil
	})
	if outcome.Next != agibridgetest.Released || outcome.Reason != "restart" {
		t.Errorf("%+v", outcome)
	}
	outcome = agibridgetest.New().Run(t.Context(), func(ctx context.Context, call *agibridge.Call) error {
		if err := call.Handoff(ctx, "/sales", []byte("state")); err != nil {
			t.Error(err)
		}
		if err := call.Noop(ctx, ""); !errors.Is(err, agibridge.ErrMisuse) {
			t.Error(err)
		}
		return nil
	})
	if outcome.Next != agibridgetest.HandedOff || outcome.Handoff != "/sales" || string(outcome.HandoffState) != "state" {
		t.Errorf("%+v", outcome)
	}
}

func TestABatchStopsAtItsFirstFaultUnlessItIsIndependent(t *testing.T) {
	for _, independent := range []bool{false, true} {
		fake := agibridgetest.New().Fail("STREAM FILE", agibridge.CodeFailed, "").Reply("GET DATA", agibridge.Digits{Digits: "7"})
		fake.Run(t.Context(), func(ctx context.Context, call *agibridge.Call) error {
			var options []agibridge.BatchOption
			if independent {
				options = append(options, agibridge.Independent())
			}
			batch := call.Batch(options...)
			answer := batch.Answer()
			file := batch.StreamFile("nosuch")
			digits := batch.GetData("beep")
			if _, err := digits.Result(); !errors.Is(err, agibridge.ErrMisuse) {
				t.Error("a result before Run")
			}
			err := batch.Run(ctx)
			var failed *agibridge.CommandError
			if !errors.As(err, &failed) || failed.Command != "STREAM FILE" {
				t.Error(err)
			}
			if _, err := answer.Result(); err != nil {
				t.Error(err)
			}
			if _, err := file.Result(); !errors.As(err, &failed) || failed.Code != agibridge.CodeFailed {
				t.Error(err)
			}
			got, err := digits.Result()
			if independent && (err != nil || got.Digits != "7") {
				t.Error(got, err)
			}
			if !independent && (!errors.As(err, &failed) || failed.Code != agibridge.CodeSkipped) {
				t.Error(err)
			}
			return nil
		})
	}
}

func TestABatchLongerThanTheQueueWaitsForRoom(t *testing.T) {
	fake := agibridgetest.New()
	fake.MaxQueuedCommands = 2
	outcome := fake.Run(t.Context(), func(ctx context.Context, call *agibridge.Call) error {
		batch := call.Batch()
		for range 100 {
			batch.Noop("x")
		}
		return batch.Run(ctx)
	})
	if outcome.Err != nil || len(outcome.Commands) != 100 {
		t.Error(outcome.Err, len(outcome.Commands))
	}
}

func TestACallOfAnotherHandlerOrOneThatIsOverIsMisuse(t *testing.T) {
	var old *agibridge.Call
	agibridgetest.New().Run(t.Context(), func(_ context.Context, call *agibridge.Call) error {
		old = call
		return nil
	})
	if err := old.Noop(t.Context(), ""); !errors.Is(err, agibridge.ErrMisuse) {
		t.Error("after the handler:", err)
	}
	agibridgetest.New().Run(t.Context(), func(_ context.Context, first *agibridge.Call) error {
		agibridgetest.New().Run(t.Context(), func(ctx context.Context, second *agibridge.Call) error {
			if err := first.Noop(ctx, ""); !errors.Is(err, agibridge.ErrMisuse) {
				t.Error("of another handler:", err)
			}
			if err := first.Noop(context.Background(), ""); err != nil {
				t.Error("without a handler's context:", err)
			}
			return second.Noop(ctx, "")
		})
		return nil
	})
	if err := new(agibridge.Call).Noop(t.Context(), ""); !errors.Is(err, agibridge.ErrMisuse) {
		t.Error("of nobody:", err)
	}
}

func TestACheckpointAndWhatTheNextHandlerGets(t *testing.T) {
	outcome := agibridgetest.New().Run(t.Context(), func(ctx context.Context, call *agibridge.Call) error {
		return call.Checkpoint(ctx, []byte("step 1"))
	})
	if len(outcome.Checkpoints) != 1 || string(outcome.Checkpoints[0]) != "step 1" {
		t.Errorf("%q", outcome.Checkpoints)
	}
	fake := agibridgetest.New().Reply("GET DATA", agibridge.Digits{Digits: "42"})
	fake.Resumption = &agibridge.Resumption{
		Cause: agibridge.ServiceLost, Attempt: 2, Checkpoint: []byte("step 1"), LastCommandID: 7,
		Results: []agibridge.PastResult{
			{CommandID: 5, Result: agibridge.Digit{Digit: "3"}},
			{CommandID: 6, Err: &agibridge.CommandError{Code: agibridge.CodeFailed}},
		},
		Running: &agibridge.Running{CommandID: 7, Command: "GET DATA"},
	}
	fake.Run(t.Context(), func(ctx context.Context, call *agibridge.Call) error {
		before := call.Resumption
		if before.Attempt != 2 || string(before.Checkpoint) != "step 1" || before.Results[0].Result != (agibridge.Digit{Digit: "3"}) {
			t.Errorf("%+v", before)
		}
		var failed *agibridge.CommandError
		if !errors.As(before.Results[1].Err, &failed) || failed.Code != agibridge.CodeFailed {
			t.Error(before.Results[1].Err)
		}
		running, err := before.Running.Wait(ctx)
		if err != nil || running != (agibridge.Digits{Digits: "42"}) || before.Running.Command != "GET DATA" {
			t.Error(running, err)
		}
		return call.Noop(ctx, "")
	})
}

func TestProgressIsToldBeforeTheResult(t *testing.T) {
	fake := agibridgetest.New().Progress("GOSUB", "running")
	fake.Run(t.Context(), func(ctx context.Context, call *agibridge.Call) error {
		var told []agibridge.Progress
		call.OnProgress(func(it agibridge.Progress) { told = append(told, it) })
		if _, err := call.Gosub(ctx, "subs", "s", "1", nil); err != nil {
			t.Error(err)
		}
		if len(told) != 1 || told[0] != (agibridge.Progress{CommandID: 1, Command: "GOSUB", Text: "running"}) {
			t.Errorf("%+v", told)
		}
		return nil
	})
}

func TestDrainingIsToldWithItsDeadline(t *testing.T) {
	agibridgetest.New().DrainAfter(0).Run(t.Context(), func(_ context.Context, call *agibridge.Call) error {
		<-call.DrainingSignal()
		if deadline, draining := call.Draining(); !draining || deadline.Before(time.Now()) {
			t.Error(deadline, draining)
		}
		return nil
	})
}

func TestAskRepeatsUntilTheDigitsWillDo(t *testing.T) {
	fake := agibridgetest.New().Reply("GET DATA", agibridge.Digits{TimedOut: true}, agibridge.Digits{Digits: "99"},
		agibridge.Digits{Digits: "1234"})
	outcome := fake.Run(t.Context(), func(ctx context.Context, call *agibridge.Call) error {
		digits, err := call.Ask(ctx, "pin", agibridge.MaxDigits(4), agibridge.Invalid("wrong"),
			agibridge.Validate(func(digits string) bool { return digits == "1234" }))
		if err != nil || digits != "1234" {
			t.Error(digits, err)
		}
		_, err = call.Ask(ctx, "pin", agibridge.Tries(1))
		return err
	})
	ask := "GET DATA file=pin timeout=5s max_digits=4"
	sent(t, outcome, ask, ask, "STREAM FILE file=wrong", ask, "GET DATA file=pin timeout=5s")
	if !errors.Is(outcome.Err, agibridge.ErrNoInput) || outcome.Next != agibridgetest.Continue {
		t.Error(outcome.Err, outcome.Next)
	}
}

func TestMenuConfirmAndPlayGiveTheChoice(t *testing.T) {
	fake := agibridgetest.New().
		Reply("GET OPTION", agibridge.Playback{Digit: "9"}, agibridge.Playback{Digit: "1"}, agibridge.Playback{Digit: "2"}).
		Reply("STREAM FILE", agibridge.Playback{}, agibridge.Playback{}, agibridge.Playback{Digit: "5"})
	outcome := fake.Run(t.Context(), func(ctx context.Context, call *agibridge.Call) error {
		choice, err := agibridge.Menu(ctx, call, "menu", map[string]int{"1": 10}, agibridge.Invalid("wrong"))
		if err != nil || choice != 10 {
			t.Error(choice, err)
		}
		yes, err := call.Confirm(ctx, "sure", agibridge.Timeout(time.Second))
		if err != nil || yes {
			t.Error(yes, err)
		}
		digit, err := call.Play(ctx, []string{"a", "b", "c"}, agibridge.EscapeDigits("5"))
		if err != nil || digit != "5" {
			t.Error(digit, err)
		}
		return nil
	})
	menu := "GET OPTION file=menu escape_digits=0123456789*# timeout=5s"
	sent(t, outcome, menu, "STREAM FILE file=wrong", menu,
		"GET OPTION file=sure escape_digits=0123456789*# timeout=1s",
		"STREAM FILE file=a escape_digits=5", "STREAM FILE file=b escape_digits=5")
}

func TestACommandOfACancelledContextIsNotSent(t *testing.T) {
	outcome := agibridgetest.New().Run(t.Context(), func(ctx context.Context, call *agibridge.Call) error {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		if err := call.Noop(ctx, ""); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		return nil
	})
	sent(t, outcome)
}
