package columnar

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// write makes a file of rows.
func write[T any](t testing.TB, rows []T, options ...parquet.WriterOption) []byte {
	t.Helper()
	var file bytes.Buffer
	w := parquet.NewGenericWriter[T](&file, options...)
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// read reads a whole file, each row on a line.
func read(file []byte, l Limits) (string, error) {
	r, err := Open(bytes.NewReader(file), int64(len(file)), l)
	if err != nil {
		return "", err
	}
	var rows []byte
	for {
		if rows, err = r.Next(rows); err != nil {
			break
		}
		rows = append(rows, '\n')
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return string(rows), errors.Join(err, r.Close())
}

// published returns the folder of test files that come with the library.
func published(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/parquet-go/parquet-go").Output()
	folder := filepath.Join(strings.TrimSpace(string(out)), "testdata")
	if err != nil {
		t.Skipf("FILES OF OTHER WRITERS WERE NOT READ: the module's source is not here: %v", err)
	}
	return folder
}

// Files that other programs have written are read whole, or are refused with a
// reason that names what it is about.
func TestPublished(t *testing.T) {
	if testing.Short() {
		t.Skip("PUBLISHED FILES WERE NOT READ: run without -short")
	}
	t.Parallel()
	var read, refused int
	err := filepath.WalkDir(published(t), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".parquet" {
			return err
		}
		file, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rows, want, err := count(t, file)
		switch {
		case err != nil:
			refused++
			t.Logf("%s: %v", filepath.Base(path), err)
			var e *Error
			if !errors.As(err, &e) {
				t.Errorf("%s: %v is no *Error", path, err)
			}
		case rows != want:
			t.Errorf("%s: %d rows, its row groups have %d", path, rows, want)
		default:
			read++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d files read, %d refused", read, refused)
	if read < 40 {
		t.Errorf("only %d files were read", read)
	}
}

func count(t *testing.T, file []byte) (rows, want int64, err error) {
	r, err := Open(bytes.NewReader(file), int64(len(file)), Limits{})
	if err != nil {
		return 0, 0, err
	}
	defer r.Close()
	for {
		row, err := r.Next(nil)
		if errors.Is(err, io.EOF) {
			for _, group := range r.parsed.RowGroups() {
				want += group.NumRows()
			}
			return rows, want, nil
		}
		if err != nil {
			return rows, 0, err
		}
		if rows++; !json.Valid(row) {
			t.Fatalf("row %d is not JSON: %s", rows, row)
		}
	}
}
