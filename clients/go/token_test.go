// The token of a worker, when it is another each time.

package agibridge

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// tokens gives one after the other; an error for one that begins with "!", and once there is none.
func tokens(these ...string) func() (string, error) {
	given := make(chan string, len(these))
	for _, it := range these {
		given <- it
	}
	return func() (string, error) {
		select {
		case next := <-given:
			if why, fails := strings.CutPrefix(next, "!"); fails {
				return "", errors.New(why)
			}
			return next, nil
		default:
			return "", errors.New("gone")
		}
	}
}

func shownBy(ctx context.Context) string {
	given, _ := metadata.FromIncomingContext(ctx)
	return strings.Join(given.Get("authorization"), ",")
}

// with gives the lines with this in them.
func (l *lines) with(part string) (found []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		if strings.Contains(line, part) {
			found = append(found, line)
		}
	}
	return found
}

func (l *lines) logger() ConnectionOption { return Logger(slog.New(slog.NewTextHandler(l, nil))) }

func TestATokenFuncIsAskedForEveryRegistrationAndCall(t *testing.T) {
	shown := make(chan string, 8)
	declined := make(chan string, 1)
	b := &bridge{
		register: func(stream registerSide) error {
			shown <- shownBy(stream.Context())
			greet(t, stream)
			if len(shown) == 1 {
				return status.Error(codes.Unavailable, "register again")
			}
			offer(t, stream, "tok")
			for _, token := range []string{"one", "two", "three"} {
				if it := <-shown; it != "Bearer "+token {
					t.Error(it)
				}
			}
			offer(t, stream, "another")
			report, err := stream.Recv()
			if err == nil {
				declined <- report.GetDeclined().GetReason()
			}
			<-stream.Context().Done()
			return nil
		},
		take: func(stream takeSide) error {
			shown <- shownBy(stream.Context())
			return nil
		},
	}
	work(t, b.listen(t), nothing, TokenFunc(tokens("one", "!no such file", "", "a\nb", "two", "three")))
	if why := <-declined; why != "this worker has no token now" {
		t.Error(why)
	}
}

func TestACallThatIsDeclinedForWantOfATokenLeavesItsPlace(t *testing.T) {
	declined := make(chan string, 2)
	b := &bridge{register: func(stream registerSide) error {
		greet(t, stream)
		for range 2 {
			offer(t, stream, "tok")
			report, err := stream.Recv()
			if err != nil {
				break
			}
			declined <- report.GetDeclined().GetReason()
		}
		<-stream.Context().Done()
		return nil
	}}
	work(t, b.listen(t), nothing, TokenFunc(tokens("one")), MaxCalls(1))
	for range 2 {
		if why := <-declined; why != "this worker has no token now" {
			t.Error(why)
		}
	}
}

func TestAfterARefusedTokenTheNextOneIsTriedAndEachReasonIsToldOnce(t *testing.T) {
	log := &lines{}
	registered := make(chan string, 1)
	b := &bridge{register: func(stream registerSide) error {
		switch shown := shownBy(stream.Context()); shown {
		case "Bearer stale":
			return status.Error(codes.Unauthenticated, "expired")
		case "Bearer early":
			return status.Error(codes.Unauthenticated, "not valid yet")
		default:
			greet(t, stream)
			registered <- shown
			<-stream.Context().Done()
			return nil
		}
	}}
	token := TokenFunc(tokens("stale", "stale", "early", "!sealed", "good"))
	work(t, b.listen(t), nothing, token, log.logger())
	if it := <-registered; it != "Bearer good" {
		t.Error(it)
	}
	warned := log.with("trying again")
	if len(warned) != 3 || !strings.Contains(warned[0], "refused (expired)") ||
		!strings.Contains(warned[1], "refused (not valid yet)") || !strings.Contains(warned[2], "there is no token: sealed") {
		t.Error(warned)
	}
}

func TestWhatIsNoMatterOfTheTokenEndsAWorkerWithATokenFuncToo(t *testing.T) {
	b := &bridge{register: func(registerSide) error { return status.Error(codes.PermissionDenied, "no") }}
	_, stopped := work(t, b.listen(t), nothing, TokenFunc(tokens("good")))
	if err := <-stopped; err == nil || !strings.Contains(err.Error(), "permit the group") {
		t.Error(err)
	}
}

func TestAStatusThatATokenFuncFailsWithIsNotTheBridges(t *testing.T) {
	registered := make(chan string, 1)
	b := &bridge{register: func(stream registerSide) error {
		registered <- shownBy(stream.Context())
		<-stream.Context().Done()
		return nil
	}}
	asked := 0
	work(t, b.listen(t), nothing, TokenFunc(func() (string, error) {
		if asked++; asked == 1 {
			return "", status.Error(codes.PermissionDenied, "the issuer says no")
		}
		return "good", nil
	}))
	if it := <-registered; it != "Bearer good" {
		t.Error(it)
	}
}

func TestATokenFileIsReadEachTime(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		if err := os.WriteFile(file+".new", []byte(token+"\n"), 0o600); err != nil {
			t.Error(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Error(err)
		}
	}
	shown := make(chan string, 2)
	var registrations atomic.Int32
	b := &bridge{register: func(stream registerSide) error {
		greet(t, stream)
		shown <- shownBy(stream.Context())
		if registrations.Add(1) == 1 {
			write("two")
			return status.Error(codes.Unavailable, "register again")
		}
		<-stream.Context().Done()
		return nil
	}}
	write("one")
	work(t, b.listen(t), nothing, TokenFile(file))
	if one, two := <-shown, <-shown; one != "Bearer one" || two != "Bearer two" {
		t.Error(one, two)
	}
}
