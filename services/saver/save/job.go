package save

import (
	"fmt"
	"net/url"
	"path"
	"strings"
	"unicode/utf8"

	"segue/document"
	"segue/participant"
)

// MaxCollection is the largest length of a collection's name, in bytes. It is
// UTF-8 without NUL.
const MaxCollection = 200

// work identifies a piece of work across all its attempts.
type work struct{ run, step string }

// job is a command, checked.
type job struct {
	work
	source     document.Document
	records    document.Ref
	collection string
	key        *pointer // nil: the position
}

func newJob(w work, in Input) (job, error) {
	j := job{work: w, source: in.Document, records: in.Records.Ref, collection: in.Collection}
	if j.collection == "" {
		j.collection = defaultCollection(in.Document.URL)
	}
	if err := checkCollection(j.collection); err != nil {
		return j, participant.Permanent(participant.CodeBadInput, err)
	}
	if in.Key != nil {
		p, err := parsePointer(*in.Key)
		if err != nil {
			return j, participant.Permanent(participant.CodeBadInput, err)
		}
		j.key = &p
	}
	return j, nil
}

// defaultCollection names a collection for where its records came from.
func defaultCollection(source string) string {
	const none = "records"
	u, err := url.Parse(source)
	if err != nil {
		return none
	}
	// The last element is taken before decoding: a %2F in it is no separator.
	last := path.Base(u.EscapedPath())
	if name, err := url.PathUnescape(strings.TrimSuffix(last, path.Ext(last))); err == nil && name != "" && name != "/" {
		return name
	}
	if host := u.Hostname(); host != "" {
		return host
	}
	return none
}

func checkCollection(name string) error {
	switch {
	case len(name) > MaxCollection:
		return fmt.Errorf("collection %.40q... has %d bytes, at most %d are allowed; set collection in the input", name, len(name), MaxCollection)
	case !utf8.ValidString(name) || strings.Contains(name, "\x00"):
		return fmt.Errorf("collection %q: want UTF-8 without NUL; set collection in the input", name)
	}
	return nil
}
