package tabular

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// prefixSize is how much of the input is looked at to find the delimiter, in
// bytes. It is also the size of the read buffer.
const prefixSize = 64 << 10

// candidates are the delimiters that detect tries; the first wins a tie.
var candidates = []rune{',', ';', '\t', '|'}

// detect returns the candidate that explains the beginning of the input best. It
// reads the rows there with each in turn, quotes respected, and counts the
// delimiters in rows that have as many fields as the header: a character that
// separates columns is in every row as often, one that is part of the text is
// not. Input of one column has no delimiter, so any will do; it gets a comma.
func detect(in *bufio.Reader, o Options) (rune, error) {
	prefix, err := in.Peek(prefixSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	if end := bytes.LastIndexByte(prefix, '\n'); err == nil && end >= 0 {
		prefix = prefix[:end+1] // there is more: do not judge by half a line
	}
	best, most := candidates[0], 0
	for _, c := range candidates {
		o.Delimiter = c
		if n := explained(prefix, o); n > most {
			best, most = c, n
		}
	}
	return best, nil
}

// explained counts the delimiters in the rows that agree with the first, up to
// the first error. The rows after an error mean nothing: the error may be there
// only because this is not the delimiter.
func explained(prefix []byte, o Options) int {
	rows := newScanner(bufio.NewReader(bytes.NewReader(prefix)), o)
	first, total := 0, 0
	for {
		fields, err := rows.next()
		if err != nil {
			return total
		}
		if first == 0 {
			first = len(fields)
		}
		if len(fields) == first {
			total += first - 1
		}
	}
}
