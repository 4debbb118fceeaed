// What the README shows, as far as it is more than a line.

package agibridge_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	agibridge "github.com/agi-bridge/agi-bridge/clients/go"
	"github.com/agi-bridge/agi-bridge/clients/go/agibridgetest"
)

func hello(ctx context.Context, call *agibridge.Call) error {
	if err := call.Answer(ctx); err != nil {
		return err
	}
	_, err := call.StreamFile(ctx, "hello-world")
	return err
}

func ExampleServe() {
	if err := agibridge.Serve(context.Background(), ":50051", hello); err != nil {
		log.Fatal(err)
	}
}

func ExampleWork() {
	err := agibridge.Work(context.Background(), "agi-bridge:4575", []string{"sales"}, hello, agibridge.Token("secret"),
		agibridge.MaxCalls(50))
	if err != nil {
		log.Fatal(err)
	}
}

func ExampleCall_Batch() {
	handler := func(ctx context.Context, call *agibridge.Call) error {
		batch := call.Batch()
		batch.Answer()
		batch.StreamFile("welcome")
		pin := batch.GetData("enter-pin", agibridge.MaxDigits(4))
		if err := batch.Run(ctx); err != nil { // the first command that failed
			return err
		}
		digits, err := pin.Result()
		fmt.Println("entered", digits.Digits)
		return err
	}
	fake := agibridgetest.New().Reply("GET DATA", agibridge.Digits{Digits: "1234"})
	for _, command := range fake.Run(context.Background(), handler).Sent() {
		fmt.Println(command)
	}
	// Output:
	// entered 1234
	// ANSWER
	// STREAM FILE file=welcome requires_success=true
	// GET DATA file=enter-pin max_digits=4 requires_success=true
}

func ExampleMenu() {
	handler := func(ctx context.Context, call *agibridge.Call) error {
		queue, err := agibridge.Menu(ctx, call, "main-menu", map[string]string{"1": "sales", "2": "support"},
			agibridge.Timeout(3*time.Second), agibridge.Invalid("wrong"))
		if errors.Is(err, agibridge.ErrNoInput) {
			queue, err = "operator", nil
		}
		if err != nil {
			return err
		}
		return call.SetVariable(ctx, "QUEUE", queue)
	}
	fake := agibridgetest.New().Reply("GET OPTION", agibridge.Playback{Digit: "2"})
	commands := fake.Run(context.Background(), handler).Sent()
	fmt.Println(commands[len(commands)-1])
	// Output: SET VARIABLE name=QUEUE value=support
}
