package archive

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"go.uber.org/goleak"

	"segue/archive/archivetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func readGzip(data string, l Limits) (string, error) {
	in, err := OpenGzip(strings.NewReader(data), l)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(in)
	return string(text), err
}

func readZip(data string, member string, l Limits) (text, name string, err error) {
	in, name, err := OpenZip(strings.NewReader(data), int64(len(data)), member, l)
	if err != nil {
		return "", "", err
	}
	all, err := io.ReadAll(in)
	return string(all), name, errors.Join(err, in.Close())
}

func TestRecognize(t *testing.T) {
	t.Parallel()
	for want, data := range map[string]string{Gzip: archivetest.Gzip(t, ""), Zip: archivetest.Zip(t, "a", "x"), "": "PK, he said"} {
		if got := Recognize([]byte(data)); got != want {
			t.Errorf("%q is taken for %q, want %q", data, got, want)
		}
	}
	if got := Recognize([]byte(archivetest.Zip(t))); got != Zip {
		t.Errorf("an empty zip file is taken for %q", got)
	}
}

func TestGzip(t *testing.T) {
	t.Parallel()
	two := archivetest.Gzip(t, "one, ") + archivetest.Gzip(t, "two")
	if got, err := readGzip(two, Limits{}); got != "one, two" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	wrong := []byte(archivetest.Gzip(t, "some text"))
	wrong[len(wrong)-6] ^= 1
	for _, test := range []struct {
		name string
		data string
		want string
	}{
		{"nothing", "", "is gzip that breaks off"},
		{"cut header", archivetest.Gzip(t, "x")[:5], "is gzip that breaks off"},
		{"cut", archivetest.Gzip(t, "some text")[:20], "is gzip that breaks off"},
		{"checksum", string(wrong), "is no well-formed gzip: gzip: invalid checksum"},
		{"more behind", archivetest.Gzip(t, "x") + "more", "is gzip that breaks off"},
		{"much more behind", archivetest.Gzip(t, "x") + strings.Repeat("more", 9), "is no well-formed gzip: gzip: invalid header"},
		{"no gzip", "0123456789", "is no well-formed gzip: gzip: invalid header"},
	} {
		_, err := readGzip(test.data, Limits{})
		var e *Error
		if !errors.As(err, &e) || e.Error() != test.want || e.Limit {
			t.Errorf("%s: %v, want %s", test.name, err, test.want)
		}
	}
}

func TestZip(t *testing.T) {
	t.Parallel()
	data := archivetest.Zip(t, "folder/", "", "folder/a.csv", "1", "__MACOSX/folder/._a.csv", "2")
	if got, name, err := readZip(data, "", Limits{}); got != "1" || name != "folder/a.csv" || err != nil {
		t.Errorf("%q, %q, %v", got, name, err)
	}
	data = archivetest.Zip(t, "a", "1", "../../etc/passwd", "2", "c", "3", "c", "4")
	if got, name, err := readZip(data, "../../etc/passwd", Limits{}); got != "2" || name != "../../etc/passwd" || err != nil {
		t.Errorf("%q, %q, %v", got, name, err)
	}
	secret := []byte(archivetest.Zip(t, "a", "1"))
	binary.LittleEndian.PutUint16(secret[bytes.Index(secret, []byte("PK\x01\x02"))+8:], 1)
	method := []byte(archivetest.Zip(t, "a", "1"))
	binary.LittleEndian.PutUint16(method[bytes.Index(method, []byte("PK\x01\x02"))+10:], 99)
	size := []byte(archivetest.Zip(t, "a", strings.Repeat("x", 100)))
	binary.LittleEndian.PutUint32(size[bytes.Index(size, []byte("PK\x01\x02"))+24:], 5)
	for _, test := range []struct {
		name, member string
		data         string
		want         string
		choose       bool
	}{
		{"several", "", data, `is zip of 4 members, say which one with member: "a", "../../etc/passwd", "c", "c"`, true},
		{"another", "b", data, `is zip without a member "b", it has "a", "../../etc/passwd", "c", "c"`, true},
		{"twice", "c", data, `is zip with 2 members of the name "c"`, false},
		{"empty", "", archivetest.Zip(t), "is zip without members", false},
		{"only folders", "", archivetest.Zip(t, "a/", ""), "is zip without members", false},
		{"nothing", "", "", "is zip that breaks off: it has no directory", false},
		{"cut", "", data[:len(data)-30], "is zip that breaks off: it has no directory", false},
		{"encrypted", "", string(secret), `has a member "a" that is encrypted`, false},
		{"method", "", string(method), `has a member "a" that is packed by method 99, only deflate can be read`, false},
		{"lying size", "", string(size), "is no well-formed zip: zip: not a valid zip file", false},
	} {
		_, _, err := readZip(test.data, test.member, Limits{})
		var e *Error
		if !errors.As(err, &e) || e.Error() != test.want || e.Limit || e.Member != test.choose || e.Member != (len(e.Members) > 0) {
			t.Errorf("%s: %v, want %s", test.name, err, test.want)
		}
	}
}

// bomb is n bytes of nothing, packed.
func bomb(t testing.TB, n int64) string {
	t.Helper()
	return archivetest.GzipFrom(t, io.LimitReader(zeros{}, n))
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestLimits(t *testing.T) {
	t.Parallel()
	many := make([]string, 0, 40)
	for i := range 20 {
		many = append(many, fmt.Sprint(i), "x")
	}
	lying := []byte(archivetest.Zip(t, many...))
	binary.LittleEndian.PutUint16(lying[len(lying)-12:], 3) // of 20 members
	longNames := archivetest.Zip(t, strings.Repeat("n", 60_000), "x", strings.Repeat("m", 60_000), "x", strings.Repeat("o", 60_000), "x")
	text := strings.Repeat("x", 1000)
	for _, test := range []struct {
		name  string
		limit Limits
		read  func(Limits) error
		want  string
	}{
		{"size of gzip", Limits{MaxSize: 999}, func(l Limits) error { _, err := readGzip(archivetest.Gzip(t, text), l); return err }, "is gzip of more than 999 bytes, unpacked"},
		{"size of a member", Limits{MaxSize: 999}, func(l Limits) error { _, _, err := readZip(archivetest.Zip(t, "a", text), "", l); return err }, `has a member "a" of more than 999 bytes, unpacked`},
		{"ratio of gzip", Limits{}, func(l Limits) error {
			in, err := OpenGzip(strings.NewReader(bomb(t, 32<<20)), l)
			if err == nil {
				_, err = io.Copy(io.Discard, in)
			}
			return err
		}, "is gzip that unpacks to more than 200 times its size"},
		{"ratio of zip", Limits{}, func(l Limits) error {
			data := archivetest.Zip(t, "a", strings.Repeat("\x00", 32<<20))
			in, _, err := OpenZip(strings.NewReader(data), int64(len(data)), "", l)
			if err == nil {
				_, err = io.Copy(io.Discard, in)
			}
			return err
		}, "is zip that unpacks to more than 200 times its size"},
		{"members", Limits{MaxMembers: 19}, func(l Limits) error { _, _, err := readZip(archivetest.Zip(t, many...), "0", l); return err }, "is zip of more than 19 members, or with more than 4864 bytes for their names"},
		{"names", Limits{MaxMembers: 19}, func(l Limits) error { _, _, err := readZip(longNames, "0", l); return err }, "is zip of more than 19 members, or with more than 4864 bytes for their names"},
	} {
		err := test.read(test.limit)
		var e *Error
		if !errors.As(err, &e) || e.Error() != test.want || !e.Limit {
			t.Errorf("%s: %v, want %s", test.name, err, test.want)
		}
	}
	if _, _, err := readZip(string(lying), "0", Limits{}); err == nil {
		t.Error("a directory of 20 members that says it has 3 is accepted")
	}
	for _, read := range []func(Limits) error{
		func(l Limits) error { _, err := readGzip(archivetest.Gzip(t, text), l); return err },
		func(l Limits) error { _, _, err := readZip(archivetest.Zip(t, many...), "0", l); return err },
	} {
		if err := read(Limits{MaxSize: 1000, MaxMembers: 20}); err != nil {
			t.Errorf("at the limit: %v", err)
		}
	}
}

// TestBombMemory holds that a bomb takes no more memory than any other document.
func TestBombMemory(t *testing.T) {
	data := bomb(t, 256<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	in, err := OpenGzip(strings.NewReader(data), Limits{MaxRatio: 1 << 40})
	if err == nil {
		_, err = io.Copy(io.Discard, in)
	}
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
		t.Errorf("%d bytes were allocated for %d packed bytes", grown, len(data))
	}
}

// TestSourceError holds that what the container is read from is told apart from it.
func TestSourceError(t *testing.T) {
	t.Parallel()
	failed := errors.New("broken")
	data := archivetest.Gzip(t, strings.Repeat("text ", 100))
	for n := range len(data) {
		in, err := OpenGzip(io.MultiReader(strings.NewReader(data[:n]), iotest.ErrReader(failed)), Limits{})
		if err == nil {
			_, err = io.ReadAll(in)
		}
		if !errors.Is(err, failed) {
			t.Errorf("gzip, after %d bytes: %v", n, err)
		}
	}
	archived := archivetest.Zip(t, "a", "1")
	for calls := range 3 {
		in, _, err := OpenZip(&failing{strings.NewReader(archived), calls, failed}, int64(len(archived)), "", Limits{})
		if err == nil {
			_, err = io.ReadAll(in)
		}
		if !errors.Is(err, failed) {
			t.Errorf("zip, after %d reads: %v", calls, err)
		}
	}
}

// failing fails after some reads.
type failing struct {
	io.ReaderAt
	left int
	err  error
}

func (f *failing) ReadAt(p []byte, offset int64) (int, error) {
	if f.left--; f.left < 0 {
		return 0, f.err
	}
	return f.ReaderAt.ReadAt(p, offset)
}

func FuzzGzip(f *testing.F) {
	f.Add(archivetest.Gzip(f, "some text"))
	f.Add(archivetest.Gzip(f, "one") + archivetest.Gzip(f, "two"))
	f.Fuzz(func(t *testing.T, data string) {
		text, err := readGzip(data, Limits{MaxSize: 1 << 20})
		var e *Error
		if err != nil && !errors.As(err, &e) || err == nil && Recognize([]byte(data)) != Gzip {
			t.Errorf("%q, %v", text, err)
		}
	})
}

func FuzzZip(f *testing.F) {
	f.Add(archivetest.Zip(f, "a", "some text"), "")
	f.Add(archivetest.Zip(f, "a/", "", "a/b", "1", "c", "2"), "c")
	f.Fuzz(func(t *testing.T, data, member string) {
		_, name, err := readZip(data, member, Limits{MaxSize: 1 << 20, MaxMembers: 100})
		var e *Error
		if err != nil && !errors.As(err, &e) || err == nil && member != "" && name != member {
			t.Errorf("member %q: %v", name, err)
		}
	})
}
