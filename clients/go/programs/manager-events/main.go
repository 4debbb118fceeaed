// Command manager-events writes every event of Asterisk: manager-events API TOKEN.
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
	log.Fatal(manager.Watch(context.Background(), agibridge.Watch{Names: []string{"*"}}, func(event agibridge.Event) error {
		_, err := fmt.Println(event.Name, event.Headers)
		return err
	}))
}
