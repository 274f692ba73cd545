package archive

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/zip"
)

// OpenZip returns the content of a member of a zip file of a size, and the member's
// name. An empty name means the only member there is; folders, and what macOS adds
// under __MACOSX, do not count. It returns an [*Error] for what is wrong with the
// file or the name, then or while the content is read, and otherwise the error of
// file.
func OpenZip(file io.ReaderAt, size int64, member string, l Limits) (io.ReadCloser, string, error) {
	l = l.withDefaults()
	from := &randomSource{r: file}
	f, err := find(from, size, member, l)
	if err != nil {
		return nil, "", err
	}
	from.budget = 0
	const encrypted = 1
	switch {
	case f.Flags&encrypted != 0:
		return nil, "", broken("has a member %s that is encrypted", quote(f.Name))
	case f.Method != zip.Store && f.Method != zip.Deflate:
		return nil, "", broken("has a member %s that is packed by method %d, only deflate can be read", quote(f.Name), f.Method)
	case f.UncompressedSize64 > uint64(l.MaxSize):
		return nil, "", over("has a member %s of more than %d bytes, unpacked", quote(f.Name), l.MaxSize)
	}
	in, err := f.Open()
	if err != nil {
		return nil, "", from.verdict(err)
	}
	packed := int64(min(f.CompressedSize64, uint64(size))) // the file's word, all of which has been read by the end
	return &content{ReadCloser: in, kind: Zip, limits: l, from: func() (int64, error) { return packed, from.err }}, f.Name, nil
}

// find reads the directory and chooses the member.
func find(from *randomSource, size int64, member string, l Limits) (*zip.File, error) {
	n, err := memberCount(from, size)
	if err != nil {
		return nil, err
	}
	tooMany := over("is zip of more than %d members, or with more than %d bytes for their names", l.MaxMembers, l.MaxMembers*perMember)
	if n > uint64(l.MaxMembers) {
		return nil, tooMany
	}
	// The count is the file's word, and no more than a hint to the library.
	from.budget = from.n + 2*tail + int64(l.MaxMembers)*perMember
	directory, err := zip.NewReader(from, size)
	switch {
	case errors.Is(err, errBudget), err == nil && len(directory.File) > l.MaxMembers:
		return nil, tooMany
	case err != nil:
		return nil, from.verdict(err)
	}
	return choose(directory.File, member)
}

// choose returns the member of a name, or the only one.
func choose(all []*zip.File, name string) (*zip.File, error) {
	const listed = 100
	var found []*zip.File
	var names []string
	for _, f := range all {
		if strings.HasSuffix(f.Name, "/") || strings.HasPrefix(f.Name, "__MACOSX/") && name == "" {
			continue
		}
		if len(names) < listed {
			names = append(names, f.Name)
		}
		if name == "" || f.Name == name {
			found = append(found, f)
		}
	}
	ask := func(format string, args ...any) error {
		return &Error{Reason: fmt.Sprintf(format, args...), Member: true, Members: names}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(names) == 0:
		return nil, broken("is zip without members")
	case name != "" && len(found) == 0:
		return nil, ask("is zip without a member %s, it has %s", quote(name), list(names))
	case name != "":
		return nil, broken("is zip with %d members of the name %s", len(found), quote(name))
	}
	return nil, ask("is zip of %d members, say which one with member: %s", len(found), list(names))
}

// list writes the first of some names.
func list(names []string) string {
	const shown = 5
	var b strings.Builder
	for i, name := range names {
		if i == shown {
			b.WriteString(", ...")
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quote(name))
	}
	return b.String()
}

// quote makes a name fit to be shown.
func quote(name string) string {
	const longest = 64
	if len(name) > longest {
		return fmt.Sprintf("%q...", name[:longest])
	}
	return fmt.Sprintf("%q", name)
}

// tail is within how many bytes of its end a file says where its directory is.
const tail = 1<<16 + 22

// memberCount returns how many members the end of a file says there are. The
// library makes room for as many before it has seen one.
func memberCount(file io.ReaderAt, size int64) (uint64, error) {
	end := make([]byte, min(size, tail))
	if _, err := file.ReadAt(end, size-int64(len(end))); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	at := bytes.LastIndex(end, []byte("PK\x05\x06"))
	if at < 0 || len(end)-at < 22 {
		return 0, broken("is zip that breaks off: it has no directory")
	}
	n := uint64(binary.LittleEndian.Uint16(end[at+10:]))
	// With more than 65,535 members, or if the writer likes, a larger record has the count.
	if at < 20 || !bytes.HasPrefix(end[at-20:], []byte("PK\x06\x07")) {
		return n, nil
	}
	var record [56]byte
	place := binary.LittleEndian.Uint64(end[at-12:])
	if place > uint64(size) {
		return 0, broken("is no well-formed zip: its directory lies outside")
	}
	if _, err := file.ReadAt(record[:], int64(place)); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	return max(n, binary.LittleEndian.Uint64(record[32:])), nil
}

// errBudget is returned for a directory over the limit.
var errBudget = errors.New("directory over the limit")

// randomSource is a source that is read in any order.
type randomSource struct {
	r      io.ReaderAt
	n      int64
	budget int64 // bytes that may be read, 0 for any number
	err    error
}

func (s *randomSource) ReadAt(p []byte, offset int64) (int, error) {
	if s.n += int64(len(p)); s.budget > 0 && s.n > s.budget {
		return 0, errBudget
	}
	if offset < 0 {
		return 0, zip.ErrFormat
	}
	n, err := s.r.ReadAt(p, offset)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// verdict says what an error of the library means.
func (s *randomSource) verdict(err error) error {
	switch {
	case s.err != nil:
		return s.err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return broken("is zip that breaks off")
	}
	return broken("is no well-formed zip: %v", err)
}
