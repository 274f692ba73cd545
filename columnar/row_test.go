package columnar

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
)

type values struct {
	Bool    bool             `parquet:"bool"`
	I32     int32            `parquet:"i32"`
	I64     int64            `parquet:"i64"`
	U32     uint32           `parquet:"u32"`
	U64     uint64           `parquet:"u64"`
	F32     float32          `parquet:"f32"`
	F64     float64          `parquet:"f64"`
	Text    string           `parquet:"text"`
	Bytes   []byte           `parquet:"bytes"`
	Delta   string           `parquet:"delta,delta"`
	Steps   int64            `parquet:"steps,delta"`
	Fixed   [4]byte          `parquet:"fixed"`
	UUID    [16]byte         `parquet:"uuid,uuid"`
	Dec9    int32            `parquet:"dec9,decimal(2:9)"`
	Dec18   int64            `parquet:"dec18,decimal(4:18)"`
	Dec38   [16]byte         `parquet:"dec38,decimal(3:38)"`
	Date    int32            `parquet:"date,date"`
	Millis  int64            `parquet:"millis,timestamp(millisecond)"`
	Micros  int64            `parquet:"micros,timestamp(microsecond:local)"`
	Nanos   time.Time        `parquet:"nanos,timestamp(nanosecond)"`
	Clock   int64            `parquet:"clock,time(microsecond)"`
	Int96   deprecated.Int96 `parquet:"int96"`
	Null    *string          `parquet:"null,optional"`
	Present *int64           `parquet:"present,optional"`
}

// Every type keeps what it says, to the last digit.
func TestValues(t *testing.T) {
	t.Parallel()
	big := int64(9007199254740993)
	for _, c := range []struct {
		name string
		row  values
		want string
	}{
		{"extremes", values{
			Bool: true, I32: math.MinInt32, I64: math.MaxInt64, U32: math.MaxUint32, U64: math.MaxUint64, F32: 0.1, F64: 1e300,
			Text: "a\"\n\x00é", Bytes: []byte{0, 255}, Delta: "ab", Steps: -3, Fixed: [4]byte{1, 2, 3, 4}, UUID: [16]byte{0x12, 15: 0xff},
			Dec9: -5, Dec18: 1234567890123450000, Dec38: [16]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe},
			Date: -1, Millis: 1, Micros: -1, Nanos: time.Unix(1, 1).UTC(), Clock: 86399999999, Int96: deprecated.Int96{1, 0, 2440589}, Present: &big,
		}, `{"bool":true,"i32":-2147483648,"i64":9223372036854775807,"u32":4294967295,"u64":18446744073709551615,"f32":0.1,"f64":1e+300,` +
			`"text":"a\"\n\u0000é","bytes":"AP8=","delta":"ab","steps":-3,"fixed":"AQIDBA==","uuid":"12000000-0000-0000-0000-0000000000ff",` +
			`"dec9":-0.05,"dec18":123456789012345.0000,"dec38":-0.002,"date":"1969-12-31","millis":"1970-01-01T00:00:00.001Z",` +
			`"micros":"1969-12-31T23:59:59.999999","nanos":"1970-01-01T00:00:01.000000001Z","clock":"23:59:59.999999Z","int96":"1970-01-02T00:00:00.000000001Z",` +
			`"null":null,"present":9007199254740993}` + "\n"},
		{"no numbers", values{F32: float32(math.Inf(1)), F64: math.NaN(), Int96: deprecated.Int96{0, 0, 2440588}, Millis: 1 << 50},
			`{"bool":false,"i32":0,"i64":0,"u32":0,"u64":0,"f32":"Infinity","f64":"NaN",` +
				`"text":"","bytes":"","delta":"","steps":0,"fixed":"AAAAAA==","uuid":"00000000-0000-0000-0000-000000000000",` +
				`"dec9":0.00,"dec18":0.0000,"dec38":0.000,"date":"1970-01-01","millis":"+37648-05-06T22:07:22.624Z",` +
				`"micros":"1970-01-01T00:00:00.000000","nanos":"1754-08-30T22:43:41.128654848Z","clock":"00:00:00.000000Z","int96":"1970-01-01T00:00:00.000000000Z",` +
				`"null":null,"present":null}` + "\n"},
	} {
		got, err := read(write(t, []values{c.row}), Limits{})
		if err != nil || !json.Valid([]byte(got)) {
			t.Errorf("%s: %v", c.name, err)
		}
		if diff := cmp.Diff(strings.ReplaceAll(c.want, ",", ",\n"), strings.ReplaceAll(got, ",", ",\n")); diff != "" {
			t.Errorf("%s -want +got:\n%s", c.name, diff)
		}
	}
}

type nested struct {
	List   []int64           `parquet:"list,list"`
	Plain  []string          `parquet:"plain"`
	Deep   []inner           `parquet:"deep"`
	Lists  [][]int32         `parquet:"lists,list"`
	Map    map[string]int64  `parquet:"map"`
	ByInt  map[int64]*string `parquet:"by_int"`
	Maybe  *inner            `parquet:"maybe,optional"`
	Always inner             `parquet:"always"`
}

type inner struct {
	A *int64   `parquet:"a,optional" json:"a"`
	B []string `parquet:"b" json:"b"`
}

// Lists, maps and groups come back as they were, whatever is empty or null in them.
func TestNested(t *testing.T) {
	t.Parallel()
	one, x := int64(1), "x"
	rows := []nested{
		{},
		{List: []int64{1, 2}, Plain: []string{"a"}, Deep: []inner{{A: &one}, {B: []string{"p", "q"}}, {}}, Lists: [][]int32{{1}, {2, 3}},
			Map: map[string]int64{"k": 1 << 60}, ByInt: map[int64]*string{-7: &x}, Maybe: &inner{B: []string{"m"}}, Always: inner{A: &one}},
		{Deep: []inner{{}}, Maybe: &inner{}},
	}
	want := `{"list":[],"plain":[],"deep":[],"lists":[],"map":{},"by_int":{},"maybe":null,"always":{"a":null,"b":[]}}
{"list":[1,2],"plain":["a"],"deep":[{"a":1,"b":[]},{"a":null,"b":["p","q"]},{"a":null,"b":[]}],"lists":[[1],[2,3]],"map":{"k":1152921504606846976},"by_int":{"-7":"x"},"maybe":{"a":null,"b":["m"]},"always":{"a":1,"b":[]}}
{"list":[],"plain":[],"deep":[{"a":null,"b":[]}],"lists":[],"map":{},"by_int":{},"maybe":{"a":null,"b":[]},"always":{"a":null,"b":[]}}
`
	for name, options := range map[string][]parquet.WriterOption{
		"as it comes": nil, "pages of version 1": {parquet.DataPageVersion(1)}, "tiny pages": {parquet.PageBufferSize(16)},
		"snappy": {parquet.Compression(&parquet.Snappy)}, "gzip": {parquet.Compression(&parquet.Gzip)}, "brotli": {parquet.Compression(&parquet.Brotli)},
		"zstd": {parquet.Compression(&parquet.Zstd)}, "lz4": {parquet.Compression(&parquet.Lz4Raw)}, "a group for each row": {parquet.MaxRowsPerRowGroup(1)},
	} {
		got, err := read(write(t, rows, options...), Limits{})
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v; -want +got:\n%s", name, err, diff)
		}
	}
}
