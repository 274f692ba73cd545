package main

import (
	"bytes"
	"cmp"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// module is something that programs are made of.
type module struct {
	path    string
	version string
	sum     string // as go.sum has it; the standard library has none
	dir     string

	files    []licence
	licences []string // their SPDX ids, sorted
}

// standard is the path under which vulnerability databases know Go's standard library.
const standard = "std"

// purl returns the package URL, see github.com/package-url/purl-spec.
func (m *module) purl() string { return "pkg:golang/" + m.path + "@" + m.version }

// order puts the standard library first.
func (m *module) order() int {
	if m.path == standard {
		return 0
	}
	return 1
}

// modulesOf returns the modules that programs are made of, each once, sorted,
// the standard library first, and the programs' own module left out.
func modulesOf(programs []string) ([]*module, error) {
	seen := make(map[string]bool)
	var modules []*module
	add := func(m module) {
		if !seen[m.path+"@"+m.version] {
			seen[m.path+"@"+m.version] = true
			modules = append(modules, &m)
		}
	}
	for _, program := range programs {
		info, err := buildinfo.ReadFile(program)
		if err != nil {
			return nil, fmt.Errorf("read modules of %s: %w", program, err)
		}
		goVersion, _, _ := strings.Cut(strings.TrimPrefix(info.GoVersion, "go"), " ")
		add(module{path: standard, version: goVersion})
		for _, d := range info.Deps {
			if d.Replace != nil {
				d = d.Replace
			}
			add(module{path: d.Path, version: d.Version, sum: d.Sum})
		}
	}
	slices.SortFunc(modules, func(a, b *module) int {
		return cmp.Or(cmp.Compare(a.order(), b.order()), cmp.Compare(a.path, b.path), cmp.Compare(a.version, b.version))
	})
	return modules, nil
}

// locate finds the folders that modules are in.
func locate(ctx context.Context, modules []*module) error {
	byName := make(map[string]*module)
	args := []string{"mod", "download", "-json"}
	for _, m := range modules {
		if m.path == standard {
			root, err := output(ctx, "go", "env", "GOROOT")
			if err != nil {
				return err
			}
			m.dir = strings.TrimSpace(string(root))
			continue
		}
		name := m.path + "@" + m.version
		byName[name] = m
		args = append(args, name)
	}
	if len(byName) == 0 {
		return nil // go mod download without names would take all
	}
	text, err := output(ctx, "go", args...)
	if err != nil {
		return err
	}
	for d := json.NewDecoder(bytes.NewReader(text)); ; {
		var found struct{ Path, Version, Dir, Sum string }
		if err := d.Decode(&found); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("read what go mod download says: %w", err)
		}
		m := byName[found.Path+"@"+found.Version]
		if m == nil || found.Sum != m.sum {
			return fmt.Errorf("module %s@%s is not the one in the programs: its sum is %s", found.Path, found.Version, found.Sum)
		}
		m.dir = filepath.Clean(found.Dir)
		delete(byName, found.Path+"@"+found.Version)
	}
	for name := range byName {
		return fmt.Errorf("find module %s: go mod download has not brought it", name)
	}
	return nil
}

// output runs a command and returns what it prints.
func output(ctx context.Context, name string, args ...string) ([]byte, error) {
	text, err := exec.CommandContext(ctx, name, args...).Output()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return nil, fmt.Errorf("run %s %s: %w: %s", name, args[0], err, exit.Stderr)
	}
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", name, err)
	}
	return text, nil
}
