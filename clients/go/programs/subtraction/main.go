// Command subtraction is a game: it asks three sums, and leaves the score in the channel variable SCORE.
package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	agibridge "github.com/agi-bridge/agi-bridge/clients/go"
	"github.com/agi-bridge/agi-bridge/clients/go/programs/internal/listen"
)

func main() { listen.Serve(play) }

type sum struct{ a, b int }

func play(ctx context.Context, call *agibridge.Call) error {
	sums, err := sumsOf(call.Query.Get("ask"))
	if err != nil {
		return err
	}
	if err := call.Answer(ctx); err != nil {
		return err
	}
	right := 0
	for _, it := range sums {
		ok, err := ask(ctx, call, it)
		if err != nil {
			return err
		}
		verdict := "auth-incorrect"
		if ok {
			right++
			verdict = "auth-thankyou"
		}
		if _, err := call.StreamFile(ctx, verdict); err != nil {
			return err
		}
	}
	if _, err := call.StreamFile(ctx, "vm-goodbye"); err != nil {
		return err
	}
	_, err = call.End(ctx, agibridge.WithVariable("SCORE", fmt.Sprintf("%d/%d", right, len(sums))))
	return err
}

// ask says a sum and tells whether the caller's answer is right.
func ask(ctx context.Context, call *agibridge.Call, it sum) (bool, error) {
	question := call.Batch()
	question.SayNumber(int32(it.a))
	question.StreamFile("digits/minus")
	question.SayNumber(int32(it.b))
	if err := question.Run(ctx); err != nil {
		return false, err
	}
	isNumber := func(digits string) bool {
		_, err := strconv.Atoi(digits)
		return err == nil
	}
	answer, err := call.Ask(ctx, "beep", agibridge.MaxDigits(2), agibridge.Timeout(5*time.Second), agibridge.Tries(2),
		agibridge.Validate(isNumber))
	if errors.Is(err, agibridge.ErrNoInput) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	number, err := strconv.Atoi(answer)
	return number == it.a-it.b, err
}

// sumsOf reads "9-4,7-2"; without it three sums are made by chance.
func sumsOf(text string) ([]sum, error) {
	if text == "" {
		sums := make([]sum, 3)
		for i := range sums {
			a := 5 + rand.IntN(16)
			sums[i] = sum{a, 1 + rand.IntN(a)}
		}
		return sums, nil
	}
	var sums []sum
	for part := range strings.SplitSeq(text, ",") {
		var it sum
		if _, err := fmt.Sscanf(part, "%d-%d", &it.a, &it.b); err != nil {
			return nil, fmt.Errorf("%q is no sum as 9-4: %w", part, err)
		}
		sums = append(sums, it)
	}
	return sums, nil
}
