// Command manager asks a bridge's manager what its standard input says, for the tests that all languages share.
//
//	manager API [TOKEN]
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"

	agibridge "github.com/agi-bridge/agi-bridge/clients/go"
)

const lineMax = 1 << 20

func main() {
	if err := start(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type line struct {
	ID          string      `json:"id"`
	Originate   *originate  `json:"originate"`
	SendAction  *sendAction `json:"sendAction"`
	WatchEvents *watch      `json:"watchEvents"`
	ListServers *struct{}   `json:"listServers"`
	Cancel      *struct{}   `json:"cancel"`
}

type program struct {
	manager *agibridge.Manager
	running sync.WaitGroup
	watches map[string]func() // ends the one of that id, and waits
}

func start(ctx context.Context, args []string) error {
	if len(args) != 1 && len(args) != 2 {
		return errors.New("usage: manager API [TOKEN]")
	}
	var options []agibridge.ManagerOption
	for _, token := range args[1:] {
		options = append(options, agibridge.Token(token))
	}
	manager, err := agibridge.NewManager(args[0], options...)
	if err != nil {
		return err
	}
	p := &program{manager: manager, watches: map[string]func(){}}
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(nil, lineMax)
	for input.Scan() {
		var it line
		if err := json.Unmarshal(input.Bytes(), &it); err != nil {
			return err
		}
		p.do(ctx, it)
	}
	p.running.Wait()
	return errors.Join(input.Err(), manager.Close())
}

func (p *program) do(ctx context.Context, it line) {
	switch {
	case it.Originate != nil:
		p.running.Go(func() {
			call, err := it.Originate.call()
			var got agibridge.Originated
			if err == nil {
				got, err = p.manager.Originate(ctx, call)
			}
			answer(it.ID, "originate", originated(got), err)
		})
	case it.SendAction != nil:
		p.running.Go(func() {
			action, err := it.SendAction.action()
			var got agibridge.ActionResponse
			if err == nil {
				got, err = p.manager.SendAction(ctx, action)
			}
			answer(it.ID, "sendAction", response(got), err)
		})
	case it.ListServers != nil:
		p.running.Go(func() {
			got, err := p.manager.ListServers(ctx)
			answer(it.ID, "listServers", servers(got), err)
		})
	case it.WatchEvents != nil:
		p.watch(ctx, it.ID, it.WatchEvents)
	case it.Cancel != nil:
		if end := p.watches[it.ID]; end != nil {
			end()
		}
		say(it.ID, "cancelled", struct{}{})
	}
}

// watch runs until it is cancelled, or the manager is closed.
func (p *program) watch(ctx context.Context, id string, it *watch) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	p.watches[id] = func() {
		cancel()
		<-ended
	}
	wanted := agibridge.Watch{
		Server: it.Server, Names: it.Names, Match: it.Match,
		Missed: func(events uint64) { say(id, "missed", events) },
		State:  func(state agibridge.ServerState) { say(id, "serverState", server(state)) },
		Lost:   func(err error) { say(id, "lost", map[string]any{"detail": err.Error()}) },
	}
	go func() {
		defer close(ended)
		err := p.manager.Watch(ctx, wanted, func(it agibridge.Event) error {
			say(id, "event", event(it))
			return nil
		})
		if err != nil {
			answer(id, "", nil, err)
		}
	}()
}

func answer(id, method string, value any, err error) {
	var failed *agibridge.ManagerError
	switch {
	case err == nil:
		say(id, method, value)
	case errors.As(err, &failed):
		say(id, "error", map[string]any{"code": failed.Code.String(), "message": err.Error()})
	default:
		say(id, "error", map[string]any{"code": "MISUSE", "message": err.Error()})
	}
}

var output sync.Mutex

func say(id, what string, value any) {
	text, err := json.Marshal(map[string]any{"id": id, what: value})
	if err != nil {
		panic(err) // only what this program made itself is written
	}
	output.Lock()
	defer output.Unlock()
	fmt.Println(string(text))
}
