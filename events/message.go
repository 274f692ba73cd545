package events

import "strings"

// Message is a NATS message: what is published and what arrives. Its header has
// the shape of nats.Header, so that the two convert without copying; this
// package does not depend on the client.
type Message struct {
	Subject string
	Header  Header
	Data    []byte
}

// Header holds the headers of a NATS message. Names are case-preserving on the
// wire; [Header.Get] matches them without regard to case, as the CloudEvents
// binding demands and nats.Header does not.
type Header map[string][]string

// Get returns the first value of a header, or "". An exact match wins over one
// that differs in case; among those the alphabetically first name wins.
func (h Header) Get(name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	best, value := "", ""
	for k, v := range h {
		if strings.EqualFold(k, name) && len(v) > 0 && (best == "" || k < best) {
			best, value = k, v[0]
		}
	}
	return value
}

// Set replaces the values of a header, keeping the case of the name.
func (h Header) Set(name, value string) { h[name] = []string{value} }

// Headers of NATS that Segue uses.
const (
	// HeaderMsgID identifies a message within the broker's duplicate window.
	HeaderMsgID = "Nats-Msg-Id"
	// HeaderContentType tells structured mode from binary mode.
	HeaderContentType = "Content-Type"
)
