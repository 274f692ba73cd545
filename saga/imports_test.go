package saga

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// allowedImports is all that the core may import: nothing in it tells the time,
// waits, logs, draws random numbers or touches the world. (io and io/fs are here
// for io.EOF and fs.ValidPath.) The rest of the repository is closed to it but
// for package events.
var allowedImports = []string{
	"bytes", "cmp", "crypto/sha256", "encoding/binary", "encoding/hex", "encoding/json", "errors", "fmt", "hash/fnv", "io", "io/fs",
	"iter", "maps", "math", "math/bits", "path", "regexp", "slices", "sort", "strconv", "strings", "time", "unicode/utf8",
	"cel.dev/cel-go/", "github.com/go-json-experiment/json/jsontext", "github.com/goccy/go-yaml/", "github.com/goccy/go-yaml",
	"github.com/santhosh-tekuri/jsonschema/v6", "github.com/santhosh-tekuri/jsonschema/v6/kind",
	"segue/events",
}

// forbiddenSelectors are functions of allowed packages that are not pure.
var forbiddenSelectors = map[string][]string{
	"time": {"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "Tick", "NewTimer", "NewTicker", "LoadLocation", "Local"},
	"fmt":  {"Print", "Println", "Printf", "Scan", "Scanln", "Scanf"},
	"fs":   {"ReadFile", "ReadDir", "WalkDir", "Stat", "Glob", "Sub"},
}

// TestPure keeps the promise of the package documentation.
func TestPure(t *testing.T) {
	t.Parallel()
	files, err := fs.Glob(os.DirFS("."), "*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no sources: %v", err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, impurity := range impurities(t, name, text) {
			t.Error(impurity)
		}
	}
}

// TestPureFinds shows that TestPure can fail.
func TestPureFinds(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		`import "os"`:                                            `imports "os"`,
		`import "cel.dev/cel-gopher"`:                            `imports "cel.dev/cel-gopher"`,
		`import "segue/journal"`:                                 `imports "segue/journal"`,
		`import _ "time"`:                                        `renames "time"`,
		`func f() { go f() }`:                                    `go statement`,
		`import "time"; var t = time.Now()`:                      `time.Now`,
		`import "time"; var f = time.Since`:                      `time.Since`,
		`func f(c chan int) { <-c }`:                             `channel`,
		`func f() { select {} }`:                                 `select`,
		`func f(m map[string]int) { for range m { println() } }`: `println`,
	} {
		got := strings.Join(impurities(t, "x.go", []byte("package p\n"+source)), "\n")
		if !strings.Contains(got, want) {
			t.Errorf("%s: found %q, want %q", source, got, want)
		}
	}
}

func impurities(t *testing.T, name string, text []byte) (found []string) {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	add := func(n ast.Node, what string) {
		found = append(found, files.Position(n.Pos()).String()+": "+what)
	}
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(allowedImports, func(a string) bool {
			return imported == a || strings.HasSuffix(a, "/") && strings.HasPrefix(imported, a)
		}) {
			add(spec, "imports "+spec.Path.Value)
		}
		if _, watched := forbiddenSelectors[imported]; watched && spec.Name != nil {
			add(spec, "renames "+spec.Path.Value)
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			add(n, "go statement")
		case *ast.SelectStmt:
			add(n, "select statement")
		case *ast.ChanType:
			add(n, "channel")
		case *ast.SelectorExpr:
			if p, ok := n.X.(*ast.Ident); ok && slices.Contains(forbiddenSelectors[p.Name], n.Sel.Name) {
				add(n, p.Name+"."+n.Sel.Name)
			}
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.Ident); ok && (f.Name == "print" || f.Name == "println") {
				add(n, f.Name)
			}
		}
		return true
	})
	return found
}
