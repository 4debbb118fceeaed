// The token that a worker shows: always the same, or one that is asked for each time.

package agibridge

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// tokenTimeout is how long a TokenFunc may take.
const tokenTimeout = 10 * time.Second

// tokenRefused says what to do about a token of a TokenFunc that a bridge does not take.
const tokenRefused = "see that the bridge's `jwt` and `api.workers` have its issuer, audience and claims, and that the clocks agree"

// TokenFunc gives the Token of a worker for every registration and every call, so that one that expires can be renewed. It
// has 10 s.
//
// While it fails no bridge is asked, and calls are declined. A bridge that refuses what it gave is asked again with what it
// gives then, for as long as it takes. Both are logged when they begin, and the pauses grow, from 0.1 to 10 s.
func TokenFunc(token func() (string, error)) WorkerOption {
	return setting(func(it *settings) { it.tokenFunc = token })
}

// TokenFile is a TokenFunc that reads the file, and leaves out space around what is in it: for a token that is written anew
// before it expires, as Kubernetes' projected service account tokens are.
func TokenFile(path string) WorkerOption {
	return TokenFunc(func() (string, error) {
		token, err := os.ReadFile(path)
		return strings.TrimSpace(string(token)), err
	})
}

// tokenNow is empty where none is shown.
func (s *settings) tokenNow(ctx context.Context) (string, error) {
	if s.tokenFunc == nil {
		return s.token, nil
	}
	type given struct {
		token string
		err   error
	}
	answer := make(chan given, 1)
	go func() {
		token, err := s.tokenFunc()
		if err == nil {
			err = tokenFault(token)
		}
		answer <- given{token, err}
	}()
	limit := time.NewTimer(tokenTimeout)
	defer limit.Stop()
	select {
	case it := <-answer:
		if it.err != nil {
			// Not wrapped: a status of gRPC in it would be taken for the bridge's.
			return "", fmt.Errorf("there is no token: %v", it.err)
		}
		return it.token, nil
	case <-limit.C:
		return "", fmt.Errorf("there is no token: its function has not answered for %s", tokenTimeout)
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// tokenFault is why a token cannot be shown.
func tokenFault(token string) error {
	switch {
	case token == "":
		return errors.New("it is empty")
	case strings.ContainsFunc(token, func(r rune) bool { return r < ' ' || r > '~' }):
		return errors.New("the token has characters that no header can have")
	default:
		return nil
	}
}
