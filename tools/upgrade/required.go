// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

// required returns the version of each module of the collector and of contrib that the pinned modules and those in
// direct need together: the newest one that any of their go.mod files requires, which is the one that go chooses. A
// pinned module has its own version. direct are the paths of the modules that this repository requires itself.
func required(pinned *pins, direct []string) (map[string]string, error) {
	wanted := map[string]string{}
	for _, p := range pinned.list {
		wanted[p.path] = p.version
	}
	next := slices.Collect(maps.Keys(wanted))
	files := map[string][]byte{}
	for {
		var queries []string
		for _, path := range next {
			if query := path + "@" + wanted[path]; wanted[path] != "" && path != adapted && files[query] == nil {
				queries = append(queries, query)
			}
		}
		if len(queries) == 0 {
			return wanted, nil
		}
		slices.Sort(queries)
		if err := readGoMods(files, queries); err != nil {
			return nil, err
		}
		var err error
		if wanted, err = newestOf(pinned, files); err != nil {
			return nil, err
		}
		next = direct
	}
}

// readGoMods adds the go.mod file of each module in queries to files, after it has downloaded the module.
func readGoMods(files map[string][]byte, queries []string) error {
	downloads, err := download(queries...)
	if err != nil {
		return err
	}
	var failures []error
	for _, module := range downloads {
		if module.Error != "" {
			failures = append(failures, fmt.Errorf("%s %s is not served: %s", module.Path, module.Version, module.Error))
			continue
		}
		content, err := os.ReadFile(module.GoMod)
		if err != nil {
			return err
		}
		files[module.Path+"@"+module.Version] = content
	}
	return errors.Join(failures...)
}

// newestOf returns the newest version of each module that one of the go.mod files requires. files has them by
// module@version.
func newestOf(pinned *pins, files map[string][]byte) (map[string]string, error) {
	wanted := map[string]string{}
	by := map[string]string{}
	for name, content := range files {
		file, err := modfile.ParseLax(name, content, nil)
		if err != nil {
			return nil, err
		}
		for _, requirement := range file.Require {
			path, version := requirement.Mod.Path, requirement.Mod.Version
			if ours(path) && path != adapted && semver.Compare(version, wanted[path]) > 0 {
				wanted[path], by[path] = version, name
			}
		}
	}
	var conflicts []error
	for _, p := range pinned.list {
		if semver.Compare(wanted[p.path], p.version) > 0 {
			conflicts = append(conflicts,
				fmt.Errorf("%s is pinned to %s, but %s requires %s", p.path, p.version, by[p.path], wanted[p.path]))
		}
		wanted[p.path] = p.version
	}
	return wanted, errors.Join(conflicts...)
}

// downloaded is a part of what `go mod download -json` prints for a module. Error is empty if the module is served.
type downloaded struct {
	Path, Version, GoMod, Error string
}

// download is `go mod download -json`, outside any module, so that no go.mod or go.sum is changed. It downloads the
// archives too: a version can have information without them.
func download(queries ...string) (modules []downloaded, err error) {
	if len(queries) == 0 {
		return nil, nil
	}
	directory, err := os.MkdirTemp("", "upgrade")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(directory)) }()

	command := exec.Command("go", append([]string{"mod", "download", "-json"}, queries...)...)
	command.Dir = directory
	command.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	stdout, runErr := command.Output()
	decoder := json.NewDecoder(bytes.NewReader(stdout))
	for {
		var module downloaded
		if err := decoder.Decode(&module); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go mod download: %w: %s", err, strings.TrimSpace(stderr.String()))
		}
		modules = append(modules, module)
	}
	if len(modules) != len(queries) { // else each module has its own error
		return nil, fmt.Errorf("go mod download: %w: %s", runErr, strings.TrimSpace(stderr.String()))
	}
	return modules, nil
}
