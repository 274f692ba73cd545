package main

import (
	"fmt"
	"regexp"

	"github.com/goccy/go-yaml"

	"segue/events"
)

// api is an AsyncAPI document, as far as Segue needs it. Members are written in
// the order of the fields, those of maps sorted.
type api struct {
	AsyncAPI           string               `yaml:"asyncapi"`
	ID                 string               `yaml:"id"`
	Info               info                 `yaml:"info"`
	DefaultContentType string               `yaml:"defaultContentType"`
	Servers            map[string]server    `yaml:"servers"`
	Channels           map[string]channel   `yaml:"channels"`
	Operations         map[string]operation `yaml:"operations"`
	Components         components           `yaml:"components"`
	JetStream          jetStream            `yaml:"x-jetstream"`
}

type info struct {
	Title       string  `yaml:"title"`
	Version     string  `yaml:"version"`
	Description string  `yaml:"description"`
	License     license `yaml:"license"`
	Tags        []tag   `yaml:"tags"`
}

type license struct {
	Name string `yaml:"name"`
	URL  string `yaml:"url"`
}

type tag struct {
	Name        string `yaml:"name"`
	Description string `yaml:"description,omitempty"`
}

type server struct {
	Host        string              `yaml:"host"`
	Protocol    string              `yaml:"protocol"`
	Description string              `yaml:"description"`
	Variables   map[string]variable `yaml:"variables,omitempty"`
	Security    []ref               `yaml:"security,omitempty"`
}

type variable struct {
	Description string `yaml:"description"`
	Default     string `yaml:"default,omitempty"`
}

type components struct {
	Messages        map[string]message        `yaml:"messages"`
	MessageTraits   map[string]trait          `yaml:"messageTraits"`
	Parameters      map[string]parameter      `yaml:"parameters"`
	Schemas         map[string]any            `yaml:"schemas"`
	SecuritySchemes map[string]securityScheme `yaml:"securitySchemes"`
}

type securityScheme struct {
	Type        string `yaml:"type"`
	Description string `yaml:"description"`
}

// ref points to another part of the document.
type ref struct {
	Ref string `yaml:"$ref"`
}

// to returns a ref to what lies at a path of names, which may hold neither "/" nor "~".
func to(path ...string) ref {
	r := "#"
	for _, name := range path {
		r += "/" + name
	}
	return ref{r}
}

const description = `Messages of sagas on NATS JetStream. A run is its messages: each subject below saga.run is written once, and the broker refuses the second message on it.

All messages are CloudEvents 1.0 by the NATS protocol binding. Segue sends binary mode: each attribute is a header ce-NAME with its value percent-encoded, and the payload is the data. Structured mode, one JSON object with Content-Type application/cloudevents+json, is read as well.

Data over 16 KiB is kept in the object store SAGA_DATA, and the header ce-dataref says where. A type keeps to its version: members may be added to its data and are never removed, renamed or given another meaning; readers ignore those they do not know.

A service needs to receive the commands of its name and to send the outcomes of its name, nothing else.`

// contractVersion is that of the contract, whatever version of Segue speaks it. It
// grows with what is added; another major number means that a subject or type
// has changed its meaning.
const contractVersion = "1.1.0"

// document returns the document as YAML. The golden messages of package events
// are read from a folder.
func document(golden string) ([]byte, error) {
	schemas, messages, err := contents(golden)
	if err != nil {
		return nil, err
	}
	js, err := topology()
	if err != nil {
		return nil, err
	}
	channels := make(map[string]channel)
	for _, r := range rows {
		if channels[r.name], err = r.channel(js); err != nil {
			return nil, err
		}
	}
	operations := make(map[string]operation)
	for _, d := range deeds {
		if operations[d.name()], err = d.operation(js); err != nil {
			return nil, err
		}
	}
	text, err := yaml.MarshalWithOptions(api{
		AsyncAPI: "3.1.0",
		ID:       "urn:segue:events",
		Info: info{
			Title: "Segue", Version: contractVersion, Description: description,
			License: license{"Apache-2.0", "https://www.apache.org/licenses/LICENSE-2.0"},
			Tags:    roles,
		},
		DefaultContentType: events.JSON,
		Servers:            servers,
		Channels:           channels,
		Operations:         operations,
		Components: components{
			Messages:        messages,
			MessageTraits:   map[string]trait{cloudEvent: cloudEventTrait()},
			Parameters:      parameters,
			Schemas:         schemas,
			SecuritySchemes: securitySchemes,
		},
		JetStream: js,
	}, yaml.IndentSequence(true), yaml.UseLiteralStyleIfMultiline(true))
	if err != nil {
		return nil, fmt.Errorf("write AsyncAPI: %w", err)
	}
	return append([]byte(heading), indented.ReplaceAll(text, []byte("\n\n"))...), nil
}

const heading = "# Generated from package events: go test ./events/asyncapi -update\n"

// indented matches empty lines of a text, which goccy/go-yaml indents like the others.
var indented = regexp.MustCompile(`\n +\n`)

// servers are where a broker may be.
var servers = map[string]server{
	"local": {
		Host: "127.0.0.1:4222", Protocol: "nats",
		Description: "The broker of segue up, on the same machine. It asks nobody who he is.",
	},
	"cluster": {
		Host: "{host}:{port}", Protocol: "nats",
		Description: "A broker or cluster of your own, with a user for each program, over TLS where the network is not yours alone.",
		Variables: map[string]variable{
			"host": {Description: "Name or address of a server."},
			"port": {Description: "Port for clients.", Default: "4222"},
		},
		Security: []ref{to("components", "securitySchemes", "nkey"), to("components", "securitySchemes", "password"), to("components", "securitySchemes", "certificate")},
	},
}

var securitySchemes = map[string]securityScheme{
	"nkey":        {"asymmetricEncryption", "An nkey, such as segue keys init makes for each program: the client signs the server's nonce with its Ed25519 seed (NATS_NKEY)."},
	"password":    {"userPassword", "User and password, in the URL of the server (NATS_URL)."},
	"certificate": {"X509", "A client certificate (NATS_CERT, NATS_KEY)."},
}
