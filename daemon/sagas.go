package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"segue/saga"
	"segue/saga/check"
)

// LoadSagas loads definition files. A $ref in one is read from its own folder.
func LoadSagas(files []string) ([]*saga.Definition, error) {
	var definitions []*saga.Definition
	var problems []error
	for _, file := range files {
		d, err := LoadSaga(file)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		definitions = append(definitions, d)
	}
	return definitions, errors.Join(problems...)
}

// GoodSagas loads definition files and refuses those that are not safe to run, see
// package check: the error names file, step, reason and way out.
func GoodSagas(files []string) ([]*saga.Definition, error) {
	definitions, err := LoadSagas(files)
	if err != nil {
		return definitions, err
	}
	var problems []error
	for i, d := range definitions {
		if err := check.Definition(d).Err(); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w (segue check %[1]s tells how it comes to that)", files[i], err))
		}
	}
	return definitions, errors.Join(problems...)
}

// LoadSaga loads a definition file.
func LoadSaga(file string) (*saga.Definition, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read saga: %w", err)
	}
	folder, err := os.OpenRoot(filepath.Dir(file))
	if err != nil {
		return nil, fmt.Errorf("read saga: %w", err)
	}
	defer folder.Close()
	return saga.Load(file, text, folder.ReadFile)
}
