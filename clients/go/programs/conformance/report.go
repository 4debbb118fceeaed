// The line that tells of a call, in the contract's ProtoJSON, made from the library's own types.

package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	agibridge "github.com/agi-bridge/agi-bridge/clients/go"
)

type object = map[string]any

func (r *run) report(ctx context.Context, err error) object {
	call := r.call
	how, message := ended(ctx, err)
	r.mu.Lock()
	defer r.mu.Unlock()
	attempt := uint32(0)
	if call.Resumption != nil {
		attempt = call.Resumption.Attempt
	}
	return object{
		"event": "call", "script": r.name, "attempt": attempt,
		"started": started(call), "resumption": resumption(call.Resumption),
		"results": orEmpty(r.results), "progress": orEmpty(r.progress),
		"handler": how, "message": message,
	}
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// ended tells how the handler ended.
func ended(ctx context.Context, err error) (how, message string) {
	var thrown *errThrown
	switch {
	case err == nil:
		return "returned", ""
	case errors.As(err, &thrown):
		return "failed", thrown.text
	case ctx.Err() != nil:
		return "cancelled", ""
	case errors.Is(err, agibridge.ErrHungUp):
		return "hung_up", ""
	case errors.Is(err, agibridge.ErrCallLost):
		return "lost", ""
	default:
		return "failed", err.Error()
	}
}

func started(call *agibridge.Call) object {
	return object{
		"callId": call.ID, "route": call.Route,
		"pathParameters": call.PathParameters, "queryParameters": call.Query,
		"arguments": orEmpty(call.Arguments), "channel": channel(call.Channel),
		"environment": call.Environment, "maxQueuedCommands": call.MaxQueuedCommands,
	}
}

func channel(its agibridge.Channel) object {
	return strip(object{
		"name": its.Name, "uniqueId": its.UniqueID, "type": its.Type, "language": its.Language,
		"callerIdNumber": its.CallerIDNumber, "callerIdName": its.CallerIDName, "dialedNumber": its.DialedNumber,
		"redirectingNumber": its.RedirectingNumber, "context": its.Context, "extension": its.Extension,
		"priority": its.Priority, "accountCode": its.AccountCode, "asteriskVersion": its.AsteriskVersion,
	})
}

// strip leaves out what is at its default, as ProtoJSON does.
func strip(it object) object {
	for key, value := range it {
		switch value {
		case "", false, int32(0), uint32(0), 0:
			delete(it, key)
		}
	}
	return it
}

func resumption(before *agibridge.Resumption) any {
	if before == nil {
		return nil
	}
	results := []any{}
	for _, past := range before.Results {
		if past.Err != nil {
			results = append(results, object{"error": errorOf(past.Err)})
		} else {
			results = append(results, resultJSON(past.Result))
		}
	}
	line := object{
		"cause": "CAUSE_" + before.Cause.String(), "attempt": before.Attempt, "results": results,
		"resultsTruncated": before.ResultsTruncated, "hungUp": before.HungUp, "lastCommandId": before.LastCommandID,
	}
	if before.Checkpoint != nil {
		line["checkpoint"] = base64.StdEncoding.EncodeToString(before.Checkpoint)
	}
	if before.Running != nil {
		line["running"] = before.Running.CommandID
	}
	return line
}

// fate is what became of the call, once its stream is over.
func fate(call *agibridge.Call) (hangup, draining, ended any) {
	if its, ok := call.Hangup(); ok {
		hangup = strip(object{"source": "SOURCE_" + its.Source.String(), "grace": seconds(its.Grace)})
	}
	_, drains := call.Draining()
	if its, ok := call.Ended(); ok {
		ended = strip(object{
			"reason": "REASON_" + its.Reason.String(), "detail": its.Detail, "duration": seconds(its.Duration),
			"commands": its.Commands,
		})
	}
	return hangup, drains, ended
}

func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s"
}

// errorOf names an error as the tests do.
func errorOf(err error) object {
	var failed *agibridge.CommandError
	code := "FAILED_HERE"
	switch {
	case errors.As(err, &failed):
		code = failed.Code.String()
		if !strings.HasPrefix(code, "UNKNOWN(") {
			code = "CODE_" + code
		}
	case errors.Is(err, agibridge.ErrCallLost):
		code = "LOST"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		code = "CANCELLED_HERE"
	case errors.Is(err, agibridge.ErrHungUp):
		code = "CODE_HUNG_UP"
	case errors.Is(err, agibridge.ErrNoInput):
		code = "NO_INPUT"
	case errors.Is(err, agibridge.ErrMisuse):
		code = "MISUSE"
	}
	return object{"code": code, "message": err.Error()}
}

// resultJSON gives a typed result as the contract has it.
func resultJSON(result agibridge.Result) any {
	switch it := result.(type) {
	case agibridge.Done:
		return object{"done": object{}}
	case agibridge.Playback:
		line := strip(object{"digit": it.Digit})
		if it.EndKnown {
			line["endSamples"] = it.EndSamples
		}
		return object{"playback": line}
	case agibridge.ControlledPlayback:
		line := strip(object{"digit": it.Digit})
		if it.EndKnown {
			line["endMilliseconds"] = it.End.Milliseconds()
		}
		return object{"playback": line}
	case agibridge.Digit:
		return object{"digit": strip(object{"digit": it.Digit})}
	case agibridge.Digits:
		return object{"digits": strip(object{"digits": it.Digits, "timedOut": it.TimedOut})}
	case agibridge.Value:
		line := object{}
		if it.Exists {
			line["value"] = it.Value
		}
		return object{"value": line}
	case agibridge.ChannelStatus:
		return object{"channelStatus": object{"state": "CHANNEL_STATE_" + it.State.String()}}
	case agibridge.ExecResult:
		return object{"exec": strip(object{"result": it.Result})}
	case agibridge.Recording:
		return object{"recording": strip(object{
			"end": "END_" + it.End.String(), "digit": it.Digit, "endSamples": it.EndSamples,
		})}
	case agibridge.Text:
		line := object{}
		if it.Received {
			line["text"] = it.Text
		}
		return object{"text": line}
	case agibridge.Speech:
		return object{"speech": speech(it)}
	case agibridge.GosubResult:
		return object{"gosub": strip(object{"abnormalExit": it.AbnormalExit, "returnValue": it.ReturnValue})}
	case agibridge.RawReply:
		line := strip(object{"code": it.Code, "result": it.Result, "text": it.Text})
		if it.HasValue {
			line["value"] = it.Value
		}
		return object{"raw": line}
	case nil:
		return nil
	default:
		return object{"unknown": fmt.Sprintf("%T", it)}
	}
}

func speech(it agibridge.Speech) object {
	line := strip(object{"end": "END_" + it.End.String(), "digit": it.Digit, "endSamples": it.EndSamples})
	var matches []any
	for _, match := range it.Matches {
		matches = append(matches, strip(object{"score": match.Score, "text": match.Text, "grammar": match.Grammar}))
	}
	if matches != nil {
		line["matches"] = matches
	}
	return line
}
