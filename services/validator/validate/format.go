package validate

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/url"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"segue/archive"
	"segue/columnar"
	"segue/document"
)

// The formats.
const (
	JSON    = "json"
	NDJSON  = "ndjson"
	CSV     = "csv"
	XML     = "xml"
	Parquet = "parquet"
)

// formats are all of them.
var formats = []string{JSON, NDJSON, CSV, XML, Parquet}

var formatByMediaType = map[string]string{
	"application/json":               JSON,
	"text/json":                      JSON,
	"application/x-ndjson":           NDJSON,
	"application/ndjson":             NDJSON,
	"application/jsonl":              NDJSON,
	"application/x-jsonl":            NDJSON,
	"application/jsonlines":          NDJSON,
	"application/x-jsonlines":        NDJSON,
	"text/csv":                       CSV,
	"application/csv":                CSV,
	"text/tab-separated-values":      CSV,
	"application/xml":                XML,
	"text/xml":                       XML,
	"application/vnd.apache.parquet": Parquet,
	"application/x-parquet":          Parquet,
}

var formatByExtension = map[string]string{
	".json":    JSON,
	".geojson": JSON,
	".ndjson":  NDJSON,
	".jsonl":   NDJSON,
	".csv":     CSV,
	".tsv":     CSV,
	".xml":     XML,
	".rss":     XML,
	".atom":    XML,
	".kml":     XML,
	".gpx":     XML,
	".parquet": Parquet,
}

// detect returns the format of a document and why it is taken for that, as it
// goes into messages. The format is empty if nothing tells.
//
// Of what was in a container neither the document's media type speaks, nor its
// extension: a member has one of its own, and a gzip file what stands before its .gz.
func detect(given string, doc document.Document, in *archive.Document) (format, because string, err error) {
	if given != "" {
		return given, "read as " + given + ", as the command says", nil
	}
	name := pathOf(doc.URL)
	switch in.Container {
	case "":
		if f, mediaType := byMediaType(doc.MediaType); f != "" {
			return f, "read as " + f + " by its media type " + clip(mediaType, maxQuote), nil
		}
	case archive.Gzip:
		name = strings.TrimSuffix(name, ".gz")
	case archive.Zip:
		name = in.Member
	}
	if f, ext := byExtension(name); f != "" {
		return f, "read as " + f + " by its extension " + ext, nil
	}
	prefix, err := in.Content.Peek(archive.Lookahead)
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
	switch {
	case strings.HasSuffix(name, "+json"):
		return JSON, name
	case strings.HasSuffix(name, "+xml") && name != "application/xhtml+xml" && name != "image/svg+xml":
		return XML, name
	}
	return formatByMediaType[name], name
}

// pathOf returns the path of a URL.
func pathOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Path
}

func byExtension(name string) (format, ext string) {
	ext = strings.ToLower(path.Ext(name))
	return formatByExtension[ext], ext
}

// byContent tells the format from the beginning of a document; whole says that it
// is all of it. Objects and arrays are JSON, or NDJSON if the first line is one
// and there is another. Else a first line with a delimiter is taken for CSV.
func byContent(prefix []byte, whole bool) string {
	if bytes.HasPrefix(prefix, []byte(columnar.Magic)) {
		return Parquet
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(prefix, []byte(bom)), " \t\r\n")
	if len(text) == 0 {
		return ""
	}
	if bytes.HasPrefix(text, []byte("<?xml")) {
		return XML
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
