// Package monitoring holds Segue's alerts and dashboard to the metrics that there
// are. That the expressions mean something, promtool says: see .ci/monitoring.
package monitoring

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// registered is how a metric's name stands in Go: Name: "segue_...", or gauge("segue_...".
	registered = regexp.MustCompile(`(?:Name:\s*|gauge\()"(segue_[a-z_]+)"`)
	named      = regexp.MustCompile(`\bsegue_[a-z_]+`)
	suffix     = regexp.MustCompile(`_(bucket|sum|count)$`)
)

// TestMetricsExist holds that alerts and dashboard ask for no metric that no program
// has, and that the dashboard shows every one that there is.
func TestMetricsExist(t *testing.T) {
	t.Parallel()
	there := metrics(t)
	if len(there) < 30 {
		t.Fatalf("%d metrics were found in the source: that cannot be all", len(there))
	}
	shown := make(map[string]bool)
	for file, exprs := range map[string][]string{"alerts.yaml": {read(t, "alerts.yaml")}, "alerts_test.yaml": {read(t, "alerts_test.yaml")}, "dashboard.json": expressions(t)} {
		for _, expr := range exprs {
			for _, name := range named.FindAllString(expr, -1) {
				base := suffix.ReplaceAllString(name, "")
				if !there[base] && !there[name] {
					t.Errorf("%s asks for %s, which no program has", file, name)
				}
				if file == "dashboard.json" {
					shown[base], shown[name] = true, true
				}
			}
		}
	}
	for name := range there {
		if !shown[name] {
			t.Errorf("the dashboard does not show %s", name)
		}
	}
}

// metrics are the names that programs register.
func metrics(t *testing.T) map[string]bool {
	t.Helper()
	names := make(map[string]bool)
	err := filepath.WalkDir("../..", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		for _, found := range registered.FindAllStringSubmatch(read(t, path), -1) {
			names[found[1]] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// expressions are those of the dashboard's panels.
func expressions(t *testing.T) (exprs []string) {
	t.Helper()
	var board struct {
		Panels []struct {
			Title   string
			Type    string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "dashboard.json")), &board); err != nil {
		t.Fatal(err)
	}
	for _, panel := range board.Panels {
		if len(panel.Targets) == 0 && panel.Type != "row" {
			t.Errorf("panel %s shows nothing", panel.Title)
		}
		for _, target := range panel.Targets {
			exprs = append(exprs, target.Expr)
		}
	}
	return exprs
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
