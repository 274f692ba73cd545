// Package archive reads documents out of gzip and zip, within limits.
//
//	gzip => its content, as a stream
//	zip  => the content of one member, from a file: its directory is at the end
//
// A few bytes of either can become any number, so what comes out is held to a size
// and to a ratio. Nothing is ever written under a member's name: a name is only
// compared and shown. What is encrypted, or packed in a way other than deflate, is
// refused, and so is anything behind the end of a gzip stream that is not another.
package archive

import (
	"bytes"
	"fmt"
)

// The containers.
const (
	Gzip = "gzip"
	Zip  = "zip"
)

// Recognize returns Gzip or Zip, by the first bytes of a document, four of which
// are enough, or "" for what is neither.
func Recognize(prefix []byte) string {
	switch {
	case bytes.HasPrefix(prefix, []byte("\x1F\x8B\x08")):
		return Gzip
	case bytes.HasPrefix(prefix, []byte("PK\x03\x04")), bytes.HasPrefix(prefix, []byte("PK\x05\x06")): // the latter is empty
		return Zip
	}
	return ""
}

// Defaults of [Limits].
const (
	MaxSizeDefault    = 4 << 30
	MaxRatioDefault   = 200
	MaxMembersDefault = 10_000
)

// Limits bound what a container may ask for. For each of them 0 means its default.
type Limits struct {
	// MaxSize is the largest content, in bytes. Defaults to 4 GiB.
	MaxSize int64
	// MaxRatio is how many bytes may come out for each one of the container, beyond
	// the first 16 MiB: short texts compress a thousandfold and harm nobody. Defaults
	// to 200.
	MaxRatio int64
	// MaxMembers is how many members a zip file may have; its directory may have 256
	// bytes for each. Defaults to 10,000.
	MaxMembers int
}

// allowance is how much may come out before the ratio counts, in bytes.
const allowance = 16 << 20

// perMember is what a member may take of the directory on average, in bytes.
const perMember = 256

func (l Limits) withDefaults() Limits {
	if l.MaxSize <= 0 {
		l.MaxSize = MaxSizeDefault
	}
	if l.MaxRatio <= 0 {
		l.MaxRatio = MaxRatioDefault
	}
	if l.MaxMembers <= 0 {
		l.MaxMembers = MaxMembersDefault
	}
	return l
}

// Error says what is wrong with a container, or with what is asked of it. An error
// of what the container is read from is never an Error.
type Error struct {
	// Reason is a sentence without its end, such as "is gzip that breaks off".
	Reason string
	// Limit says that the container may be in order but is over one of the [Limits].
	Limit bool
	// Member says that a member has to be named, or another; Members are the first
	// hundred to choose from.
	Member  bool
	Members []string
}

// Error returns the reason.
func (e *Error) Error() string { return e.Reason }

func broken(format string, args ...any) error { return &Error{Reason: fmt.Sprintf(format, args...)} }

func over(format string, args ...any) error {
	return &Error{Reason: fmt.Sprintf(format, args...), Limit: true}
}
