package parse

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const spectrum = "../../../../shared/testdata/csv-spectrum"

// errata are the values in which the JSON of csv-spectrum contradicts its own
// CSV (github.com/max-mapper/csv-spectrum/issues/20): file => name => published,
// in the CSV. The test fails when they are no longer needed.
var errata = map[string]map[string][2]string{
	"location_coordinates": {"Contact Phone Number": {"1234567890", "2095257564"}},
}

func TestCSVSpectrum(t *testing.T) {
	files, err := filepath.Glob(spectrum + "/csvs/*.csv")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skipf("CSV WAS NOT HELD AGAINST CSV-SPECTRUM: %s is missing; it is a copy of github.com/max-mapper/csv-spectrum", spectrum)
	}
	passed := 0
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".csv")
		if t.Run(name, func(t *testing.T) { checkSpectrum(t, file, name) }) {
			passed++
		}
	}
	t.Logf("csv-spectrum: %d of %d (in %d the published JSON was corrected, see errata)", passed, len(files), len(errata))
	if len(files) != 12 {
		t.Errorf("csv-spectrum has %d files, want 12", len(files))
	}
}

func checkSpectrum(t *testing.T, file, name string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	records, _, err := parse(t, Config{}, string(text), Input{Format: FormatCSV})
	if err != nil {
		t.Fatal(err)
	}
	var got []map[string]string
	for line := range strings.Lines(records) {
		var record map[string]string
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		got = append(got, record)
	}
	want := published(t, name)
	for field, values := range errata[name] {
		if want[0][field] != values[0] {
			t.Errorf("%s is %q in the published JSON, not %q: correct the errata", field, want[0][field], values[0])
		}
		want[0][field] = values[1]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// published returns what the JSON of csv-spectrum says: an array of records, or
// one of the files a single record.
func published(t *testing.T, name string) []map[string]string {
	data, err := os.ReadFile(filepath.Join(spectrum, "json", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var want []map[string]string
	if json.Unmarshal(data, &want) == nil {
		return want
	}
	var one map[string]string
	if err := json.Unmarshal(data, &one); err != nil {
		t.Fatal(err)
	}
	return []map[string]string{one}
}
