package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"segue/access"
	"segue/events"
)

var update = flag.Bool("update", false, "write asyncapi.yaml anew")

const file = "../../asyncapi.yaml"

func generate(t *testing.T) []byte {
	t.Helper()
	text, err := document("../testdata/golden")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// parsed is the document as any reader of it sees it.
func parsed(t *testing.T) map[string]any {
	t.Helper()
	text, err := yaml.YAMLToJSON(generate(t))
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return value.(map[string]any)
}

// at returns what lies at a path of names, nil if nothing does.
func at(value any, path ...string) any {
	for _, name := range path {
		members, _ := value.(map[string]any)
		value = members[name]
	}
	return value
}

// TestInStep holds that asyncapi.yaml is what package events says.
func TestInStep(t *testing.T) {
	want := generate(t)
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), string(want)); diff != "" {
		t.Errorf("asyncapi.yaml is not in step; go test ./events/asyncapi -update writes it (-have +want):\n%s", diff)
	}
}

// TestComplete holds that every row of the subject table and every event type is
// there, and that each type is sent by someone and received by someone.
func TestComplete(t *testing.T) {
	t.Parallel()
	kinds, types := make(map[events.Kind]bool), make(map[string]bool)
	for _, r := range rows {
		kinds[r.subject.Kind] = true
		for _, eventType := range r.types {
			types[eventType] = true
		}
	}
	for _, kind := range []events.Kind{
		events.KindStart, events.KindStarted, events.KindCommand, events.KindOutcome, events.KindSignal,
		events.KindEnded, events.KindRejected, events.KindHistory, events.KindDefinition, events.KindSchedule,
	} {
		if !kinds[kind] {
			t.Errorf("there is no channel of kind %s", kind)
		}
	}
	delete(types, anyStart)
	delete(types, bareStart)
	delete(types, bareSchedule)
	if diff := cmp.Diff(events.Types(), slices.Sorted(maps.Keys(types))); diff != "" {
		t.Errorf("channels have other types than package events (-want +have):\n%s", diff)
	}
	done := make(map[string]bool)
	for _, d := range deeds {
		for _, r := range rowNamed(d.row).refs(d.types) {
			done[d.action+" "+r.Ref[strings.LastIndex(r.Ref, "/")+1:]] = true
		}
	}
	for _, eventType := range events.Types() {
		if !done[send+" "+eventType] || !done[receive+" "+eventType] {
			t.Errorf("nobody sends, or nobody receives, %s", eventType)
		}
	}
}

// TestAddresses holds that an address, its parameters filled in with their
// examples, is a subject of its row.
func TestAddresses(t *testing.T) {
	t.Parallel()
	document := parsed(t)
	for _, r := range rows {
		subject := at(document, "channels", r.name, "address").(string)
		for name := range at(document, "channels", r.name, "parameters").(map[string]any) {
			examples, _ := at(document, "components", "parameters", name, "examples").([]any)
			if len(examples) == 0 {
				t.Fatalf("parameter %s has no example", name)
			}
			subject = strings.ReplaceAll(subject, "{"+name+"}", examples[0].(string))
		}
		s, err := events.ParseSubject(subject)
		if err != nil || s.Kind != r.subject.Kind || s.Attempt.Undo != r.subject.Attempt.Undo {
			t.Errorf("%s with examples is %s: %+v, %v", r.name, subject, s, err)
		}
	}
}

// TestReferences holds that whatever is referred to is there.
func TestReferences(t *testing.T) {
	t.Parallel()
	document, text := parsed(t), string(generate(t))
	found := regexp.MustCompile(`\$ref: "?#/([^"\n]+)`).FindAllStringSubmatch(text, -1)
	if len(found) < 100 {
		t.Errorf("only %d references", len(found))
	}
	for _, f := range found {
		if at(document, strings.Split(f[1], "/")...) == nil {
			t.Errorf("nothing is at #/%s", f[1])
		}
	}
}

// TestHeaders holds that the headers are those that package events writes.
func TestHeaders(t *testing.T) {
	t.Parallel()
	now := time.Now()
	full := events.Event{
		ID: "x", Source: "x", Type: "x", Subject: "x", Time: now, DataContentType: "x", DataSchema: "x", CorrelationID: "x", CausationID: "x",
		Expiry: now, DataRef: "x", TraceParent: "x", TraceState: "x", RunID: "x", ReplyTo: "x",
	}
	want := slices.Sorted(maps.Keys(events.Encode("x", full).Header))
	headers := at(parsed(t), "components", "messageTraits", cloudEvent, "headers", "properties").(map[string]any)
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(headers))); diff != "" {
		t.Errorf("other headers (-want +have):\n%s", diff)
	}
}

// TestRoles holds that who is said to send on a channel may do so on the broker,
// and nobody else may. An observer only receives.
func TestRoles(t *testing.T) {
	t.Parallel()
	sends := make(map[string]bool)
	for _, d := range deeds {
		if d.action == send {
			sends[d.role+" "+d.row] = true
		}
	}
	filled := strings.NewReplacer(
		"{service}", "fetcher", "{signal}", events.SignalCancel, "{partition}", "06", "{attempt}", "1",
		"{run}", "r", "{step}", "s", "{definition}", "d", "{schedule}", "x", "{start}", "x", "{status}", "completed",
	)
	found := 0
	for _, identity := range access.Identities(nil) {
		role := identity.Name
		if role == "fetcher" {
			role = service
		}
		if !slices.ContainsFunc(roles, func(r tag) bool { return r.Name == role }) {
			continue
		}
		found++
		for _, r := range rows {
			subject := filled.Replace(r.address())
			if r.name == "signal" && role == orchestrator {
				subject = strings.ReplaceAll(subject, events.SignalCancel, events.SignalDeadline)
			}
			may := slices.ContainsFunc(identity.Grants, func(g access.Grant) bool {
				return slices.ContainsFunc(g.Subjects, func(filter string) bool { return matches(filter, subject) })
			})
			if may != sends[role+" "+r.name] {
				t.Errorf("%s sends on %s: %t; it may: %t", role, r.name, sends[role+" "+r.name], may)
			}
		}
	}
	if found != len(roles) {
		t.Errorf("%d of %d roles are known to the broker", found, len(roles))
	}
}

// compile returns the schema of an example of a message: its headers, those of the
// trait, and its payload.
func compile(t *testing.T, document map[string]any, name string) *jsonschema.Schema {
	t.Helper()
	payload := at(document, "components", "schemas", name)
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	c.AssertFormat()
	if err := c.AddResource("example", map[string]any{
		"properties": map[string]any{
			"headers": map[string]any{"allOf": []any{
				at(document, "components", "messageTraits", cloudEvent, "headers"),
				at(document, "components", "messages", name, "headers"),
			}},
			"payload": payload,
		},
	}); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("example")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// TestExamples holds that each message has an example that fits its headers and
// its schema, and that one does not fit another message.
func TestExamples(t *testing.T) {
	t.Parallel()
	document := parsed(t)
	for _, eventType := range events.Types() {
		examples, _ := at(document, "components", "messages", eventType, "examples").([]any)
		if len(examples) != 1 {
			t.Fatalf("%s has %d examples, want 1", eventType, len(examples))
		}
		if err := compile(t, document, eventType).Validate(examples[0]); err != nil {
			t.Errorf("the example of %s: %v", eventType, err)
		}
		if other := events.TypeUndoTimedOut; other != eventType && compile(t, document, other).Validate(examples[0]) == nil {
			t.Errorf("the example of %s is one of %s as well", eventType, other)
		}
	}
}

func TestMatches(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		filter, subject string
		want            bool
	}{
		{"a.>", "a.b.c", true}, {"a.>", "a", false}, {"a.*", "a.b", true}, {"a.*", "a.b.c", false}, {"a.b", "a.c", false}, {"a.b.c", "a.b", false},
	} {
		if got := matches(test.filter, test.subject); got != test.want {
			t.Errorf("%s matches %s: %t", test.filter, test.subject, got)
		}
	}
}

// TestBrokenGolden holds that a golden message that cannot be read is told.
func TestBrokenGolden(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for i, text := range []string{"", "subject: a\n", "subject: a\n\n{"} {
		name := filepath.Join(folder, strconv.Itoa(i))
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if e, err := goldenMessage(name); err == nil {
			got, _ := json.Marshal(e)
			t.Errorf("%q is read as %s", text, got)
		}
	}
	if _, err := document(folder); err == nil {
		t.Error("a folder without golden messages is enough")
	}
}
