package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"

	"segue/journal/jetstream"
)

// jetStream is what an orchestrator declares on the broker, by stream, in the terms
// of JetStream's API: durations are in nanoseconds, sizes in bytes.
type jetStream struct {
	Streams map[string]stream `yaml:"streams"`
}

type stream struct {
	Config    any            `yaml:"config"`
	Consumers map[string]any `yaml:"consumers,omitempty"`

	subjects []string
}

// anyService stands for the name of a service.
const anyService = "{service}"

func topology() (jetStream, error) {
	js := jetStream{make(map[string]stream)}
	streams, consumers := jetstream.Declared(jetstream.Options{Services: []string{anyService}})
	for _, s := range streams {
		config, err := asYAML(s)
		if err != nil {
			return js, fmt.Errorf("describe stream %s: %w", s.Name, err)
		}
		described := stream{Config: config, subjects: s.Subjects}
		for _, c := range consumers[s.Name] {
			if described.Consumers == nil {
				described.Consumers = make(map[string]any)
			}
			if described.Consumers[c.Durable], err = asYAML(c); err != nil {
				return js, fmt.Errorf("describe consumer %s: %w", c.Durable, err)
			}
		}
		js.Streams[s.Name] = described
	}
	return js, nil
}

// asYAML returns a configuration as JetStream's API has it.
func asYAML(config any) (any, error) {
	text, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	value, err := ordered(text)
	if _, isObject := value.(yaml.MapSlice); err == nil && !isObject {
		return nil, fmt.Errorf("%T became %s", config, text)
	}
	return value, err
}

// streamOf returns the stream that keeps the messages of an address.
func (js jetStream) streamOf(address string) (string, error) {
	for name, s := range js.Streams {
		for _, filter := range s.subjects {
			if matches(filter, address) {
				return name, nil
			}
		}
	}
	return "", fmt.Errorf("no stream keeps %s", address)
}

// matches says whether a subject fits a filter.
func matches(filter, subject string) bool {
	f, s := strings.Split(filter, "."), strings.Split(subject, ".")
	for i, token := range f {
		switch {
		case token == ">":
			return len(s) > i
		case i >= len(s) || token != "*" && token != s[i]:
			return false
		}
	}
	return len(f) == len(s)
}
