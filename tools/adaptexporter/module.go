// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/semver"
	"golang.org/x/mod/sumdb/dirhash"
)

// module is a stock module at one version, and what is different in its copy.
type module struct {
	path, version string
	sum           string // its line in a go.sum file
	edits         []edit
}

var (
	openSearch = module{
		path:    "github.com/open-telemetry/opentelemetry-collector-contrib/exporter/opensearchexporter",
		version: "v0.138.0",
		sum:     "h1:Qe+AjdyZ/a81WJiK5ecYz+70Dw4S1uPBcH0n33B49po=",
		edits:   openSearchEdits,
	}
	kafka = module{
		path:    "github.com/open-telemetry/opentelemetry-collector-contrib/exporter/kafkaexporter",
		version: "v0.165.1",
		sum:     "h1:asFki9ZI/w41ZQ/Yqr3vFWToEcbMmUwqhftQJ41pmo4=",
		edits:   kafkaEdits,
	}
	helper = module{
		path:    "go.opentelemetry.io/collector/exporter/exporterhelper",
		version: "v0.165.0",
		sum:     "h1:MDULG3NJ0geYpqRKPjy/kYyEGv55MzOOWoI4Mo7HW+w=",
		edits:   helperEdits,
	}
	modules = []module{openSearch, kafka, helper}
)

// download returns the path of the module's archive in Go's module cache, where go puts it if it is not there. It is
// `go mod download -json`, outside any module, so that no go.mod or go.sum is changed.
func (m module) download(version string) (archive string, err error) {
	directory, err := os.MkdirTemp("", "adaptexporter")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(directory)) }()

	command := exec.Command("go", "mod", "download", "-json", m.path+"@"+version)
	command.Dir = directory
	command.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	stdout, runErr := command.Output()
	var result struct{ Zip, Error string }
	if err := json.Unmarshal(stdout, &result); err != nil {
		return "", fmt.Errorf("go mod download %s@%s: %w: %s",
			m.path, version, errors.Join(runErr, err), strings.TrimSpace(stderr.String()))
	}
	if result.Error != "" {
		return "", fmt.Errorf("go mod download: %s", result.Error)
	}
	return result.Zip, nil
}

// read returns the files of the module's archive, by their path in the module, without tests. The archive's hash
// must be the module's.
func (m module) read(archive string) (map[string]string, error) {
	got, err := dirhash.HashZip(archive, dirhash.Hash1)
	if err != nil {
		return nil, err
	}
	if got != m.sum {
		return nil, fmt.Errorf("%s: checksum is %s, expected %s of %s %s", archive, got, m.sum, m.path, m.version)
	}
	reader, err := zip.OpenReader(archive)
	if err != nil {
		return nil, err
	}
	defer reader.Close()

	files := map[string]string{}
	for _, file := range reader.File {
		path := strings.TrimPrefix(file.Name, m.path+"@"+m.version+"/")
		if strings.HasSuffix(path, "_test.go") || strings.Contains(path, "testdata/") || !filepath.IsLocal(path) {
			continue
		}
		content, err := readFile(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file.Name, err)
		}
		files[path] = content
	}
	return files, nil
}

func readFile(file *zip.File) (string, error) {
	reader, err := file.Open()
	if err != nil {
		return "", err
	}
	defer reader.Close()
	content, err := io.ReadAll(reader)
	return string(content), err
}

// write replaces the folder out by files. It does nothing if the folder has them already, so that nothing is built
// again.
func write(out string, files map[string]string) error {
	if same(out, files) {
		return nil
	}
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	for path, content := range files {
		path = filepath.Join(out, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func same(out string, files map[string]string) bool {
	for path, content := range files {
		got, err := os.ReadFile(filepath.Join(out, filepath.FromSlash(path)))
		if err != nil || string(got) != content {
			return false
		}
	}
	return true
}

// reportNewer fails if a newer version of the module than the adapted one can be downloaded. It tries each minor
// version up to and including the collector's, since a proxy's list of versions need not name all that it serves,
// or may name none.
func (m module) reportNewer(w io.Writer, collector string) error {
	candidates, err := minorVersions(m.version, collector)
	if err != nil {
		return err
	}
	for _, candidate := range slices.Backward(candidates) {
		if _, err := m.download(candidate); err == nil {
			return fmt.Errorf("%s %s is served: if it compiles with the collector's version, "+
				"delete its edits in tools/adaptexporter and its `replaces` line", m.path, candidate)
		}
	}
	fmt.Fprintf(w, "%s is the newest version of %s that is served (tried %d newer ones up to %s)\n",
		m.version, m.path, len(candidates), collector)
	return nil
}

// minorVersions returns the first patch release of each minor version after old up to last, and last itself.
func minorVersions(old, last string) ([]string, error) {
	if !semver.IsValid(last) || semver.Compare(last, old) <= 0 {
		return nil, fmt.Errorf("-check %s: expected a version above %s, such as v0.165.0", last, old)
	}
	from, errFrom := minor(old)
	to, errTo := minor(last)
	if err := errors.Join(errFrom, errTo); err != nil {
		return nil, err
	}
	var versions []string
	for i := from + 1; i <= to; i++ {
		versions = append(versions, fmt.Sprintf("v0.%d.0", i))
	}
	if !slices.Contains(versions, last) {
		versions = append(versions, last)
	}
	return versions, nil
}

func minor(version string) (int, error) {
	return strconv.Atoi(strings.TrimPrefix(semver.MajorMinor(version), "v0."))
}
