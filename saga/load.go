package saga

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"segue/events"
)

// Load reads a definition file, YAML or JSON, and checks all of it:
//
//	saga: ingest                  # its name, see events.ValidName
//	description: ...              # anywhere here and in a step, for people
//	deadline: 10m                 # of a run; default 10m
//	input: {...}                  # JSON Schema of the input, or {$ref: FILE}; default anything
//	steps:
//	  save:                       # at most MaxSteps
//	    service: saver            # who does it
//	    needs: [parse, check]     # what must have completed; default nothing
//	    with: {...}               # its input, a Template; default null
//	    timeout: 30s              # of an attempt; default 1m or the deadline, whichever is less
//	    retry: {attempts: 3, backoff: 500ms, max: 30s}   # the defaults; or attempts: unlimited
//	    undo: true                # or {timeout: ..., retry: ...}, or false: nothing to undo
//	    pivot: false              # the point of no return
//	output: {...}                 # the output of the run, a Template; default null
//
// Durations are Go's: "500ms", "1m30s". If only one of backoff and max is
// given, the other's default moves so that max is not less. An undo has the
// timeout of its step and 10 attempts unless it says otherwise. A step should say
// whether it is undone, unless it is the pivot or comes behind it; Load does not
// insist, because runs are pinned to texts in which steps did not, but package
// check does. Unknown keys are errors, and so is everything that could only fail
// later.
//
// file is only a name for messages. open reads the schema file that input refers
// to, by a clean relative slash path as package io/fs has it; nil refuses.
//
// The error is [Problems], all that were found. Load is a pure function of what
// it is given.
func Load(file string, text []byte, open func(name string) ([]byte, error)) (*Definition, error) {
	l := &loader{open: open, unread: make(map[Problem]bool)}
	root := l.read(file, text)
	if root == nil {
		return nil, l.problems
	}
	d := l.definition(root)
	if len(l.problems) == 0 {
		l.canonical(root, d)
	}
	if len(l.problems) > 0 {
		return nil, l.problems.sorted(file)
	}
	return d, nil
}

// loader collects the problems of one file.
type loader struct {
	open     func(name string) ([]byte, error)
	problems Problems
	unread   map[Problem]bool // positions, without message, of what could not be read
	schema   *node            // the input schema, resolved; nil if there is none
}

// read reads a file. It returns nil if the syntax is broken.
func (l *loader) read(file string, text []byte) *node {
	root, problems := read(file, text)
	for _, p := range problems {
		l.problems = append(l.problems, p)
		p.Message = ""
		l.unread[p] = true
	}
	return root
}

// report adds a problem, unless what stands there could not be read anyway.
func (l *loader) report(at place, message string) {
	if !l.unread[at.problem("")] {
		l.problems = append(l.problems, at.problem(message))
	}
}

func (l *loader) problem(at place, where, format string, args ...any) {
	l.report(at, where+fmt.Sprintf(format, args...))
}

func (l *loader) definition(root *node) *Definition {
	top := l.object(root, "", "saga", "description", "deadline", "input", "steps", "output")
	d := &Definition{Deadline: DefaultDeadline}
	if n := l.required(top, "", "saga"); n != nil {
		d.Name = l.name(n, "saga: ")
	}
	l.text(top.field("description"), "description: ")
	if n := top.field("deadline"); n != nil {
		d.Deadline = l.duration(n, "deadline: ")
	}
	if n := top.field("input"); n != nil {
		d.input = l.input(n)
	}
	if n := l.required(top, "", "steps"); n != nil {
		l.steps(d, n, top.field("output"))
	}
	return d
}

// input compiles the schema of the input.
func (l *loader) input(n *node) *inputSchema {
	if n.kind != isObject {
		l.problem(n.place, "input: ", "want a JSON Schema or {$ref: FILE}, not %s", n.kind)
		return nil
	}
	if ref := n.field("$ref"); ref != nil {
		if name, ok := ref.value.(string); ok && !strings.HasPrefix(name, "#") {
			if len(n.fields) > 1 {
				l.problem(ref.place, "input: ", "a $ref to a file stands alone")
				return nil
			}
			if n = l.schemaFile(ref, name); n == nil {
				return nil
			}
		}
	}
	l.schema = n
	return compileSchema(n, l.report)
}

// schemaFile reads the schema file that input refers to.
func (l *loader) schemaFile(ref *node, name string) *node {
	clean := path.Clean(name)
	switch {
	case l.open == nil:
		l.problem(ref.place, "input: ", "there are no files to refer to here, so %q cannot be read", shortened(name))
		return nil
	case strings.Contains(name, "://"), !fs.ValidPath(clean), clean == ".":
		l.problem(ref.place, "input: ", "%q is not a file beside the definition", shortened(name))
		return nil
	}
	text, err := l.open(clean)
	if err != nil {
		l.problem(ref.place, "input: ", "read %q: %s", shortened(name), err)
		return nil
	}
	root := l.read(clean, text)
	if root != nil && root.kind != isObject {
		l.problem(root.place, "input: ", "want a JSON Schema, not %s", root.kind)
		return nil
	}
	return root
}

// canonical sets text and digest. Descriptions are left out of it, because a
// better word in one must not make it another saga.
func (l *loader) canonical(root *node, d *Definition) {
	value := root.decoded().(map[string]any)
	delete(value, "description")
	if l.schema != nil {
		value["input"] = l.schema.decoded()
	}
	for _, step := range value["steps"].(map[string]any) {
		delete(step.(map[string]any), "description")
	}
	text, err := appendJSON(nil, value)
	if err != nil || len(text) > MaxText {
		l.problem(root.place, "", "the definition with its schema has more than %d bytes", MaxText)
		return
	}
	sum := sha256.Sum256(text)
	d.Text, d.Digest = text, hex.EncodeToString(sum[:])
}

// object checks that a node is an object with no keys but the known ones.
func (l *loader) object(n *node, where string, known ...string) *node {
	if n.kind != isObject {
		l.problem(n.place, where, "want an object with the keys %s, not %s", strings.Join(known, ", "), n.kind)
		return &node{place: n.place}
	}
	for _, f := range n.fields {
		if !slices.Contains(known, f.name) {
			l.problem(f.place, where, "unknown key %q%s", shortened(f.name), didYouMean(f.name, known))
		}
	}
	return n
}

// required returns the value of a key that must be there. A node that is no
// object has been reported already.
func (l *loader) required(n *node, where, key string) *node {
	value := n.field(key)
	if value == nil && n.kind == isObject {
		l.problem(n.place, where, "key %q is missing", key)
	}
	return value
}

// text returns a string; empty if the node is nil.
func (l *loader) text(n *node, where string) string {
	if n == nil {
		return ""
	}
	s, ok := n.value.(string)
	if !ok {
		l.problem(n.place, where, "want a string, not %s", n.kind)
	}
	return s
}

func (l *loader) name(n *node, where string) string {
	s := l.text(n, where)
	if n.kind == isString && !events.ValidName(s) {
		l.problem(n.place, where, "%s", badName(s))
	}
	return s
}

func badName(s string) string {
	return fmt.Sprintf("%q is not a name: 1 to %d letters, digits, - and _", shortened(s), events.MaxToken)
}

// duration returns a duration, or 1ns after reporting that it is none, which is
// within every other bound.
func (l *loader) duration(n *node, where string) time.Duration {
	const wanted = `want a duration such as "90s" or "500ms"`
	text, ok := n.value.(string)
	if !ok {
		l.problem(n.place, where, "%s, not %s", wanted, n.kind)
		return 1
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		l.problem(n.place, where, "%s, not %q", wanted, shortened(text))
		return 1
	case d <= 0:
		l.problem(n.place, where, "%q is not more than zero", text)
		return 1
	case d > MaxDuration:
		l.problem(n.place, where, "%q is more than %s", text, MaxDuration)
		return 1
	}
	return d
}
