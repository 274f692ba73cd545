package saga

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a definition file.
type Problem struct {
	// File is the name given to [Load], or that of the schema file it refers to.
	File string
	// Line and Column count from 1; a column is a character, not a byte.
	Line, Column int
	Message      string
}

// Error returns the problem as "file:line:column: message".
func (p Problem) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
}

// Problems is the error of [Load]: everything that was found wrong, by position.
type Problems []Problem

// maxShown is the largest number of problems that one error text lists.
const maxShown = 50

// Error returns one problem a line, at most 50 of them.
func (p Problems) Error() string {
	lines := make([]string, 0, min(len(p), maxShown)+1)
	for i, problem := range p {
		if i == maxShown {
			lines = append(lines, fmt.Sprintf("and %d more problems", len(p)-maxShown))
			break
		}
		lines = append(lines, problem.Error())
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find a single Problem.
func (p Problems) Unwrap() []error {
	list := make([]error, len(p))
	for i := range p {
		list[i] = p[i]
	}
	return list
}

// sorted returns the problems by position, those of the named file first, each once.
func (p Problems) sorted(first string) Problems {
	slices.SortFunc(p, func(a, b Problem) int {
		if a.File != b.File {
			if a.File == first {
				return -1
			}
			if b.File == first {
				return 1
			}
		}
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(p)
}

// maxGuess is the longest name for which similar ones are looked for, in bytes.
const maxGuess = 64

// didYouMean returns ` (did you mean "x"?)` for the candidate that is nearest to
// a name, and nothing if none is near.
func didYouMean(name string, candidates []string) string {
	if len(name) > maxGuess {
		return ""
	}
	best, distance := "", 1+min(2, len(name)/2)
	for _, c := range slices.Sorted(slices.Values(candidates)) {
		if len(c) > maxGuess {
			continue
		}
		if d := editDistance(strings.ToLower(name), strings.ToLower(c)); d < distance {
			best, distance = c, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// editDistance counts the bytes to insert, delete or replace to turn a into b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
