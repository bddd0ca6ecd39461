// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Command upgrade makes every other file of this repository follow the versions in builder-config.yaml.
//
// It reads the versions that the pinned modules require of the collector's and contrib's modules from their go.mod
// files and writes them into the go.mod files, the builder file and the documents of this repository. Then it runs
// `go mod tidy` in each module. `make upgrade` runs it and then `make generate`.
//
//	go -C tools run ./upgrade -root ..
package main

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

func main() {
	root := flag.String("root", ".", "root `folder` of the repository")
	check := flag.Bool("check", false, "write nothing: report what is not up to date, and exit with 1 if anything is not")
	flag.Parse()
	if err := run(os.Stdout, *root, *check); err != nil {
		fmt.Fprintln(os.Stderr, "upgrade:", err)
		os.Exit(1)
	}
}

func run(out io.Writer, root string, check bool) error {
	changed, err := plan(out, root)
	if err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(changed))
	if check {
		if len(names) > 0 {
			return fmt.Errorf("not up to date with builder-config.yaml: %v: run `make upgrade`", names)
		}
		return nil
	}
	for _, name := range names {
		fmt.Fprintln(out, "writing", name)
		if err := os.WriteFile(filepath.Join(root, name), []byte(changed[name]), 0o644); err != nil {
			return err
		}
	}
	for _, module := range modules {
		fmt.Fprintln(out, "go mod tidy", module)
		tidy := exec.Command("go", "mod", "tidy")
		tidy.Dir = filepath.Join(root, module)
		tidy.Stdout, tidy.Stderr = out, os.Stderr
		if err := tidy.Run(); err != nil {
			return fmt.Errorf("go mod tidy in %s: %w", module, err)
		}
	}
	return nil
}

// plan returns the files whose versions change, by their path below root, with their new content.
func plan(out io.Writer, root string) (map[string]string, error) {
	config, err := os.ReadFile(filepath.Join(root, builderFile))
	if err != nil {
		return nil, err
	}
	pinned, err := parsePins(string(config))
	if err != nil {
		return nil, err
	}
	for _, pin := range pinned.exceptions() {
		fmt.Fprintf(out, "exception: %s %s: %s\n", pin.path, pin.version, pin.reason)
	}
	direct, err := directRequirements(root)
	if err != nil {
		return nil, err
	}
	wanted, err := required(pinned, direct)
	if err != nil {
		return nil, err
	}
	return rewriteAll(out, root, pinned, wanted)
}
