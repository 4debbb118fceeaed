// The contract's ProtoJSON, from and to what the library has.

package main

import (
	"time"

	agibridge "github.com/agi-bridge/agi-bridge/clients/go"
)

type originate struct {
	Server    string `json:"server"`
	RequestID string `json:"requestId"`
	Channel   string `json:"channel"`
	Dialplan  *struct {
		Context   string `json:"context"`
		Extension string `json:"extension"`
		Priority  int32  `json:"priority"`
	} `json:"dialplan"`
	Application *struct {
		Application string `json:"application"`
		Data        string `json:"data"`
	} `json:"application"`
	Route          string            `json:"route"`
	CallerIDName   string            `json:"callerIdName"`
	CallerIDNumber string            `json:"callerIdNumber"`
	RingTimeout    string            `json:"ringTimeout"`
	Variables      map[string]string `json:"variables"`
	AccountCode    string            `json:"accountCode"`
	EarlyMedia     bool              `json:"earlyMedia"`
	Codecs         []string          `json:"codecs"`
	WaitForOutcome bool              `json:"waitForOutcome"`
}

func (o *originate) call() (agibridge.Originate, error) {
	ringTimeout, err := duration(o.RingTimeout)
	call := agibridge.Originate{
		Server: o.Server, RequestID: o.RequestID, Channel: o.Channel, CallerIDName: o.CallerIDName,
		CallerIDNumber: o.CallerIDNumber, RingTimeout: ringTimeout, Variables: o.Variables, AccountCode: o.AccountCode,
		EarlyMedia: o.EarlyMedia, Codecs: o.Codecs, DontWait: !o.WaitForOutcome,
	}
	switch {
	case o.Dialplan != nil:
		call.Destination = agibridge.Extension(*o.Dialplan)
	case o.Application != nil:
		call.Destination = agibridge.Application{Name: o.Application.Application, Data: o.Application.Data}
	case o.Route != "":
		call.Destination = agibridge.Route(o.Route)
	}
	return call, err
}

type header struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type sendAction struct {
	Server  string   `json:"server"`
	Action  string   `json:"action"`
	Headers []header `json:"headers"`
	Timeout string   `json:"timeout"`
}

func (a *sendAction) action() (agibridge.Action, error) {
	timeout, err := duration(a.Timeout)
	action := agibridge.Action{Server: a.Server, Name: a.Action, Timeout: timeout}
	for _, it := range a.Headers {
		action.Headers = append(action.Headers, agibridge.Header(it))
	}
	return action, err
}

type watch struct {
	Server string            `json:"server"`
	Names  []string          `json:"names"`
	Match  map[string]string `json:"match"`
}

func duration(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	return time.ParseDuration(text)
}

func originated(it agibridge.Originated) any {
	return map[string]any{
		"outcome": "OUTCOME_" + it.Outcome.String(), "channel": it.Channel, "uniqueId": it.UniqueID, "detail": it.Detail,
		"requestId": it.RequestID,
	}
}

func response(it agibridge.ActionResponse) any {
	events := []any{}
	for _, each := range it.Events {
		events = append(events, event(each))
	}
	return map[string]any{
		"success": it.Success, "message": it.Message, "headers": headers(it.Headers), "events": events,
		"output": append([]string{}, it.Output...), "truncated": it.Truncated,
	}
}

func headers(all agibridge.Headers) []header {
	made := []header{}
	for _, it := range all {
		made = append(made, header(it))
	}
	return made
}

func event(it agibridge.Event) any {
	return map[string]any{
		"server": it.Server, "name": it.Name, "headers": headers(it.Headers), "receivedAt": it.ReceivedAt.Format(time.RFC3339Nano),
	}
}

func server(it agibridge.ServerState) any {
	return map[string]any{
		"server": it.Server, "connected": it.Connected, "asteriskVersion": it.AsteriskVersion, "detail": it.Detail,
	}
}

func servers(all []agibridge.ServerState) any {
	made := []any{}
	for _, it := range all {
		made = append(made, server(it))
	}
	return map[string]any{"servers": made}
}
