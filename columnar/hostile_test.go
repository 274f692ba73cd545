package columnar

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
)

var codecs = []compress.Codec{&parquet.Uncompressed, &parquet.Snappy, &parquet.Gzip, &parquet.Brotli, &parquet.Zstd, &parquet.Lz4Raw}

type small struct {
	A string   `parquet:"a,dict"`
	B []int64  `parquet:"b,list"`
	C *float64 `parquet:"c,optional"`
}

func smallFile(t testing.TB, codec compress.Codec) []byte {
	rows := make([]small, 20)
	for i := range rows {
		rows[i] = small{A: strings.Repeat("ab", i%3), B: make([]int64, i%4)}
	}
	return write(t, rows, parquet.Compression(codec))
}

// tight are limits far below what a lying file can ask for.
var tight = Limits{MaxRow: 1 << 20, MaxFooter: 1 << 20, MaxMemory: 1 << 20}

// maxWaste is what reading a small file may allocate, in bytes, whatever it
// says: windows of decompressors and the limits, some times over.
const maxWaste = 48 << 20

// With any byte of a file wrong, or its end cut off, reading ends, without a
// panic and without more memory than the limits allow.
func TestEveryByteWrong(t *testing.T) {
	if testing.Short() {
		t.Skip("FILES WITH A WRONG BYTE WERE NOT READ: run without -short")
	}
	for _, codec := range codecs {
		file := smallFile(t, codec)
		if _, err := read(file, tight); err != nil {
			t.Fatalf("%s: %v", codec, err)
		}
		refused := 0
		for at := range file {
			for _, wrong := range []byte{file[at] ^ 0xFF, file[at] ^ 1, 0x7F} {
				broken := slices.Clone(file)
				broken[at] = wrong
				if readsSafely(t, fmt.Sprintf("%s, byte %d is %#x", codec, at, wrong), broken) != nil {
					refused++
				}
			}
		}
		for at := 0; at < len(file); at += 7 {
			if readsSafely(t, fmt.Sprintf("%s cut at %d", codec, at), file[:at]) == nil {
				t.Errorf("%s cut at %d was read", codec, at)
			}
		}
		if refused < len(file)/2 {
			t.Errorf("%s: only %d of %d broken files were refused", codec, refused, 3*len(file))
		}
	}
}

func readsSafely(t *testing.T, what string, file []byte) error {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	rows, err := read(file, tight)
	runtime.ReadMemStats(&after)
	if waste := after.TotalAlloc - before.TotalAlloc; waste > maxWaste {
		t.Errorf("%s: %d bytes were allocated", what, waste)
	}
	var e *Error
	if err != nil && (!errors.As(err, &e) || len(err.Error()) > 1000) {
		t.Errorf("%s: error %v", what, err)
	}
	for row := range strings.Lines(rows) {
		if strings.HasSuffix(row, "\n") && !json.Valid([]byte(row)) {
			t.Errorf("%s: row %q", what, row)
		}
	}
	return err
}

// footerOf makes a file of nothing but a footer.
func footerOf(footer []byte) []byte {
	file := append([]byte(Magic), footer...)
	file = binary.LittleEndian.AppendUint32(file, uint32(len(footer)))
	return append(file, Magic...)
}

func TestHostile(t *testing.T) {
	t.Parallel()
	same := make([]small, 3000)
	bomb := write(t, same, parquet.Compression(&parquet.Zstd))
	type row struct {
		Text string `parquet:"text"`
	}
	type twice struct {
		Map map[string]int64 `parquet:"map"`
	}
	large := write(t, []row{{"x"}, {strings.Repeat("x", 2<<20)}})
	type shared struct {
		Text string `parquet:"text"`
	}
	sharing := parquet.NewSchema("shared", parquet.Group{"text": parquet.Encoded(parquet.String(), &parquet.DeltaByteArray)})
	squared := make([]shared, 2000) // each begins with all of the one before it
	for i := range squared {
		squared[i].Text = strings.Repeat("x", i)
	}
	list := func(size uint64, items ...byte) []byte { // field 2, the schema, a list of structures
		return append(binary.AppendUvarint([]byte{0x15, 2, 0x19, 0xFC}, size), items...)
	}
	wrongText := write(t, []row{{"ab\xffd"}})
	for _, c := range []struct {
		name  string
		file  []byte
		l     Limits
		want  string
		limit bool
	}{
		{"nothing", nil, tight, "too short", false},
		{"text", []byte("this is no file of columns"), tight, "does not begin and end with PAR1", false},
		{"encrypted", append(append([]byte("PARE"), make([]byte, 20)...), "PARE"...), tight, "it is encrypted", false},
		{"a footer larger than the file", append([]byte("PAR1    "), "\xff\xff\xff\x7fPAR1"...), tight, "larger than the file", false},
		{"a footer over the limit", footerOf(make([]byte, 2<<20)), tight, "the limit is 1048576", true},
		{"a list of 2 thousand million items", footerOf(list(2<<30 - 1)), tight, "cut or not in Thrift", false},
		{"a million empty items", footerOf(list(1_000_000, make([]byte, 1_000_000)...)), tight, "more than 400000 items", true},
		{"structures in structures", footerOf(bytes.Repeat([]byte{0x1C}, 100_000)), tight, "cut or not in Thrift", false},
		{"nothing in the footer", footerOf([]byte{0}), tight, "cannot be decoded", false},
		{"pages that do not fit", bomb, Limits{MaxMemory: 4 << 10}, "more memory than there is", true},
		{"texts that share their beginnings", write(t, squared, sharing, parquet.PageBufferSize(4<<20)), Limits{MaxMemory: 1 << 20}, "more memory than there is", true},
		{"columns over the limit", bomb, Limits{MaxColumns: 2}, "more columns than the limit", true},
		{"nesting over the limit", bomb, Limits{MaxDepth: 1}, "nested deeper", true},
		{"a row over the limit", large, Limits{MaxRow: 1 << 20}, `row 2, column "text": the row is over the limit of 1048576 bytes`, true},
		{"text that is not UTF-8", wrongText, tight, `column "text": a text is not UTF-8`, false},
	} {
		_, err := read(c.file, c.l)
		var e *Error
		if !errors.As(err, &e) || e.Limit != c.limit || !strings.Contains(e.Error(), c.want) {
			t.Errorf("%s: %v, want %q with limit %v", c.name, err, c.want, c.limit)
		}
	}
	for name, file := range map[string][]byte{
		"a map":                            write(t, []twice{{map[string]int64{"a": 1}}}),
		"texts that share their beginning": write(t, squared[:100], sharing, parquet.DataPageVersion(1), parquet.Compression(&parquet.Snappy)),
	} {
		if _, err := read(file, tight); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLarge holds that whoever is asked for much memory is asked before it is taken,
// by footers as well as by pages, and that what it says is no flaw of the file.
func TestLarge(t *testing.T) {
	t.Parallel()
	refused := errors.New("no turn")
	type row struct {
		Text string `parquet:"text"`
	}
	type wide struct {
		A, B, C, D, E, F, G, H int64
	}
	page := write(t, slices.Repeat([]row{{strings.Repeat("x", 64)}}, 1<<10), parquet.PageBufferSize(1<<20))
	for _, c := range []struct {
		name  string
		file  []byte
		small int64
		large bool
	}{
		{"a page", page, 64 << 10, true},
		{"a page with room", page, 512 << 10, false},
		{"a footer", write(t, []wide{}), 16 << 10, true},
		{"a footer with room", write(t, []wide{}), 512 << 10, false},
	} {
		asked := 0
		_, err := read(c.file, Limits{Small: c.small, Large: func() error { asked++; return refused }})
		if c.large != (asked == 1) || c.large != errors.Is(err, refused) || errors.As(err, new(*Error)) {
			t.Errorf("%s: asked %d times, %v", c.name, asked, err)
		}
		if _, err := read(c.file, Limits{Small: c.small, Large: func() error { return nil }}); err != nil {
			t.Errorf("%s, when it may: %v", c.name, err)
		}
	}
}

// TestPointers holds that a column with a dot in its name is not taken for two.
func TestPointers(t *testing.T) {
	t.Parallel()
	type inner struct {
		Text string `parquet:"b/c.d"`
	}
	type row struct {
		A inner `parquet:"a"`
	}
	_, err := read(write(t, []row{{inner{"\xff"}}}), Limits{})
	var e *Error
	if !errors.As(err, &e) || e.Row != 1 || e.Column != "/a/b~1c.d" || e.Error() != `row 1, column "a.b/c.d": a text is not UTF-8` {
		t.Errorf("%v, %+v", err, e)
	}
}

// TestFooterMemory holds that a footer takes no more memory than it is charged for:
// one of a hundred kilobytes can take some fifty megabytes.
func TestFooterMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("THE MEMORY OF FOOTERS WAS NOT MEASURED: run without -short")
	}
	const columns = 100_000
	footer := []byte{0x15, 2, 0x19, 0x1C, 0x48, 1, 'r', 0, 0x16, 0, 0x19, 0x1C, 0x19, 0xFC} // version, schema, num_rows, row_groups, columns
	footer = append(binary.AppendUvarint(footer, columns), make([]byte, columns)...)
	type wide struct{ A, B, C, D, E, F, G, H int64 }
	for name, file := range map[string][]byte{
		"empty columns": footerOf(append(footer, 0x16, 0, 0x16, 0, 0, 0)),
		"row groups":    write(t, make([]wide, 2000), parquet.MaxRowsPerRowGroup(1)),
	} {
		memory, err := checkFooter(bytes.NewReader(file), int64(len(file)), Limits{}.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = Open(bytes.NewReader(file), int64(len(file)), Limits{})
		runtime.ReadMemStats(&after)
		took := int64(after.TotalAlloc - before.TotalAlloc)
		t.Logf("%s, in a file of %d bytes: %d KiB are allocated, %d charged: %v", name, len(file), took>>10, memory>>10, err)
		if took > memory {
			t.Errorf("%s: %d bytes are allocated, %d are charged", name, took, memory)
		}
		if _, err := Open(bytes.NewReader(file), int64(len(file)), Limits{MaxMemory: memory - 1}); err == nil || !strings.Contains(err.Error(), "takes more memory than there is") {
			t.Errorf("%s, over the limit: %v", name, err)
		}
	}
}

// What the underlying reader says is never taken for a flaw of the file.
func TestReaderFails(t *testing.T) {
	t.Parallel()
	file := smallFile(t, &parquet.Snappy)
	broken := errors.New("broken")
	failed := 0
	for at := range len(file) {
		r, err := Open(&fails{bytes.NewReader(file), int64(at), broken}, int64(len(file)), tight)
		for err == nil {
			_, err = r.Next(nil)
		}
		switch {
		case errors.Is(err, broken):
			failed++
		case !errors.Is(err, io.EOF): // nobody needed that byte
			t.Fatalf("reading fails at %d: %v", at, err)
		}
		if r != nil {
			_ = r.Close()
		}
	}
	if failed < len(file)/2 {
		t.Errorf("only %d of %d failures were seen", failed, len(file))
	}
}

// fails is a file of which one byte cannot be read.
type fails struct {
	*bytes.Reader
	at  int64
	err error
}

func (f *fails) ReadAt(p []byte, at int64) (int, error) {
	if at <= f.at && f.at < at+int64(len(p)) {
		return 0, f.err
	}
	return f.Reader.ReadAt(p, at)
}

// FuzzRead feeds anything.
func FuzzRead(f *testing.F) {
	for _, codec := range codecs {
		f.Add(smallFile(f, codec))
	}
	f.Add(footerOf([]byte{0}))
	f.Fuzz(func(t *testing.T, file []byte) {
		if err := readsSafely(t, "a file", file); err == nil && len(file) == 0 {
			t.Error("nothing was read as a file")
		}
	})
}
