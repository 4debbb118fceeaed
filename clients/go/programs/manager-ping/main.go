// Command manager-ping sends Ping to Asterisk once a second: manager-ping API TOKEN.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	agibridge "github.com/agi-bridge/agi-bridge/clients/go"
)

func main() {
	manager, err := agibridge.NewManager(os.Args[1], agibridge.Token(os.Args[2]))
	if err != nil {
		log.Fatal(err)
	}
	for ; ; time.Sleep(time.Second) {
		if answer, err := manager.SendAction(context.Background(), agibridge.Action{Name: "Ping"}); err != nil {
			log.Print(err)
		} else {
			fmt.Println(answer.Headers.Get("Ping"), answer.Headers.Get("Timestamp"))
		}
	}
}
