package validate

import (
	"bytes"
	"cmp"
	"io"
	"slices"
	"strings"
)

// locate fills in lines and columns of violations that know their offset, and
// what is written there where that is not known yet. It reads the document again and counts: only a document that
// fails pays for line numbers.
func locate(r io.Reader, list []Violation) error {
	var wanted []*Violation
	for i := range list {
		if list[i].offset >= 0 {
			wanted = append(wanted, &list[i])
		}
	}
	slices.SortStableFunc(wanted, func(a, b *Violation) int { return cmp.Compare(a.offset, b.offset) })
	line, start, offset := int64(1), int64(0), int64(0) // start is that of the line
	piece := make([]byte, 64<<10)
	for len(wanted) > 0 {
		n, err := r.Read(piece)
		rest := piece[:n]
		for {
			newline := bytes.IndexByte(rest, '\n')
			end := offset + int64(len(rest)) // of what is known to be on this line
			if newline >= 0 {
				end = offset + int64(newline) + 1
			}
			for len(wanted) > 0 && (wanted[0].offset < end || err == io.EOF && newline < 0) {
				wanted[0].Line = line
				wanted[0].Column = wanted[0].offset - start + 1
				if v := wanted[0]; v.Value == "" && v.offset >= offset {
					written, _, _ := bytes.Cut(rest[min(v.offset-offset, int64(len(rest))):], []byte("\n"))
					v.Value = strings.ToValidUTF8(cut(written, maxExcerpt), "\uFFFD")
				}
				wanted = wanted[1:]
			}
			if newline < 0 {
				offset += int64(len(rest))
				break
			}
			line, start, offset, rest = line+1, end, end, rest[newline+1:]
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}
