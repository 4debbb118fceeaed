// A command of a script, as a call of the library's method for it.

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	agibridge "github.com/agi-bridge/agi-bridge/clients/go"
)

// fields are those of a command in ProtoJSON; what is absent is at its default.
type fields map[string]json.RawMessage

func (f fields) has(name string) bool {
	_, there := f[name]
	return there
}

func (f fields) text(name string) string {
	var text string
	if value, ok := f[name]; ok {
		must(json.Unmarshal(value, &text), name)
	}
	return text
}

func (f fields) texts(name string) []string {
	var texts []string
	if value, ok := f[name]; ok {
		must(json.Unmarshal(value, &texts), name)
	}
	return texts
}

func (f fields) number(name string) int64 {
	var number int64
	if value, ok := f[name]; ok {
		must(json.Unmarshal(value, &number), name)
	}
	return number
}

func (f fields) flag(name string) bool {
	var flag bool
	if value, ok := f[name]; ok {
		must(json.Unmarshal(value, &flag), name)
	}
	return flag
}

func (f fields) duration(name string) time.Duration {
	value, ok := f[name]
	if !ok {
		return 0
	}
	d, err := duration(value)
	must(err, name)
	return d
}

func (f fields) moment(name string) time.Time {
	text := f.text(name)
	if text == "" {
		return time.Unix(0, 0)
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	must(err, name)
	return at
}

func duration(value json.RawMessage) (time.Duration, error) {
	var text string
	if err := json.Unmarshal(value, &text); err != nil {
		return 0, err
	}
	return time.ParseDuration(text)
}

// badScript is what reading a script panics with; caught turns it into an error.
type badScript struct{ error }

func must(err error, name string) {
	if err != nil {
		panic(badScript{fmt.Errorf("%s: %w", name, err)})
	}
}

// parse gives the command's name and fields, and the options that every command takes.
func parse(value json.RawMessage) (string, fields, []agibridge.EveryOption, error) {
	var all fields
	if err := json.Unmarshal(value, &all); err != nil {
		return "", nil, nil, err
	}
	return split(all)
}

func split(all fields) (name string, its fields, options []agibridge.EveryOption, err error) {
	for key, value := range all {
		switch key {
		case "id":
		case "timeout":
			d, err := duration(value)
			if err != nil {
				return "", nil, nil, err
			}
			options = append(options, agibridge.ReplyTimeout(d))
		case "requiresSuccess":
			if string(value) == "true" {
				options = append(options, agibridge.RequiresSuccess())
			}
		default:
			name = key
			if err := json.Unmarshal(value, &its); err != nil {
				return "", nil, nil, fmt.Errorf("%s: %w", key, err)
			}
		}
	}
	if name == "" {
		return "", nil, nil, errors.New("a command without its kind")
	}
	return name, its, options, nil
}

// command runs one command by the method of Call.
func (r *run) command(ctx context.Context, value json.RawMessage) (err error) {
	defer caught(&err)
	name, its, options, err := parse(value)
	if err != nil {
		return err
	}
	r.sent++
	result, err := callMethod(ctx, r.call, name, its, options)
	return r.note(ctx, resultJSON(result), err)
}

func caught(err *error) {
	if value := recover(); value != nil {
		bad, ok := value.(badScript)
		if !ok {
			panic(value)
		}
		*err = bad.error
	}
}

// batch runs a batch; when it only begins, nobody waits for its results.
func (r *run) batch(ctx context.Context, value json.RawMessage, begins bool) (err error) {
	defer caught(&err)
	var items []struct {
		Command fields
		Cancel  *struct{ ID int }
	}
	if err := json.Unmarshal(value, &items); err != nil {
		return err
	}
	batch := r.call.Batch(agibridge.Independent())
	var results []func() (agibridge.Result, error)
	var cancelled []int
	for _, item := range items {
		if item.Cancel != nil {
			cancelled = append(cancelled, item.Cancel.ID)
			continue
		}
		name, its, options, err := split(item.Command)
		if err != nil {
			return err
		}
		r.sent++
		result, pending := batchMethod(batch, name, its, options)
		results = append(results, result)
		r.pending[r.sent] = pending
	}
	sendError := batch.Send(ctx)
	if begins {
		return sendError
	}
	for _, id := range cancelled {
		if pending := r.pending[id]; pending != nil {
			pending.Cancel()
		}
	}
	if errors.Is(sendError, agibridge.ErrMisuse) {
		return r.note(ctx, nil, sendError)
	}
	_ = batch.Wait(ctx) // each result has its own error
	var over error
	for _, result := range results {
		value, err := result()
		if stop := r.note(ctx, resultJSON(value), err); stop != nil {
			over = stop // all of the batch are noted before
		}
	}
	return over
}
