// Command router dials a department, and stores what became of it, also when the caller has hung up by then.
package main

import (
	"context"
	"errors"

	agibridge "github.com/agi-bridge/agi-bridge/clients/go"
	"github.com/agi-bridge/agi-bridge/clients/go/programs/internal/listen"
)

var departments = map[string]string{
	"sales":   "PJSIP/sales",
	"support": "PJSIP/support",
}

func main() { listen.Serve(route) }

func route(ctx context.Context, call *agibridge.Call) error {
	department := call.PathParameters["department"]
	target := call.Query.Get("to")
	if target == "" {
		target = departments[department]
	}
	if target == "" {
		if _, err := call.StreamFile(ctx, "pbx-invalid"); err != nil {
			return err
		}
		_, err := call.End(ctx, agibridge.ThenFail("there is no department "+department))
		return err
	}

	// After a hangup during the Dial, these three still work.
	if _, err := call.Exec(ctx, "Dial", []string{target, "20"}); err != nil && !errors.Is(err, agibridge.ErrHungUp) {
		return err
	}
	status, err := call.GetVariable(ctx, "DIALSTATUS")
	if err != nil {
		return err
	}
	routed := department + ":" + status.Value
	if err := call.DatabasePut(ctx, "router", call.Channel.UniqueID, routed); err != nil {
		return err
	}
	if err := call.SetVariable(ctx, "ROUTED", routed); err != nil {
		return err
	}
	if status.Value != "ANSWER" && !call.HungUp() {
		_, err = call.StreamFile(ctx, "vm-nobodyavail")
	}
	return err
}
