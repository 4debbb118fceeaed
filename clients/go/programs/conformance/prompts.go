// The steps that call the library's helpers, and those that end a script's part in the call.

package main

import (
	"context"
	"encoding/base64"
	"encoding/json"

	agibridge "github.com/agi-bridge/agi-bridge/clients/go"
)

// retries are the options that the helpers share.
func retries(f fields) []agibridge.RetryOption {
	var its []agibridge.RetryOption
	if f.has("tries") {
		its = append(its, agibridge.Tries(int(f.number("tries"))))
	}
	if f.has("invalid") {
		its = append(its, agibridge.Invalid(f.text("invalid")))
	}
	return its
}

func promptOptions[O any](f fields) []O {
	var its []O
	for _, it := range retries(f) {
		its = append(its, it.(O))
	}
	if f.has("timeout") {
		its = append(its, agibridge.Timeout(f.duration("timeout")).(O))
	}
	return its
}

func (r *run) prompt(ctx context.Context, kind string, value json.RawMessage) (err error) {
	defer caught(&err)
	var f fields
	if err := json.Unmarshal(value, &f); err != nil {
		return err
	}
	given := map[string]any{}
	switch kind {
	case "play":
		var options []agibridge.PlayOption
		if f.has("escapeDigits") {
			options = append(options, agibridge.EscapeDigits(f.text("escapeDigits")))
		}
		var digit string
		digit, err = r.call.Play(ctx, f.texts("files"), options...)
		if digit != "" {
			given["digit"] = digit
		}
	case "ask":
		options := promptOptions[agibridge.AskOption](f)
		if f.has("maxDigits") {
			options = append(options, agibridge.MaxDigits(uint32(f.number("maxDigits"))))
		}
		if f.has("accept") {
			accept := f.text("accept")
			options = append(options, agibridge.Validate(func(digits string) bool { return digits == accept }))
		}
		given["digits"], err = r.call.Ask(ctx, f.text("prompt"), options...)
	case "menu":
		var choices map[string]string
		if err := json.Unmarshal(f["choices"], &choices); err != nil {
			return err
		}
		options := promptOptions[agibridge.MenuOption](f)
		given["choice"], err = agibridge.Menu(ctx, r.call, f.text("prompt"), choices, options...)
	case "confirm":
		options := promptOptions[agibridge.ConfirmOption](f)
		if f.has("yes") {
			options = append(options, agibridge.YesDigit(f.text("yes")))
		}
		if f.has("no") {
			options = append(options, agibridge.NoDigit(f.text("no")))
		}
		given["yes"], err = r.call.Confirm(ctx, f.text("prompt"), options...)
	}
	return r.note(ctx, map[string]any{kind: given}, err)
}

func (r *run) nextDigit(ctx context.Context, value json.RawMessage) (err error) {
	defer caught(&err)
	var f fields
	if err := json.Unmarshal(value, &f); err != nil {
		return err
	}
	var options []agibridge.DigitOption
	if f.has("timeout") {
		options = append(options, agibridge.Timeout(f.duration("timeout")))
	}
	pressed, err := r.call.NextDigit(ctx, options...)
	given := map[string]any{}
	if pressed.Digit != "" {
		given["digit"], given["heldMs"] = pressed.Digit, pressed.Duration.Milliseconds()
	}
	return r.note(ctx, map[string]any{"nextDigit": given}, err)
}

func (r *run) takeDigits(ctx context.Context) error {
	digits, err := r.call.TakeDigits(ctx)
	return r.note(ctx, map[string]any{"takeDigits": map[string]any{"digits": digits}}, err)
}

func (r *run) checkpoint(ctx context.Context, value json.RawMessage) error {
	var it struct{ State string }
	if err := json.Unmarshal(value, &it); err != nil {
		return err
	}
	state, err := base64.StdEncoding.DecodeString(it.State)
	if err != nil {
		return err
	}
	return r.goOn(ctx, r.call.Checkpoint(ctx, state))
}

func (r *run) handoff(ctx context.Context, value json.RawMessage) error {
	var it struct {
		Route string
		State *string
	}
	if err := json.Unmarshal(value, &it); err != nil {
		return err
	}
	var state []byte
	if it.State != nil {
		decoded, err := base64.StdEncoding.DecodeString(*it.State)
		if err != nil {
			return err
		}
		state = append([]byte{}, decoded...)
	}
	return r.goOn(ctx, r.call.Handoff(ctx, it.Route, state))
}

func (r *run) end(ctx context.Context, value json.RawMessage) error {
	var it struct {
		Variables    map[string]string
		FailDialplan *struct{ Reason string }
		GotoDialplan *struct {
			Context, Extension string
			Priority           int32
		}
		HangUp *struct{}
	}
	if err := json.Unmarshal(value, &it); err != nil {
		return err
	}
	var options []agibridge.EndOption
	for name, value := range it.Variables {
		options = append(options, agibridge.WithVariable(name, value))
	}
	if fail := it.FailDialplan; fail != nil {
		options = append(options, agibridge.ThenFail(fail.Reason))
	}
	if place := it.GotoDialplan; place != nil {
		options = append(options, agibridge.ThenGoto(place.Context, place.Extension, place.Priority))
	}
	if it.HangUp != nil {
		options = append(options, agibridge.ThenHangUp())
	}
	_, err := r.call.End(ctx, options...)
	return r.goOn(ctx, err)
}
