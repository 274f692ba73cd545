package fetch

import (
	"errors"
	"mime"
	"path/filepath"
	"strings"

	"github.com/gabriel-vasile/mimetype"
)

const (
	// sniffLimit is how much of a document is looked at to tell its media type, in
	// bytes. It is the limit of mimetype, which takes less for a whole document and
	// then does not know a JSON text that is cut off.
	sniffLimit = 4096
	// maxMediaType is the longest declared media type that is believed, in bytes.
	maxMediaType = 255
	// Types that say nothing.
	anyText, anyBytes = "text/plain", "application/octet-stream"
)

// label is what an origin says of a document: its Content-Type, and its name.
type label struct{ header, name string }

// mediaType returns the media type that a label gives, with its parameters, or "".
// A header that says nothing gives way to the name, which comes before the first
// bytes: a JSON text that was cut off, say, looks like something else.
func (l label) mediaType() (media string, params map[string]string) {
	media, params = declaredType(l.header)
	if media == "" || media == anyText || media == anyBytes {
		if named := extensionType(l.name); named != "" {
			return named, only(params, "charset")
		}
	}
	return media, params
}

// only returns one of some parameters.
func only(params map[string]string, name string) map[string]string {
	if value, ok := params[name]; ok {
		return map[string]string{name: value}
	}
	return nil
}

// declaredType reads a Content-Type header; "" for one that is not a media type.
// Broken parameters are left out.
func declaredType(header string) (media string, params map[string]string) {
	media, params, err := mime.ParseMediaType(header)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return "", nil
	}
	if !strings.Contains(media, "/") || len(header) > maxMediaType {
		return "", nil
	}
	return media, params
}

// extensionType returns the media type for a file name, or "". The table is our
// own, as the system's differs from machine to machine.
func extensionType(name string) string {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".json":
		return "application/json"
	case ".ndjson", ".jsonl":
		return "application/x-ndjson"
	case ".csv":
		return "text/csv"
	case ".tsv":
		return "text/tab-separated-values"
	case ".xml":
		return "application/xml"
	case ".parquet":
		return "application/vnd.apache.parquet"
	case ".gz":
		return "application/gzip"
	case ".zip":
		return "application/zip"
	case ".txt":
		return anyText
	}
	return ""
}

// settle decides between what a label says and what the first bytes look like. The
// label wins unless it says nothing; sniffed is what the bytes look like if that
// is something else.
func settle(labelled string, head []byte) (media, sniffed string) {
	seen := mimetype.Detect(head)
	switch labelled {
	case "":
		return seen.String(), ""
	case anyText, anyBytes:
		if seen.Is(anyBytes) || seen.Is(labelled) {
			return labelled, ""
		}
		return seen.String(), ""
	}
	if len(head) == 0 || agree(labelled, seen) {
		return labelled, ""
	}
	return labelled, seen.String()
}

// agree says whether bytes that look like one media type may be of another: they
// are the same, one is a kind of the other, or the bytes tell nothing.
func agree(labelled string, seen *mimetype.MIME) bool {
	if seen.Is(anyText) && textual(labelled) || seen.Is(anyBytes) {
		return true
	}
	for m := seen; m != nil && !m.Is(anyText) && !m.Is(anyBytes); m = m.Parent() {
		if m.Is(labelled) || m.Is(suffixType(labelled)) {
			return true
		}
	}
	for m := mimetype.Lookup(labelled); m != nil && !m.Is(anyText) && !m.Is(anyBytes); m = m.Parent() {
		if m.Is(seen.String()) {
			return true
		}
	}
	// Rows, with commas or tabs, and lines of JSON are told from one another by guess.
	return lines(labelled) && (lines(seen.String()) || seen.Is("application/json"))
}

func lines(media string) bool {
	media, _, _ = strings.Cut(media, ";")
	switch media {
	case "text/csv", "text/tab-separated-values", "application/x-ndjson", "application/ndjson", "application/jsonl":
		return true
	}
	return false
}

// suffixType returns the media type that another is a kind of by its suffix.
func suffixType(media string) string {
	switch {
	case strings.HasSuffix(media, "+json"):
		return "application/json"
	case strings.HasSuffix(media, "+xml"), media == "application/xml":
		return "text/xml"
	case strings.HasSuffix(media, "+zip"):
		return "application/zip"
	case strings.HasSuffix(media, "+gzip"):
		return "application/gzip"
	}
	return media
}

// textual says of a media type, without parameters, that it is text.
func textual(media string) bool {
	switch media {
	case "application/csv", "application/javascript", "application/yaml":
		return true
	}
	return strings.HasPrefix(media, "text/") || jsonText(media) || xmlText(media)
}

// jsonText says that it is JSON or made of JSON texts.
func jsonText(media string) bool {
	switch media {
	case "application/json", "text/json", "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines":
		return true
	}
	return strings.HasSuffix(media, "+json")
}

func xmlText(media string) bool {
	return media == "application/xml" || media == "text/xml" || strings.HasSuffix(media, "+xml")
}
