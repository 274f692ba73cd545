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
)

// mediaType returns the declared media type, else one that fits the first
// bytes of the document.
func (s *source) mediaType(head []byte) string {
	if s.declared != "" {
		return s.declared
	}
	return mimetype.Detect(head).String()
}

// declaredType returns a Content-Type header in its regular form, or "" for one
// that is not a media type. Broken parameters are left out.
func declaredType(header string) string {
	media, params, err := mime.ParseMediaType(header)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return ""
	}
	if !strings.Contains(media, "/") || len(header) > maxMediaType {
		return ""
	}
	return mime.FormatMediaType(media, params)
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
	case ".txt":
		return "text/plain"
	}
	return ""
}
