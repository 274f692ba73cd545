package sagas

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"segue/saga"
)

func TestAll(t *testing.T) {
	t.Parallel()
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 || all[0].Name != "ingest" {
		t.Fatalf("All() = %d sagas, want ingest alone", len(all))
	}
}

func TestIngest(t *testing.T) {
	t.Parallel()
	d, err := Ingest()
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, s := range d.Steps {
		order = append(order, s.Name+":"+s.Service)
	}
	if got, want := strings.Join(order, " "), "look:catalog fetch:fetcher validate:validator parse:parser save:saver"; got != want {
		t.Errorf("steps %q, want %q", got, want)
	}
	for _, s := range d.Steps {
		if hasUndo := s.Undo != nil; hasUndo != (s.Name != "look" && s.Name != "validate") {
			t.Errorf("step %s: undo %v", s.Name, hasUndo)
		}
	}
	if d.Deadline != 30*time.Minute {
		t.Errorf("deadline %s", d.Deadline)
	}
}

// TestIngestInputs evaluates what every service is sent, with all of the
// optional input and with none of it.
func TestIngestInputs(t *testing.T) {
	t.Parallel()
	d, err := Ingest()
	if err != nil {
		t.Fatal(err)
	}
	document := map[string]any{"uri": "o:1", "size": int64(12)}
	parsed := map[string]any{"records": map[string]any{"uri": "o:2"}}
	rows := map[string]any{"rows": int64(3)}
	least := map[string]any{
		"look":     map[string]any{},
		"fetch":    map[string]any{"document": document, "unchanged": false},
		"validate": map[string]any{"format": "json"},
		"parse":    parsed, "save": rows,
	}
	all := map[string]any{ // look is skipped
		"fetch":    map[string]any{"document": document, "unchanged": false, "etag": "e", "last_modified": "l", "version": "v1"},
		"validate": map[string]any{"format": "csv", "delimiter": ";", "container": "zip", "member": "m", "version": "v2"},
		"parse":    map[string]any{"records": parsed["records"], "version": "v3"}, "save": rows,
	}
	same := map[string]any{ // validate and parse are skipped
		"look":  map[string]any{"saved": map[string]any{"run": "r"}},
		"fetch": map[string]any{"unchanged": true, "etag": "e"},
		"save":  rows,
	}
	const doc = `{"size":12,"uri":"o:1"}`
	for _, test := range []struct {
		name    string
		input   string
		outputs map[string]any
		want    map[string]string
	}{
		{
			"least", `{"url":"file:///a.json"}`, least,
			map[string]string{
				"look":     `{"recipe":{"definition":"","input":{"url":"file:///a.json"}},"url":"file:///a.json"}`,
				"fetch":    `{"url":"file:///a.json"}`,
				"validate": `{"document":` + doc + `}`,
				"parse":    `{"document":` + doc + `,"format":"json"}`,
				"save": `{"document":` + doc + `,"recipe":{"definition":"","input":{"url":"file:///a.json"}},` +
					`"records":{"uri":"o:2"},"unchanged":false,"url":"file:///a.json","versions":{}}`,
			},
		},
		{
			"unchanged", `{"url":"file:///a.json","collection":"c"}`, same,
			map[string]string{
				"look":  `{"collection":"c","recipe":{"definition":"","input":{"collection":"c","url":"file:///a.json"}},"url":"file:///a.json"}`,
				"fetch": `{"known":{"run":"r"},"url":"file:///a.json"}`,
				"save": `{"collection":"c","etag":"e","known":{"run":"r"},"recipe":{"definition":"","input":{"collection":"c","url":"file:///a.json"}},` +
					`"unchanged":true,"url":"file:///a.json","versions":{}}`,
			},
		},
		{
			"all", `{"url":"HTTPS://x/a.csv","format":"csv","records":"/a","schema":"s@1","table":{},"member":"m","transform":".","mode":"append",` +
				`"headers":{"A":"b"},"auth":{"bearer":{"secret":"s"}},"robots":true,"force":true,"collection":"c","key":"/id"}`, all,
			map[string]string{
				"fetch":    `{"auth":{"bearer":{"secret":"s"}},"headers":{"A":"b"},"robots":true,"url":"HTTPS://x/a.csv"}`,
				"validate": `{"document":` + doc + `,"format":"csv","member":"m","records":"/a","schema":"s@1","table":{}}`,
				"parse":    `{"container":"zip","delimiter":";","document":` + doc + `,"format":"csv","member":"m","records":"/a","table":{},"transform":"."}`,
				"save": `{"collection":"c","document":` + doc + `,"etag":"e","force":true,"key":"/id","last_modified":"l","mode":"append",` +
					`"recipe":{"definition":"","input":{"auth":{"bearer":{"secret":"s"}},"collection":"c","force":true,"format":"csv","headers":{"A":"b"},` +
					`"key":"/id","member":"m","mode":"append","records":"/a","robots":true,"schema":"s@1","table":{},"transform":".","url":"HTTPS://x/a.csv"}},` +
					`"records":{"uri":"o:2"},"unchanged":false,"url":"HTTPS://x/a.csv","versions":{"fetcher":"v1","parser":"v3","validator":"v2"}}`,
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if err := d.CheckInput([]byte(test.input)); err != nil {
				t.Fatal(err)
			}
			input, err := saga.DecodeValue([]byte(test.input))
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range d.Steps {
				want, due := test.want[s.Name]
				if !s.When.IsZero() {
					if got, err := s.When.Eval(input, test.outputs); err != nil || string(got) != strconv.FormatBool(due) {
						t.Errorf("%s: when is %s, %v, want %v", s.Name, got, err, due)
					}
				}
				if !due {
					continue
				}
				got, err := s.With.Eval(input, test.outputs)
				if err != nil || string(got) != want {
					t.Errorf("%s: %s, %v\nwant %s", s.Name, got, err, want)
				}
			}
			if got, err := d.Output.Eval(input, test.outputs); err != nil || string(got) != `{"rows":3}` {
				t.Errorf("output: %s, %v", got, err)
			}
		})
	}
}

func TestIngestRefuses(t *testing.T) {
	t.Parallel()
	d, err := Ingest()
	if err != nil {
		t.Fatal(err)
	}
	for input, want := range map[string]string{
		`{}`:                                           "/url: missing",
		`[]`:                                           "input: got array, want object",
		`{"url":"x"}`:                                  "/url: got",
		`{"url":"ftp://host/file"}`:                    "/url: got",
		`{"url":"http://a/b","format":"pdf"}`:          `/format: got "pdf", want one of json, ndjson, csv, xml, parquet`,
		`{"url":"http://a/b","records":"a"}`:           "/records: got",
		`{"url":"http://a/b","records":"/~2"}`:         "/records: got",
		`{"url":"http://a/b","schema":[]}`:             "/schema: fits no alternative (got array, want boolean or object; or got array, want string)",
		`{"url":"http://a/b","collection":""}`:         "/collection: got 0 characters, want at least 1",
		`{"url":"http://a/b","Key":"/id"}`:             "/Key: not a known property",
		`{"url":"http://a/b","key":"id"}`:              "/key: got",
		`{"url":"http://a/b","url":"http://b/c"}`:      "duplicate",
		`{"url":"http://a/b","key":7,"format":"text"}`: "/format: got \"text\", want one of json, ndjson, csv, xml, parquet; /key: got number, want string",
		`{"url":"http://a/b"`:                          "decode JSON",
		`{"url":"http://a/b","collection":"` + strings.Repeat("x", 201) + `"}`: "/collection: got 201 characters, want at most 200",
	} {
		if err := d.CheckInput([]byte(input)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", input, err, want)
		}
	}
	for _, input := range []string{
		`{"url":"file:///a"}`, `{"url":"Http://a/b","records":"","key":"/a~1b~0"}`, `{"url":"http://a/b","schema":true}`,
	} {
		if err := d.CheckInput([]byte(input)); err != nil {
			t.Errorf("%s: %v", input, err)
		}
	}
}
