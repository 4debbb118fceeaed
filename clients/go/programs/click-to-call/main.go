// Command click-to-call rings CALLER, and then dials NUMBER: click-to-call API TOKEN CALLER CONTEXT NUMBER.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	agibridge "github.com/agi-bridge/agi-bridge/clients/go"
)

func main() {
	manager, err := agibridge.NewManager(os.Args[1], agibridge.Token(os.Args[2]))
	if err != nil {
		log.Fatal(err)
	}
	call, err := manager.Originate(context.Background(), agibridge.Originate{
		Channel:     os.Args[3],
		Destination: agibridge.Extension{Context: os.Args[4], Extension: os.Args[5]},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(call.Outcome)
}
