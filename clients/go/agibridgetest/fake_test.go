// The fake call's own promises.

package agibridgetest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	agibridge "github.com/agi-bridge/agi-bridge/clients/go"
	"github.com/agi-bridge/agi-bridge/clients/go/agibridgetest"
)

func TestEveryKindOfResultComesBackAsItWasScripted(t *testing.T) {
	fake := agibridgetest.New()
	scripted := map[string]agibridge.Result{
		"GET OPTION":          agibridge.Playback{Digit: "1", EndSamples: 800, EndKnown: true},
		"CONTROL STREAM FILE": agibridge.ControlledPlayback{End: time.Second, EndKnown: true},
		"SAY DIGITS":          agibridge.Digit{Digit: "#"},
		"GET DATA":            agibridge.Digits{Digits: "12", TimedOut: true},
		"GET VARIABLE":        agibridge.Value{Exists: true},
		"CHANNEL STATUS":      agibridge.ChannelStatus{State: agibridge.ChannelRing},
		"EXEC":                agibridge.ExecResult{Result: -1},
		"RECORD FILE":         agibridge.Recording{End: agibridge.RecordingDigit, Digit: "#", EndSamples: 1},
		"RECEIVE TEXT":        agibridge.Text{Text: "hi", Received: true},
		"GOSUB":               agibridge.GosubResult{ReturnValue: "5"},
		"RAW":                 agibridge.RawReply{Code: 520, Text: "520 usage", HasValue: true},
	}
	for command, result := range scripted {
		fake.Reply(command, result)
	}
	fake.Run(t.Context(), func(ctx context.Context, call *agibridge.Call) error {
		check := func(command string, got agibridge.Result, err error) {
			if err != nil || got != scripted[command] {
				t.Errorf("%s: %+v %v", command, got, err)
			}
		}
		option, err := call.GetOption(ctx, "f")
		check("GET OPTION", option, err)
		control, err := call.ControlStreamFile(ctx, "f")
		check("CONTROL STREAM FILE", control, err)
		digit, err := call.SayDigits(ctx, "1")
		check("SAY DIGITS", digit, err)
		digits, err := call.GetData(ctx, "f")
		check("GET DATA", digits, err)
		value, err := call.GetVariable(ctx, "v")
		check("GET VARIABLE", value, err)
		state, err := call.ChannelStatus(ctx)
		check("CHANNEL STATUS", state, err)
		exec, err := call.Exec(ctx, "Dial", nil)
		check("EXEC", exec, err)
		recording, err := call.RecordFile(ctx, "f", "wav")
		check("RECORD FILE", recording, err)
		text, err := call.ReceiveText(ctx)
		check("RECEIVE TEXT", text, err)
		gosub, err := call.Gosub(ctx, "c", "s", "1", nil)
		check("GOSUB", gosub, err)
		raw, err := call.Raw(ctx, "X")
		check("RAW", raw, err)

		control, err = call.ControlStreamFile(ctx, "f")
		if err != nil || control != (agibridge.ControlledPlayback{}) {
			t.Error("one that played to its end:", control, err)
		}
		return nil
	})
}

func TestTheCallerHangsUpAfterSoManyCommands(t *testing.T) {
	outcome := agibridgetest.New().HangUpAfter(2).Run(t.Context(), func(ctx context.Context, call *agibridge.Call) error {
		for {
			if _, err := call.StreamFile(ctx, "x"); err != nil {
				return err
			}
		}
	})
	if len(outcome.Commands) != 3 || !errors.Is(outcome.Err, agibridge.ErrHungUp) {
		t.Error(outcome.Sent(), outcome.Err)
	}
}

func TestTheEndOfTheTestsContextBreaksTheStream(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	fake := agibridgetest.New()
	fake.CleanupTimeout = time.Millisecond
	outcome := fake.Run(ctx, func(ctx context.Context, _ *agibridge.Call) error {
		cancel()
		<-ctx.Done()
		return context.Cause(ctx)
	})
	if outcome.Next != agibridgetest.Lost || !errors.Is(outcome.Err, agibridge.ErrCallLost) {
		t.Error(outcome.Next, outcome.Err)
	}
}
