// Command bench-service runs the five commands of `make bench` for each call.
package main

import (
	"context"

	agibridge "github.com/agi-bridge/agi-bridge/clients/go"
	"github.com/agi-bridge/agi-bridge/clients/go/programs/internal/listen"
)

func main() { listen.Serve(five) }

func five(ctx context.Context, call *agibridge.Call) error {
	if err := call.SetVariable(ctx, "CALLED_BY", "bench"); err != nil {
		return err
	}
	if err := call.Verbose(ctx, "a line for the log", agibridge.VerboseLevel(1)); err != nil {
		return err
	}
	if err := call.Noop(ctx, "nothing at all"); err != nil {
		return err
	}
	if err := call.SetVariable(ctx, "MENU", "main,1"); err != nil {
		return err
	}
	return call.Noop(ctx, "and again nothing")
}
