// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
)

// modules are the folders of the Go modules whose go.mod follows the pin, in the order in which they need each other.
// distro/go.mod is not among them: ocb writes it.
var modules = []string{".", "testkit", "cmd/difydemo", "tests", toolsModule}

// toolsModule has programs instead of components. They need not be of one version, so only the pinned ones are
// written.
const toolsModule = "tools"

// texts are the other files that name versions of the pin.
var texts = []string{builderFile, "tests/ocb/builder-config.yaml", "docs/*.md", "README.md", "components/*/README.md"}

var (
	// A module with its version, as in a builder file or behind `go install`.
	moduleVersion = regexp.MustCompile(`((?:go\.opentelemetry\.io/collector|` +
		`github\.com/open-telemetry/opentelemetry-collector-contrib)(?:/[\w./-]+)?)([ @])(v\d+\.\d+\.\d+)`)
	// A link to a file in the collector's or contrib's repository.
	linkVersion = regexp.MustCompile(`(github\.com/open-telemetry/opentelemetry-collector(?:-contrib)?)` +
		`(/(?:blob|tree)/)(v\d+\.\d+\.\d+)`)
	// The words by which a document names both versions.
	statedVersions = regexp.MustCompile(`([Cc]ore (?:is pinned to )?)(v0\.\d+\.\d+)` +
		`((?:,| and) contrib (?:to )?)(v0\.\d+\.\d+)`)
)

// directRequirements returns the modules of the collector and of contrib that the modules below root require directly.
func directRequirements(root string) ([]string, error) {
	var paths []string
	for _, module := range modules {
		name := filepath.Join(root, module, "go.mod")
		content, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		file, err := modfile.Parse(name, content, nil)
		if err != nil {
			return nil, err
		}
		for _, requirement := range file.Require {
			if !requirement.Indirect && ours(requirement.Mod.Path) && !slices.Contains(paths, requirement.Mod.Path) {
				paths = append(paths, requirement.Mod.Path)
			}
		}
	}
	return paths, nil
}

// rewriteAll returns the new content of each file that changes.
func rewriteAll(out io.Writer, root string, pinned *pins, wanted map[string]string) (map[string]string, error) {
	changed := map[string]string{}
	var left []string
	add := func(name string, rewrite func(name, content string) (string, []string, error)) error {
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return err
		}
		result, unknown, err := rewrite(name, string(content))
		if err != nil {
			return err
		}
		left = append(left, unknown...)
		if result != string(content) {
			changed[name] = result
		}
		return nil
	}
	for _, module := range modules {
		versions := wanted
		if module == toolsModule {
			versions = pinned.tools()
		}
		rewriteModule := func(name, content string) (string, []string, error) {
			return rewriteGoMod(name, content, versions)
		}
		if err := add(filepath.Join(module, "go.mod"), rewriteModule); err != nil {
			return nil, err
		}
	}
	rewriteDocument := func(_, content string) (string, []string, error) {
		return rewriteText(content, pinned, wanted), nil, nil
	}
	for _, pattern := range texts {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			name, err := filepath.Rel(root, path)
			if err != nil {
				return nil, err
			}
			if err := add(name, rewriteDocument); err != nil {
				return nil, err
			}
		}
	}
	slices.Sort(left)
	for _, module := range slices.Compact(left) {
		fmt.Fprintf(out, "left: %s: no pinned module requires it\n", module)
	}
	return changed, nil
}

// rewriteGoMod writes the wanted versions over those of a go.mod file. It also returns the modules of the collector
// and of contrib that are required directly and not among the wanted ones: their version stays.
func rewriteGoMod(name, content string, wanted map[string]string) (result string, left []string, err error) {
	file, err := modfile.Parse(name, []byte(content), nil)
	if err != nil {
		return "", nil, err
	}
	for _, requirement := range file.Require {
		path, old := requirement.Mod.Path, requirement.Mod.Version
		version, ok := wanted[path]
		switch {
		case !ours(path) || path == adapted:
		case !ok && requirement.Indirect: // other modules decide
		case !ok:
			left = append(left, path+" "+old)
		case version != old:
			err = errors.Join(err, file.AddRequire(path, version))
		}
	}
	formatted, formatErr := file.Format()
	return string(formatted), left, errors.Join(err, formatErr)
}

// rewriteText writes the wanted versions over those of a builder file or a document. A module that no pinned one
// requires gets the newest version of its family.
func rewriteText(content string, pinned *pins, wanted map[string]string) string {
	corePin, contribPin := pinned.newest[core+" v0"], pinned.newest[contrib+" v0"]
	content = moduleVersion.ReplaceAllStringFunc(content, func(text string) string {
		match := moduleVersion.FindStringSubmatch(text)
		path, separator, version := match[1], match[2], match[3]
		switch newest, ok := wanted[path]; {
		case path == adapted:
		case path == core:
			version = corePin // the target of a `replaces` line: the main module is released with the others
		case ok:
			version = newest
		case pinned.newest[familyOf(path, version)] != "":
			version = pinned.newest[familyOf(path, version)]
		}
		return path + separator + version
	})
	content = linkVersion.ReplaceAllStringFunc(content, func(text string) string {
		match := linkVersion.FindStringSubmatch(text)
		version := corePin
		if strings.HasSuffix(match[1], "-contrib") {
			version = contribPin
		}
		return match[1] + match[2] + version
	})
	return statedVersions.ReplaceAllString(content, "${1}"+corePin+"${3}"+contribPin)
}
