package parse

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"segue/document"
)

// corpus is a document of realistic, mixed records.
type corpus struct {
	name, text string
	in         Input
}

func corpora() []corpus {
	var array, lines, rows strings.Builder
	rows.WriteString("id,ident,type,name,latitude,longitude,elevation,country,municipality,updated,notes\n")
	for i := range 20_000 {
		object := fmt.Sprintf(`{"id":%d,"ident":"ED%04d","type":"large_airport","name":"Berlin Brandenburg \"Willy Brandt\" %d","at":{"lat":52.%06d,"lon":13.%06d,"elevation":%d},"country":"DE","codes":["BER","EDDB",null],"open":%v,"updated":"2024-03-%02dT10:20:30Z","notes":"A field of text, as people write it: naïve, with accents and a few words more"}`,
			i, i%10000, i, i*7%1000000, i*13%1000000, i%900, i%3 == 0, 1+i%28)
		lines.WriteString(object + "\n")
		array.WriteString(object + ",\n")
		fmt.Fprintf(&rows, "%d,ED%04d,large_airport,\"Berlin Brandenburg \"\"Willy Brandt\"\" %d\",52.%06d,13.%06d,%d,DE,Schönefeld,2024-03-%02dT10:20:30Z,\"A field of text, as people write it\"\n",
			i, i%10000, i, i*7%1000000, i*13%1000000, i%900, 1+i%28)
	}
	plain := strings.ReplaceAll(strings.ReplaceAll(rows.String(), `"`, ""), "it, ", "")
	return []corpus{
		{"json", "[" + strings.TrimSuffix(array.String(), ",\n") + "]", Input{Format: FormatJSON}},
		{"ndjson", lines.String(), Input{Format: FormatNDJSON}},
		{"csv quoted", rows.String(), Input{Format: FormatCSV}},
		{"csv plain", strings.ReplaceAll(plain, "text, as", "text as"), Input{Format: FormatCSV}},
	}
}

// BenchmarkParse measures all that Parse does, but for the store: it reads from
// memory and writes to nowhere, in the chunks of the object store. Run it with
// -cpu 1.
func BenchmarkParse(b *testing.B) {
	for _, c := range corpora() {
		b.Run(strings.ReplaceAll(c.name, " ", "_"), func(b *testing.B) {
			s := &endless{text: c.text}
			p := parser(b, Config{}, s)
			b.SetBytes(int64(len(c.text)))
			b.ReportAllocs()
			for b.Loop() {
				if out, err := p.Parse(b.Context(), command(c.in)); err != nil || out.Count != 20_000 {
					b.Fatal(out, err)
				}
			}
		})
	}
}

// endless is a store with one document, which forgets what it is given.
type endless struct {
	document.Store
	text string
}

func (s *endless) Open(context.Context, document.Ref) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(s.text)), nil
}

func (s *endless) Put(_ context.Context, name string, r io.Reader) (document.Ref, error) {
	chunk := make([]byte, 128<<10)
	for {
		if _, err := io.ReadFull(r, chunk); err == io.EOF || err == io.ErrUnexpectedEOF {
			return ref(name, nil), nil
		} else if err != nil {
			return document.Ref{}, err
		}
	}
}
