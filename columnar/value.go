package columnar

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
)

// writer appends a value as JSON. A nil writer is that of a column that can only
// be null.
type writer func(dst []byte, v parquet.Value) ([]byte, error)

// writerOf returns the writer of a column.
func writerOf(t parquet.Type, element *format.SchemaElement) (writer, error) {
	kind := t.Kind()
	if logical := t.LogicalType(); logical != nil {
		switch l := logical.Value.(type) {
		case *format.NullType:
			return nil, nil
		case *format.StringType, *format.EnumType, *format.JsonType:
			return writeText, nil
		case *format.DecimalType:
			return decimalWriter(kind, l)
		case *format.DateType:
			return writeDate, nil
		case *format.TimeType:
			return timeWriter(kind, l), nil
		case *format.TimestampType:
			return timestampWriter(l), nil
		case *format.UUIDType:
			return writeUUID, nil
		case *format.IntType:
			if !l.IsSigned {
				return unsignedWriter(kind), nil
			}
		}
	}
	if converted := t.ConvertedType(); converted != nil && *converted == deprecated.Interval {
		return writeInterval, nil
	}
	if _, half := element.LogicalType.Value.(*format.Float16Type); half && kind == parquet.FixedLenByteArray && t.Length() == 2 {
		return writeFloat16, nil
	}
	return plainWriter(kind)
}

// plainWriter returns the writer of a column whose type says nothing but how it
// is stored.
func plainWriter(kind parquet.Kind) (writer, error) {
	switch kind {
	case parquet.Boolean:
		return func(dst []byte, v parquet.Value) ([]byte, error) { return strconv.AppendBool(dst, v.Boolean()), nil }, nil
	case parquet.Int32:
		return func(dst []byte, v parquet.Value) ([]byte, error) {
			return strconv.AppendInt(dst, int64(v.Int32()), 10), nil
		}, nil
	case parquet.Int64:
		return func(dst []byte, v parquet.Value) ([]byte, error) { return strconv.AppendInt(dst, v.Int64(), 10), nil }, nil
	case parquet.Int96:
		return writeInt96, nil
	case parquet.Float:
		return func(dst []byte, v parquet.Value) ([]byte, error) {
			return appendFloat(dst, float64(v.Float()), 32), nil
		}, nil
	case parquet.Double:
		return func(dst []byte, v parquet.Value) ([]byte, error) { return appendFloat(dst, v.Double(), 64), nil }, nil
	case parquet.ByteArray, parquet.FixedLenByteArray:
		return func(dst []byte, v parquet.Value) ([]byte, error) { return appendBase64(dst, v.ByteArray()), nil }, nil
	}
	return nil, errors.New("its type is not known")
}

func unsignedWriter(kind parquet.Kind) writer {
	if kind == parquet.Int64 {
		return func(dst []byte, v parquet.Value) ([]byte, error) { return strconv.AppendUint(dst, v.Uint64(), 10), nil }
	}
	return func(dst []byte, v parquet.Value) ([]byte, error) {
		return strconv.AppendUint(dst, uint64(v.Uint32()), 10), nil
	}
}

func writeText(dst []byte, v parquet.Value) ([]byte, error) {
	text := v.ByteArray()
	if !utf8.Valid(text) {
		return dst, errors.New("a text is not UTF-8")
	}
	return jsontext.AppendQuote(dst, text)
}

func appendBase64(dst, bytes []byte) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, bytes)
	return append(dst, '"')
}

// appendFloat writes a number as ECMAScript does, and what is none as protobuf's
// JSON does.
func appendFloat(dst []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(dst, `"-Infinity"`...)
	}
	style := byte('f')
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		style = 'e'
	}
	return strconv.AppendFloat(dst, f, style, -1, bits)
}

// writeFloat16 writes a number of 1 bit of sign, 5 of exponent and 10 of fraction.
func writeFloat16(dst []byte, v parquet.Value) ([]byte, error) {
	bits := binary.LittleEndian.Uint16(v.ByteArray())
	exponent, fraction := int(bits>>10&0x1F), float64(bits&0x3FF)
	f := math.Ldexp(1+fraction/1024, exponent-15)
	switch {
	case exponent == 0:
		f = math.Ldexp(fraction/1024, -14)
	case exponent == 0x1F && fraction == 0:
		f = math.Inf(1)
	case exponent == 0x1F:
		f = math.NaN()
	}
	if bits>>15 == 1 {
		f = -f
	}
	return appendFloat(dst, f, 32), nil
}

// maxDecimal is the longest number that is a DECIMAL, in bytes of binary; 16 are
// 38 digits. Writing one takes time that grows with its square.
const maxDecimal = 256

func decimalWriter(kind parquet.Kind, t *format.DecimalType) (writer, error) {
	scale := int(t.Scale)
	if scale < 0 || scale > 8*maxDecimal {
		return nil, fmt.Errorf("the scale %d of its decimals is not possible", scale)
	}
	switch kind {
	case parquet.Int32:
		return func(dst []byte, v parquet.Value) ([]byte, error) {
			return appendDecimal(dst, strconv.FormatInt(int64(v.Int32()), 10), scale), nil
		}, nil
	case parquet.Int64:
		return func(dst []byte, v parquet.Value) ([]byte, error) {
			return appendDecimal(dst, strconv.FormatInt(v.Int64(), 10), scale), nil
		}, nil
	}
	return func(dst []byte, v parquet.Value) ([]byte, error) {
		bytes := v.ByteArray()
		if len(bytes) > maxDecimal {
			return dst, fmt.Errorf("a decimal has %d bytes, the limit is %d", len(bytes), maxDecimal)
		}
		n := new(big.Int).SetBytes(bytes)
		if len(bytes) > 0 && bytes[0]&0x80 != 0 { // two's complement
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(bytes))))
		}
		return appendDecimal(dst, n.String(), scale), nil
	}, nil
}

// appendDecimal puts a decimal point into an integer's digits.
func appendDecimal(dst []byte, digits string, scale int) []byte {
	if digits[0] == '-' {
		dst, digits = append(dst, '-'), digits[1:]
	}
	if scale == 0 {
		return append(dst, digits...)
	}
	if len(digits) <= scale {
		dst = append(dst, '0', '.')
		for range scale - len(digits) {
			dst = append(dst, '0')
		}
		return append(dst, digits...)
	}
	whole := len(digits) - scale
	dst = append(append(dst, digits[:whole]...), '.')
	return append(dst, digits[whole:]...)
}

func writeUUID(dst []byte, v parquet.Value) ([]byte, error) {
	id := v.ByteArray()
	if len(id) != 16 {
		return dst, errors.New("a UUID has not 16 bytes")
	}
	return fmt.Appendf(dst, `"%x-%x-%x-%x-%x"`, id[:4], id[4:6], id[6:8], id[8:10], id[10:]), nil
}

func writeDate(dst []byte, v parquet.Value) ([]byte, error) {
	return appendTime(dst, time.Unix(int64(v.Int32())*secondsOfDay, 0), "2006-01-02"), nil
}

const secondsOfDay = 24 * 60 * 60

// layout returns that of a time of day in a unit's precision, and how many units a
// second has.
func layout(unit format.TimeUnit, utc bool) (string, int64) {
	text, perSecond := "15:04:05.000", int64(1e3)
	switch unit.Value.(type) {
	case *format.MicroSeconds:
		text, perSecond = "15:04:05.000000", 1e6
	case *format.NanoSeconds:
		text, perSecond = "15:04:05.000000000", 1e9
	}
	if utc {
		text += "Z"
	}
	return text, perSecond
}

func timeWriter(kind parquet.Kind, t *format.TimeType) writer {
	text, perSecond := layout(t.Unit, t.IsAdjustedToUTC)
	return func(dst []byte, v parquet.Value) ([]byte, error) {
		n := int64(v.Int32())
		if kind == parquet.Int64 {
			n = v.Int64()
		}
		if n < 0 || n >= secondsOfDay*perSecond {
			return dst, fmt.Errorf("%d is not a time of day", n)
		}
		return appendTime(dst, at(n, perSecond), text), nil
	}
}

func timestampWriter(t *format.TimestampType) writer {
	text, perSecond := layout(t.Unit, t.IsAdjustedToUTC)
	return func(dst []byte, v parquet.Value) ([]byte, error) {
		return appendTime(dst, at(v.Int64(), perSecond), "2006-01-02T"+text), nil
	}
}

// at returns the time so many units after 1970.
func at(n, perSecond int64) time.Time {
	seconds, rest := n/perSecond, n%perSecond
	return time.Unix(seconds, rest*(1e9/perSecond))
}

// writeInt96 writes a timestamp as older programs do: nanoseconds of the day and
// the Julian day.
func writeInt96(dst []byte, v parquet.Value) ([]byte, error) {
	n := v.Int96()
	const julian1970 = 2_440_588
	nanos := int64(uint64(n[1])<<32 | uint64(n[0]))
	seconds := (int64(n[2]) - julian1970) * secondsOfDay
	return appendTime(dst, time.Unix(seconds+nanos/1e9, nanos%1e9), "2006-01-02T15:04:05.000000000Z"), nil
}

// appendTime writes a time. Years that have not four digits get a sign, as ISO
// 8601 says.
func appendTime(dst []byte, t time.Time, layout string) []byte {
	t = t.UTC()
	dst = append(dst, '"')
	if year := t.Year(); year > 9999 || year < 0 {
		if year > 0 {
			dst = append(dst, '+')
		}
	}
	return append(t.AppendFormat(dst, layout), '"')
}

// writeInterval writes months, days and milliseconds.
func writeInterval(dst []byte, v parquet.Value) ([]byte, error) {
	bytes := v.ByteArray()
	if len(bytes) != 12 {
		return dst, errors.New("an interval has not 12 bytes")
	}
	months, days, millis := binary.LittleEndian.Uint32(bytes), binary.LittleEndian.Uint32(bytes[4:]), binary.LittleEndian.Uint32(bytes[8:])
	return fmt.Appendf(dst, `"P%dM%dDT%d.%03dS"`, months, days, millis/1000, millis%1000), nil
}
