// Command asyncapi writes the contract of package events as an AsyncAPI document,
// for people and generators that would rather read that than Go:
//
//	go run ./events/asyncapi >asyncapi.yaml
//
// Channels are the rows of the subject table, messages the event types with their
// schemas and a golden message each, and what stands under x-jetstream is what an
// orchestrator declares on the broker. A test holds asyncapi.yaml in step.
package main

import (
	"fmt"
	"os"
)

func main() {
	text, err := document("events/testdata/golden")
	if err == nil {
		_, err = os.Stdout.Write(text)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "asyncapi: %v\n", err)
		os.Exit(1)
	}
}
