// Command hello answers, greets, and says the caller's number.
package main

import (
	"context"

	agibridge "github.com/agi-bridge/agi-bridge/clients/go"
	"github.com/agi-bridge/agi-bridge/clients/go/programs/internal/listen"
)

func main() { listen.Serve(hello) }

func hello(ctx context.Context, call *agibridge.Call) error {
	if err := call.Answer(ctx); err != nil {
		return err
	}
	if _, err := call.StreamFile(ctx, "hello-world"); err != nil {
		return err
	}
	if number := call.Channel.CallerIDNumber; number != "" {
		if _, err := call.SayDigits(ctx, number); err != nil {
			return err
		}
	}
	return nil
}
