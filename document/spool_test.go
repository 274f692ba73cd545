package document_test

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"segue/document"
)

func TestSpool(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	f, err := document.Spool(strings.NewReader("0123456789"), document.Ref{Name: "n", Size: 10}, 10)
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(f)
	if err != nil || string(all) != "0123456789" || f.Size != 10 {
		t.Errorf("from the beginning: %q of %d bytes, %v", all, f.Size, err)
	}
	end := make([]byte, 3)
	if _, err := f.ReadAt(end, 7); err != nil || string(end) != "789" {
		t.Errorf("at 7: %q, %v", end, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	nothingIsLeft(t)
}

func TestSpoolRefuses(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	broken := errors.New("broken")
	for _, c := range []struct {
		name string
		r    io.Reader
		want error
	}{
		{"shorter than it says", strings.NewReader("123"), document.ErrChanged},
		{"longer than it says", strings.NewReader(strings.Repeat("1", 1000)), document.ErrChanged},
		{"the store fails", io.MultiReader(strings.NewReader("123"), iotest.ErrReader(broken)), broken},
		{"other bytes", io.MultiReader(strings.NewReader("12345"), iotest.ErrReader(document.ErrChanged)), document.ErrChanged},
	} {
		f, err := document.Spool(c.r, document.Ref{Name: "n", Size: 5}, 5)
		if !errors.Is(err, c.want) || f != nil {
			t.Errorf("%s: %v, %v; want %v", c.name, f, err, c.want)
		}
		nothingIsLeft(t)
	}
	_, err := document.Spool(iotest.ErrReader(broken), document.Ref{Name: "n", Size: 6}, 5)
	if !errors.Is(err, document.ErrTooLarge) || !strings.Contains(err.Error(), "it has 6 bytes, the limit is 5") {
		t.Errorf("too large: %v", err)
	}
	if f, err := document.SpoolReader(strings.NewReader("123456"), 5); !errors.Is(err, document.ErrTooLarge) || f != nil {
		t.Errorf("more than the limit: %v", err)
	}
	nothingIsLeft(t)
	t.Setenv("TMPDIR", "/nowhere/at/all")
	if _, err := document.Spool(strings.NewReader(""), document.Ref{Name: "n"}, 5); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no room for temporary files: %v", err)
	}
}

func nothingIsLeft(t *testing.T) {
	t.Helper()
	left, err := os.ReadDir(os.TempDir())
	if err != nil || len(left) > 0 {
		t.Errorf("left in the folder of temporary files: %v, %v", left, err)
	}
}
