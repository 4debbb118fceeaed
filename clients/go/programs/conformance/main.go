// Command conformance plays scripts of steps through the library, for the tests that all languages share.
//
//	conformance grpc SCRIPTS
//	conformance worker SCRIPTS API [TOKEN]
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"

	agibridge "github.com/agi-bridge/agi-bridge/clients/go"
)

func main() {
	if err := start(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func start(ctx context.Context, args []string) error {
	switch {
	case len(args) == 2 && args[0] == "grpc":
		return serve(ctx, args[1])
	case (len(args) == 3 || len(args) == 4) && args[0] == "worker":
		return work(ctx, args[1], args[2], args[3:])
	default:
		return fmt.Errorf("usage: conformance grpc SCRIPTS | conformance worker SCRIPTS API [TOKEN]")
	}
}

func serve(ctx context.Context, scripts string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	writeLine(map[string]any{"event": "listening", "address": listener.Addr().String()})
	player := newPlayer(scripts)
	defer player.lines.Wait()
	return agibridge.ServeListener(ctx, listener, player.handle)
}

func work(ctx context.Context, scripts, api string, token []string) error {
	player := newPlayer(scripts)
	defer player.lines.Wait()
	var once sync.Once
	options := []agibridge.WorkerOption{agibridge.OnRegistered(func(string, string) {
		once.Do(func() { writeLine(map[string]any{"event": "registered"}) })
	})}
	for _, it := range token {
		if path, isFile := strings.CutPrefix(it, "file:"); isFile {
			options = append(options, agibridge.TokenFile(path))
		} else {
			options = append(options, agibridge.Token(it))
		}
	}
	return agibridge.Work(ctx, api, []string{"kit"}, player.handle, options...)
}

var output sync.Mutex

func writeLine(line any) {
	text, err := json.Marshal(line)
	if err != nil {
		panic(err) // only what this program made itself is written
	}
	output.Lock()
	defer output.Unlock()
	fmt.Println(string(text))
}
