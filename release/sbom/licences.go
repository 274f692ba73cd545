package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// licence is a file of a module that says what one may do with it.
type licence struct {
	name string // below the module's folder
	text []byte
}

// licenceName matches the names that such files have.
var licenceName = regexp.MustCompile(`(?i)^(.*-)?(un)?(licen[cs]e|copying|copyright|notice|patents)([-._].*)?$`)

// maxLicence is the size of the largest file, in bytes, that is taken for one.
const maxLicence = 1 << 20

// findLicences reads the licence files of a module, those of code that it has
// taken over from others as well. Of the standard library they are Go's own.
func (m *module) findLicences() error {
	err := fs.WalkDir(os.DirFS(m.dir), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (m.path == standard && name != "." || d.Name() == "testdata"):
			return fs.SkipDir
		case !d.Type().IsRegular() || !licenceName.MatchString(d.Name()) || strings.HasSuffix(name, ".go"):
			return nil
		}
		text, err := os.ReadFile(filepath.Join(m.dir, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		if len(text) > maxLicence {
			return fmt.Errorf("%s has %d bytes, more than %d", name, len(text), maxLicence)
		}
		m.files = append(m.files, licence{name, text})
		return nil
	})
	if err != nil {
		return fmt.Errorf("look for licences of %s: %w", m.path, err)
	}
	if len(m.files) == 0 {
		return fmt.Errorf("module %s@%s has no licence file: it must not be passed on", m.path, m.version)
	}
	return nil
}

// leastConfidence is how sure, of 1, the classifier has to be of a licence.
const leastConfidence = 0.9

// identifyLicences runs identify_license over the files of the modules and notes
// the licences it knows.
func identifyLicences(ctx context.Context, command string, modules []*module, known rules) error {
	answers, err := os.CreateTemp("", "licences-*.json")
	if err != nil {
		return fmt.Errorf("identify licences: %w", err)
	}
	answers.Close()
	defer os.Remove(answers.Name())
	owner := make(map[string]*module)
	args := []string{"-json", answers.Name()}
	for _, m := range modules {
		for _, f := range m.files {
			file := filepath.Join(m.dir, filepath.FromSlash(f.name))
			owner[file] = m
			args = append(args, file)
		}
	}
	if _, err := output(ctx, command, args...); err != nil {
		return err
	}
	text, err := os.ReadFile(answers.Name())
	if err != nil {
		return fmt.Errorf("identify licences: %w", err)
	}
	var found []struct {
		Filepath        string
		Classifications []struct {
			Name       string
			Confidence float64
		}
	}
	if err := json.Unmarshal(text, &found); err != nil {
		return fmt.Errorf("read what %s says: %w", command, err)
	}
	for _, file := range found {
		m := owner[file.Filepath]
		if m == nil {
			return fmt.Errorf("%s speaks of %s, which it was not asked about", command, file.Filepath)
		}
		for _, c := range file.Classifications {
			if c.Confidence >= leastConfidence && known.licence(c.Name) {
				m.licences = append(m.licences, c.Name)
			}
		}
	}
	for _, m := range modules {
		slices.Sort(m.licences)
		m.licences = slices.Compact(m.licences)
	}
	return nil
}

// licenceTexts returns all licences, one after the other.
func licenceTexts(modules []*module) []byte {
	var b bytes.Buffer
	b.WriteString("The programs contain the modules below, each under the licences that follow it.\n")
	for _, m := range modules {
		fmt.Fprintf(&b, "\n%s\n%s %s\n", strings.Repeat("=", 80), m.path, m.version)
		for _, f := range m.files {
			fmt.Fprintf(&b, "\n%s\n%s\n\n%s\n", f.name, strings.Repeat("-", len(f.name)), bytes.TrimSpace(f.text))
		}
	}
	return b.Bytes()
}
