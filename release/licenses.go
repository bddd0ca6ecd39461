// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"debug/buildinfo"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/module"
)

var licenseFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|unlicense)([._-].*)?$`)

func (r *release) thirdParty() string { return filepath.Join(r.out, "THIRD_PARTY_LICENSES.txt") }

// licenses writes the licenses of all modules that are linked, from Go's module cache. A module must have one.
func (r *release) licenses() error {
	cache, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		return fmt.Errorf("go env GOMODCACHE: %w", err)
	}
	texts := map[string]string{}
	for _, name := range []string{"otelcol-dify", "difyctl"} {
		info, err := buildinfo.ReadFile(r.binary(platforms[0], name))
		if err != nil {
			return err
		}
		for _, dep := range info.Deps {
			if strings.HasPrefix(dep.Path, "github.com/otelcol-dify/otelcol-dify") {
				continue
			}
			// The adapted copies (docs/adr) have their module's license.
			text, err := licenseOf(strings.TrimSpace(string(cache)), dep.Path, dep.Version)
			if err != nil {
				return err
			}
			texts[dep.Path+" "+dep.Version] = text
		}
	}
	var all strings.Builder
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		fmt.Fprintf(&all, "%s\n%s\n\n%s\n", name, strings.Repeat("=", len(name)), texts[name])
	}
	return r.write(r.thirdParty(), all.String())
}

// timestamp is that of the program that writes a bill of materials.
var timestamp = regexp.MustCompile(`"timestamp": "[^"]*"`)

// boms writes what is linked into each binary, in CycloneDX's form.
func (r *release) boms() error {
	for _, name := range []string{"otelcol-dify", "difyctl"} {
		out, err := filepath.Abs(filepath.Join(r.out, name+"_"+r.version+"_sbom.cdx.json"))
		if err != nil {
			return err
		}
		command := exec.Command("go", "tool", "cyclonedx-gomod", "bin", "-json", "-noserial", "-version", "v"+r.version,
			"-output", out, r.binary(platforms[0], name))
		message, err := command.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%v: %w: %s", command.Args, err, message)
		}
		text, err := os.ReadFile(out)
		if err != nil {
			return err
		}
		now := timestamp.ReplaceAllString(string(text), `"timestamp": "`+r.date.Format(time.RFC3339)+`"`)
		if err := r.write(out, now); err != nil {
			return err
		}
	}
	return nil
}

// licenseOf returns the texts in a module's folder. Modules of one repository often share a license; the module proxy
// adds it to each.
func licenseOf(cache, modulePath, version string) (string, error) {
	escaped, err := module.EscapePath(modulePath)
	if err != nil {
		return "", err
	}
	folder := filepath.Join(cache, filepath.FromSlash(escaped)+"@"+version)
	entries, err := os.ReadDir(folder)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	for _, entry := range entries {
		if entry.IsDir() || !licenseFile.MatchString(entry.Name()) {
			continue
		}
		content, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil {
			return "", err
		}
		text.Write(content)
		text.WriteString("\n")
	}
	if text.Len() == 0 {
		return "", fmt.Errorf("%s %s has no license in %s", modulePath, version, folder)
	}
	return text.String(), nil
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
