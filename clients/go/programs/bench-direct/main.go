// Command bench-direct runs the five commands of `make bench` for each call, as a FastAGI server without the bridge. It
// speaks AGI itself, on the standard library: as little as a library could do.
package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"strings"

	"github.com/agi-bridge/agi-bridge/clients/go/programs/internal/listen"
)

var commands = []string{
	`SET VARIABLE CALLED_BY "bench"`,
	`VERBOSE "a line for the log" 1`,
	`NOOP "nothing at all"`,
	`SET VARIABLE MENU "main,1"`,
	`NOOP "and again nothing"`,
}

func main() {
	listener := listen.Listen()
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			if err := serve(connection); err != nil {
				log.Print(err)
			}
		}()
	}
}

func serve(connection net.Conn) error {
	defer connection.Close()
	lines := bufio.NewReader(connection)
	environment := map[string]string{}
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return err
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ": ")
		environment[name] = value
	}
	for _, command := range commands {
		if _, err := io.WriteString(connection, command+"\n"); err != nil {
			return err
		}
		reply, err := lines.ReadString('\n')
		if err != nil {
			return err
		}
		if !strings.HasPrefix(reply, "200 ") {
			return fmt.Errorf("%s: %s", command, reply)
		}
	}
	return nil
}
