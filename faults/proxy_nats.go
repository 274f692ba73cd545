//go:build unix

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
)

// Limits of what a proxy reads as one message of the NATS protocol.
const (
	maxLine    = 1 << 20 // of a control line: INFO names all servers of a cluster
	maxPayload = 64 << 20
)

// readMessage reads one message of what a broker says to a client: a control
// line, and behind MSG and HMSG as many bytes as its last number says.
func readMessage(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if err == nil {
			break
		}
		if err != bufio.ErrBufferFull || len(line) > maxLine {
			return nil, fmt.Errorf("read control line: %w", err)
		}
	}
	if !bytes.HasPrefix(line, []byte("MSG ")) && !bytes.HasPrefix(line, []byte("HMSG ")) {
		return line, nil
	}
	fields := bytes.Fields(line)
	size, err := strconv.Atoi(string(fields[len(fields)-1]))
	if err != nil || size < 0 || size > maxPayload {
		return nil, fmt.Errorf("read control line %q: no size", line)
	}
	head := len(line)
	message := append(line, make([]byte, size+len("\r\n"))...)
	_, err = io.ReadFull(r, message[head:])
	return message, err
}

// isAck says that a message is an answer of JetStream that something is stored
// ({"stream":...,"seq":...} to an inbox), or that an acknowledgement by the
// client has arrived (nothing at all, to an inbox).
func isAck(message []byte) bool {
	line, payload, _ := bytes.Cut(message, []byte("\r\n"))
	if !bytes.HasPrefix(line, []byte("MSG _INBOX")) {
		return false
	}
	payload = bytes.TrimSuffix(payload, []byte("\r\n"))
	return len(payload) == 0 || bytes.HasPrefix(payload, []byte(`{"stream":`))
}
