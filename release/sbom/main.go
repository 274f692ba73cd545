// Command sbom says what programs are made of. It reads the modules that Go has
// noted in them, and writes into a folder
//
//	sbom.cdx.json         => the modules and their licences, as CycloneDX 1.6
//	THIRD_PARTY_LICENSES  => the texts of those licences
//
// The same programs make the same bytes. It is part of release/build.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

func main() {
	var (
		version  = flag.String("version", "", "version of Segue")
		made     = flag.Int64("time", 0, "time of the release, in seconds since 1970")
		schemas  = flag.String("schemas", "", "folder with the JSON Schemas of CycloneDX")
		identify = flag.String("identify", "identify_license", "identify_license of github.com/google/licenseclassifier")
		out      = flag.String("out", ".", "folder to write to")
	)
	flag.Parse()
	if err := run(*version, time.Unix(*made, 0).UTC(), *schemas, *identify, *out, flag.Args()); err != nil {
		fmt.Fprintf(os.Stderr, "sbom: %v\n", err)
		os.Exit(1)
	}
}

func run(version string, made time.Time, schemas, identify, out string, programs []string) error {
	if len(programs) == 0 {
		return errors.New("no programs are given")
	}
	modules, err := modulesOf(programs)
	if err != nil {
		return err
	}
	if err := locate(context.Background(), modules); err != nil {
		return err
	}
	for _, m := range modules {
		if err := m.findLicences(); err != nil {
			return err
		}
	}
	rules, err := readRules(schemas)
	if err != nil {
		return err
	}
	if err := identifyLicences(context.Background(), identify, modules, rules); err != nil {
		return err
	}
	text, err := describe(version, made, modules)
	if err != nil {
		return err
	}
	if err := rules.check(text); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, "sbom.cdx.json"), text, 0o644); err != nil {
		return fmt.Errorf("write the list of modules: %w", err)
	}
	if err := os.WriteFile(filepath.Join(out, "THIRD_PARTY_LICENSES"), licenceTexts(modules), 0o644); err != nil {
		return fmt.Errorf("write the licences: %w", err)
	}
	return nil
}
