package save

import (
	"cmp"
	"encoding/json"
	"errors"
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
	document   document.Document
	records    document.Ref
	collection string
	mode       string
	key        *pointer // nil: the position
	columns    []column // that are declared
	expected   []column // that its records are held against while they are staged
	force      bool
	unchanged  bool // the document is that of known, and there are no records
	known      Saved
	provenance
}

// provenance is what a save is known by beside its document.
type provenance struct {
	source       string // the URL that the run was given
	recipe       string // digest; empty: not known
	definition   string
	etag         string
	lastModified string
	versions     string // a JSON object
}

func newJob(w work, in Input) (job, error) {
	j := job{
		work: w, document: in.Document, records: in.Records.Ref, collection: in.Collection,
		mode: cmp.Or(in.Mode, ModeUpsert), force: in.Force,
	}
	if in.Unchanged {
		if err := j.keep(in); err != nil {
			return j, participant.Permanent(participant.CodeBadInput, err)
		}
	} else if in.Document == (document.Document{}) && in.Records == (document.Document{}) {
		return j, participant.Permanent(participant.CodeBadInput, errors.New("document and records are needed, or unchanged"))
	}
	if j.collection == "" {
		j.collection = defaultCollection(in.Document.URL)
	}
	if err := checkCollection(j.collection); err != nil {
		return j, participant.Permanent(participant.CodeBadInput, err)
	}
	if j.mode != ModeAppend && j.mode != ModeUpsert && j.mode != ModeReplace {
		return j, participant.Permanent(participant.CodeBadInput, fmt.Errorf("mode %.40q: want append, upsert or replace", j.mode))
	}
	if in.Key != nil {
		p, err := parsePointer(*in.Key)
		if err != nil {
			return j, participant.Permanent(participant.CodeBadInput, fmt.Errorf("key %w", err))
		}
		j.key = &p
	}
	var err error
	if j.columns, err = newColumns(j.collection, in.Columns); err != nil {
		return j, participant.Permanent(participant.CodeBadInput, err)
	}
	if j.provenance, err = newProvenance(in); err != nil {
		return j, participant.Permanent(participant.CodeBadInput, err)
	}
	return j, nil
}

// keep makes it the job of leaving a document alone.
func (j *job) keep(in Input) error {
	switch {
	case in.Known == nil || in.Known.SHA256 == "" || in.Known.Collection == "" || in.Recipe.Definition == "":
		return errors.New("unchanged: known, with sha256 and collection, and recipe are needed")
	case in.Force:
		return errors.New("unchanged: what is forced has to be fetched")
	}
	j.unchanged, j.known = true, *in.Known
	j.document.SHA256 = in.Known.SHA256
	j.collection = cmp.Or(in.Collection, in.Known.Collection)
	return nil
}

// maxProvenance is the largest size of each text of a save's provenance, in bytes.
const maxProvenance = 8 << 10

func newProvenance(in Input) (p provenance, err error) {
	p = provenance{
		source: sourceOf(cmp.Or(in.URL, in.Document.URL)), definition: in.Recipe.Definition,
		etag: in.ETag, lastModified: in.LastModified, versions: "{}",
	}
	if p.recipe, err = in.Recipe.digest(); err != nil {
		return p, err
	}
	if len(in.Versions) > 0 {
		text, err := json.Marshal(in.Versions)
		if err != nil {
			return p, fmt.Errorf("marshal versions: %w", err) // unreachable: they are strings
		}
		p.versions = string(text)
	}
	for name, text := range map[string]string{
		"url": p.source, "recipe.definition": p.definition, "etag": p.etag, "last_modified": p.lastModified, "versions": p.versions,
	} {
		switch {
		case len(text) > maxProvenance:
			return p, over(limitProvenance, fmt.Errorf("%s has %d bytes, at most %d are allowed", name, len(text), maxProvenance))
		case !utf8.ValidString(text) || strings.Contains(text, "\x00"):
			return p, fmt.Errorf("%s is %.40q: want UTF-8 without NUL", name, text)
		}
	}
	return p, nil
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
		return over(limitCollection, fmt.Errorf("collection %.40q... has %d bytes, at most %d are allowed; set collection in the input", name, len(name), MaxCollection))
	case !utf8.ValidString(name) || strings.Contains(name, "\x00"):
		return fmt.Errorf("collection %q: want UTF-8 without NUL; set collection in the input", name)
	}
	return nil
}
