// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/mod/semver"
)

const (
	builderFile = "builder-config.yaml"

	core    = "go.opentelemetry.io/collector"
	contrib = "github.com/open-telemetry/opentelemetry-collector-contrib"

	// adapted is the module that tools/adaptexporter pins and adapts: its version does not follow the others.
	adapted = contrib + "/exporter/opensearchexporter"
)

// pin is a module of builder-config.yaml with its version. The reason is the comment behind the version or the
// comment lines directly above.
type pin struct {
	path, version, reason string
}

// family is a set of modules that are released together: core's stable ones (v1), core's others (v0), and contrib's.
func (p pin) family() string {
	return familyOf(p.path, p.version)
}

func familyOf(path, version string) string {
	if isBelow(path, core) {
		return core + " " + semver.Major(version)
	}
	return contrib + " " + semver.Major(version)
}

// ours reports whether path is a module of the collector or of contrib.
func ours(path string) bool {
	return isBelow(path, core) || isBelow(path, contrib)
}

func isBelow(path, parent string) bool {
	return path == parent || strings.HasPrefix(path, parent+"/")
}

// pins are the modules of builder-config.yaml. newest has the newest version of each family: the pin.
type pins struct {
	list   []pin
	newest map[string]string
}

var (
	componentLine = regexp.MustCompile(`^\s*- gomod: (\S+) (v\S+)\s*(?:# *(.*))?$`)
	// A tool is in tools/go.mod, which ocb does not read: a comment of this form pins it.
	toolLine    = regexp.MustCompile(`^# tool: (\S+) (v\S+)\s*(?:# *(.*))?$`)
	commentLine = regexp.MustCompile(`^\s*# ?(.*)$`)
)

// parsePins reads the pinned modules and their reasons. Each module that is older than others of its family needs a
// reason.
func parsePins(config string) (*pins, error) {
	result := &pins{newest: map[string]string{}}
	var comment []string
	for number, line := range strings.Split(config, "\n") {
		match := componentLine.FindStringSubmatch(line)
		if match == nil {
			match = toolLine.FindStringSubmatch(line)
		}
		if match == nil {
			if text := commentLine.FindStringSubmatch(line); text != nil {
				comment = append(comment, text[1])
			} else {
				comment = nil
			}
			continue
		}
		found := pin{path: match[1], version: match[2], reason: match[3]}
		if found.reason == "" {
			found.reason = strings.Join(comment, " ")
		}
		comment = nil
		if !ours(found.path) {
			continue
		}
		if !semver.IsValid(found.version) {
			return nil, fmt.Errorf("%s:%d: %s: %q is not a version", builderFile, number+1, found.path, found.version)
		}
		if before, ok := result.version(found.path); ok {
			return nil, fmt.Errorf("%s:%d: %s is pinned twice, here and at %s", builderFile, number+1, found.path, before)
		}
		result.list = append(result.list, found)
		if semver.Compare(found.version, result.newest[found.family()]) > 0 {
			result.newest[found.family()] = found.version
		}
	}
	if len(result.list) == 0 {
		return nil, fmt.Errorf("%s names no module of the collector", builderFile)
	}
	for _, exception := range result.exceptions() {
		if exception.reason == "" {
			return nil, fmt.Errorf("%s: %s is at %s, others at %s: write the reason in a comment above it or behind it",
				builderFile, exception.path, exception.version, result.newest[exception.family()])
		}
	}
	return result, nil
}

// exceptions are the modules that are older than others of their family.
func (p *pins) exceptions() []pin {
	var older []pin
	for _, candidate := range p.list {
		if semver.Compare(candidate.version, p.newest[candidate.family()]) < 0 {
			older = append(older, candidate)
		}
	}
	return older
}

// tools are the pinned programs of the tools module, with their versions.
func (p *pins) tools() map[string]string {
	versions := map[string]string{}
	for _, candidate := range p.list {
		if isBelow(candidate.path, core+"/cmd") {
			versions[candidate.path] = candidate.version
		}
	}
	return versions
}

func (p *pins) version(path string) (string, bool) {
	for _, candidate := range p.list {
		if candidate.path == path {
			return candidate.version, true
		}
	}
	return "", false
}
