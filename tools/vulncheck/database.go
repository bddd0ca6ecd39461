// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// databaseModule has one OSV entry per file in data/osv.
const databaseModule = "golang.org/x/vulndb"

// download returns the version of the database that a query such as `latest` means, and the folder with its OSV
// entries.
func download(ctx context.Context, query string) (version, entries string, err error) {
	directory, err := os.MkdirTemp("", "vulncheck") // outside any module, so that no go.mod or go.sum is changed
	if err != nil {
		return "", "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(directory)) }()

	command := exec.CommandContext(ctx, "go", "mod", "download", "-json", databaseModule+"@"+query)
	command.Dir = directory
	command.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	stdout, runErr := command.Output()
	var module struct{ Version, Dir, Error string }
	if err := json.Unmarshal(stdout, &module); err != nil {
		return "", "", fmt.Errorf("go mod download %s@%s: %w: %s",
			databaseModule, query, errors.Join(runErr, err), strings.TrimSpace(stderr.String()))
	}
	if module.Error != "" {
		return "", "", fmt.Errorf("go mod download: %s", module.Error)
	}
	return module.Version, filepath.Join(module.Dir, "data", "osv"), nil
}

// entry is the part of an OSV entry that the index needs.
type entry struct {
	ID       string    `json:"id"`
	Modified time.Time `json:"modified"`
	Aliases  []string  `json:"aliases"`
	Affected []struct {
		Package struct {
			Name string `json:"name"`
		} `json:"package"`
	} `json:"affected"`
}

// The three files of the index, see https://go.dev/doc/security/vuln/database#api. The optional field `fixed` is
// left out: govulncheck then reads every entry of a module to decide.
type (
	indexDB struct {
		Modified time.Time `json:"modified"`
	}
	indexModule struct {
		Path  string            `json:"path"`
		Vulns []indexModuleVuln `json:"vulns"`
	}
	indexModuleVuln struct {
		ID       string    `json:"id"`
		Modified time.Time `json:"modified"`
	}
	indexVuln struct {
		ID       string    `json:"id"`
		Modified time.Time `json:"modified"`
		Aliases  []string  `json:"aliases,omitempty"`
	}
)

// writeDatabase writes a database that govulncheck reads as file:// URL from the OSV entries in a folder. It
// returns the number of entries.
func writeDatabase(from, to string) (int, error) {
	paths, err := filepath.Glob(filepath.Join(from, "GO-*.json"))
	if err != nil {
		return 0, err
	}
	if len(paths) == 0 {
		return 0, fmt.Errorf("%s has no entries", from)
	}
	for _, folder := range []string{"ID", "index"} {
		if err := os.MkdirAll(filepath.Join(to, folder), 0o755); err != nil {
			return 0, err
		}
	}
	var db indexDB
	var vulns []indexVuln
	modules := map[string][]indexModuleVuln{}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			return 0, err
		}
		var e entry
		if err := json.Unmarshal(content, &e); err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		if e.ID+".json" != filepath.Base(path) {
			return 0, fmt.Errorf("%s: its id is %q", path, e.ID)
		}
		if e.Modified.After(db.Modified) {
			db.Modified = e.Modified
		}
		vulns = append(vulns, indexVuln{e.ID, e.Modified, e.Aliases})
		for _, affected := range e.Affected {
			name := affected.Package.Name
			vuln := indexModuleVuln{e.ID, e.Modified}
			if !slices.Contains(modules[name], vuln) { // an entry can name a module more than once
				modules[name] = append(modules[name], vuln)
			}
		}
		if err := os.WriteFile(filepath.Join(to, "ID", e.ID+".json"), content, 0o644); err != nil {
			return 0, err
		}
	}
	index := make([]indexModule, 0, len(modules))
	for _, name := range slices.SortedFunc(maps.Keys(modules), cmp.Compare) {
		index = append(index, indexModule{name, modules[name]})
	}
	for name, content := range map[string]any{"db": db, "modules": index, "vulns": vulns} {
		text, err := json.Marshal(content)
		if err != nil {
			return 0, err
		}
		if err := os.WriteFile(filepath.Join(to, "index", name+".json"), text, 0o644); err != nil {
			return 0, err
		}
	}
	return len(paths), nil
}
