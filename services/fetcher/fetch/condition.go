package fetch

import (
	"net/http"
	"regexp"
	"strings"
	"time"
)

// Known is what is known of the document from when it was last saved: with it a
// fetch of what has not changed ends early.
type Known struct {
	// Run is the run that saved it. It is handed back and means nothing here.
	Run string `json:"run,omitempty"`
	// SHA256 is the digest of the document as it was stored, in lower-case hex.
	// Without it nothing is known.
	SHA256 string `json:"sha256,omitempty"`
	Validators
}

// Validators are by what an origin tells one version of a document from another,
// in its own words.
type Validators struct {
	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"last_modified,omitempty"`
}

var (
	etagForm   = regexp.MustCompile(`^(W/)?"[!#-~]{0,500}"$`)
	digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// checked returns what of a Known can be used. The rest is as if it were not known.
func (k Known) checked() Known {
	if !digestForm.MatchString(k.SHA256) {
		return Known{}
	}
	if !etagForm.MatchString(k.ETag) {
		k.ETag = ""
	}
	if _, err := http.ParseTime(k.LastModified); err != nil {
		k.LastModified = ""
	}
	return k
}

// conditions are the headers that ask for a document only if it has changed.
func (k Known) conditions() http.Header {
	h := make(http.Header)
	if k.ETag != "" {
		h.Set("If-None-Match", k.ETag)
	}
	if k.LastModified != "" {
		h.Set("If-Modified-Since", k.LastModified) // counts for servers that know no ETags
	}
	return h
}

// contradicts says that an answer "not modified" names another version than the
// one that was asked about: it is not believed.
func (k Known) contradicts(answer Validators) bool {
	return k.ETag != "" && answer.ETag != "" && strings.TrimPrefix(k.ETag, "W/") != strings.TrimPrefix(answer.ETag, "W/")
}

// readValidators reads the validators of a response. A Last-Modified within a
// second of the answer is left out, as RFC 9110 has it: the document may have
// changed again in that second.
func readValidators(h http.Header, received time.Time) Validators {
	var v Validators
	if tag := h.Get("ETag"); etagForm.MatchString(tag) {
		v.ETag = tag
	}
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		date = received
	}
	if modified, err := http.ParseTime(h.Get("Last-Modified")); err == nil && date.Sub(modified) >= time.Second {
		v.LastModified = h.Get("Last-Modified")
	}
	return v
}

// strong returns the validator that names exactly these bytes, or "".
func (v Validators) strong() string {
	switch {
	case strings.HasPrefix(v.ETag, `"`):
		return v.ETag
	case v.ETag == "":
		return v.LastModified
	}
	return ""
}
