// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// finding is a known vulnerability in a target.
type finding struct {
	id, summary string
	// The vulnerable module ("stdlib" for Go's own), its version, and the version that fixes it, if there is one.
	module, version, fixed string
	// reachable: the target calls a vulnerable function, or for a binary, contains it. symbol is that function.
	reachable bool
	symbol    string
}

// scan runs govulncheck on a module's folder, including its tests, or on a binary.
func scan(ctx context.Context, program, path, database string) (map[string]finding, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	args := []string{"-db", database, "-format", "json"}
	if info.IsDir() {
		args = append(args, "-C", path, "-test", "./...")
	} else {
		args = append(args, "-mode", "binary", path)
	}
	command := exec.CommandContext(ctx, program, args...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil { // with JSON, findings are no error
		return nil, fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return parse(&stdout)
}

// message is the part of govulncheck's JSON stream that is read here. A vulnerability has several findings: of the
// module, of its package, of each function that is called.
type message struct {
	OSV *struct {
		ID      string `json:"id"`
		Summary string `json:"summary"`
	} `json:"osv"`
	Finding *struct {
		OSV          string  `json:"osv"`
		FixedVersion string  `json:"fixed_version"`
		Trace        []frame `json:"trace"`
	} `json:"finding"`
}

type frame struct {
	Module   string `json:"module"`
	Version  string `json:"version"`
	Package  string `json:"package"`
	Function string `json:"function"`
	Receiver string `json:"receiver"`
}

// parse returns the vulnerabilities in govulncheck's output by their id and module.
func parse(stream io.Reader) (map[string]finding, error) {
	summaries := map[string]string{}
	found := map[string]finding{}
	decoder := json.NewDecoder(stream)
	for {
		var m message
		if err := decoder.Decode(&m); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("output of govulncheck: %w", err)
		}
		if m.OSV != nil {
			summaries[m.OSV.ID] = m.OSV.Summary
		}
		if m.Finding == nil || len(m.Finding.Trace) == 0 {
			continue
		}
		vulnerable := m.Finding.Trace[0]
		key := m.Finding.OSV + " " + vulnerable.Module
		if found[key].reachable {
			continue
		}
		f := finding{
			id: m.Finding.OSV, module: vulnerable.Module, version: vulnerable.Version, fixed: m.Finding.FixedVersion,
			reachable: vulnerable.Function != "",
		}
		if f.reachable {
			f.symbol = strings.TrimPrefix(vulnerable.Receiver+"."+vulnerable.Function, ".")
			f.symbol = vulnerable.Package + "." + f.symbol
		}
		found[key] = f
	}
	for key, f := range found {
		f.summary = summaries[f.id]
		found[key] = f
	}
	return found, nil
}
