package validate

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"mime"
	"net/url"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"segue/document"
)

// The formats.
const (
	JSON   = "json"
	NDJSON = "ndjson"
	CSV    = "csv"
)

// prefixSize is how much of a document is looked at to tell its format, in bytes.
const prefixSize = 64 << 10

var formatByMediaType = map[string]string{
	"application/json":          JSON,
	"text/json":                 JSON,
	"application/x-ndjson":      NDJSON,
	"application/ndjson":        NDJSON,
	"application/jsonl":         NDJSON,
	"application/x-jsonl":       NDJSON,
	"application/jsonlines":     NDJSON,
	"application/x-jsonlines":   NDJSON,
	"text/csv":                  CSV,
	"application/csv":           CSV,
	"text/tab-separated-values": CSV,
}

var formatByExtension = map[string]string{
	".json":    JSON,
	".geojson": JSON,
	".ndjson":  NDJSON,
	".jsonl":   NDJSON,
	".csv":     CSV,
	".tsv":     CSV,
}

// detect returns the format of a document and why it is taken for that, as it
// goes into messages. The format is empty if nothing tells.
func detect(given string, doc document.Document, r *bufio.Reader) (format, because string, err error) {
	if given != "" {
		return given, "read as " + given + ", as the command says", nil
	}
	if f, name := byMediaType(doc.MediaType); f != "" {
		return f, "read as " + f + " by its media type " + clip(name, maxQuote), nil
	}
	if f, ext := byExtension(doc.URL); f != "" {
		return f, "read as " + f + " by its extension " + ext, nil
	}
	prefix, err := r.Peek(prefixSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", "", err
	}
	if f := byContent(prefix, err != nil); f != "" {
		return f, "read as " + f + " by its content", nil
	}
	return "", "neither media type, extension nor content tell the format", nil
}

func byMediaType(mediaType string) (format, name string) {
	name, _, err := mime.ParseMediaType(mediaType)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return "", ""
	}
	if strings.HasSuffix(name, "+json") {
		return JSON, name
	}
	return formatByMediaType[name], name
}

func byExtension(address string) (format, ext string) {
	u, err := url.Parse(address)
	if err != nil {
		return "", ""
	}
	ext = strings.ToLower(path.Ext(u.Path))
	return formatByExtension[ext], ext
}

// byContent tells the format from the beginning of a document; whole says that it
// is all of it. Objects and arrays are JSON, or NDJSON if the first line is one
// and there is another. Else a first line with a delimiter is taken for CSV.
func byContent(prefix []byte, whole bool) string {
	text := bytes.TrimLeft(bytes.TrimPrefix(prefix, []byte(bom)), " \t\r\n")
	if len(text) == 0 {
		return ""
	}
	line, rest, more := bytes.Cut(text, []byte("\n"))
	if text[0] == '{' || text[0] == '[' {
		rest = bytes.TrimLeft(rest, " \t\r\n")
		if more && len(rest) > 0 && (rest[0] == '{' || rest[0] == '[') && jsontext.Value(line).IsValid() {
			return NDJSON
		}
		return JSON
	}
	if whole && jsontext.Value(text).IsValid() {
		return JSON // one string, number, true, false or null
	}
	if (more || whole) && utf8.Valid(line) && bytes.IndexByte(line, 0) < 0 && bytes.ContainsAny(line, ",;\t|") && line[0] != '<' {
		return CSV
	}
	return ""
}
