// Package listen is how every sample serves: at the address of its only argument, which it prints.
package listen

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"

	agibridge "github.com/agi-bridge/agi-bridge/clients/go"
)

// Listen takes the address from the command line, 127.0.0.1:50051 unless given, and prints the one that it has.
func Listen() net.Listener {
	address := "127.0.0.1:50051"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on", listener.Addr())
	return listener
}

// Serve serves until SIGTERM or ctrl-c.
func Serve(handler agibridge.Handler) {
	if err := agibridge.ServeListener(context.Background(), Listen(), handler); err != nil {
		log.Fatal(err)
	}
}
