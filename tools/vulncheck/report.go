// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// acceptance is an entry of the file with accepted vulnerabilities.
type acceptance struct {
	ID     string `yaml:"id"`     // such as GO-2025-3503
	Module string `yaml:"module"` // the vulnerable module
	Reason string `yaml:"reason"` // why it does no harm here, or why nothing can be done
}

// readAccepted returns the accepted vulnerabilities by their id and module.
func readAccepted(path string) (map[string]acceptance, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var list []acceptance
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	if err := decoder.Decode(&list); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	accepted := map[string]acceptance{}
	for number, a := range list {
		key := a.ID + " " + a.Module
		if a.ID == "" || a.Module == "" || strings.TrimSpace(a.Reason) == "" {
			return nil, fmt.Errorf("%s: entry %d (%s) needs id, module and reason", path, number+1, a.ID)
		}
		if _, ok := accepted[key]; ok {
			return nil, fmt.Errorf("%s: %s is there twice", path, key)
		}
		accepted[key] = a
	}
	return accepted, nil
}

// report has the findings of all targets, by vulnerability and module.
type report map[string]*reported

type reported struct {
	finding
	targets []string // in which it is reachable, or all if it is reachable in none
}

func (r report) add(target string, found map[string]finding) {
	for key, f := range found {
		known, ok := r[key]
		switch {
		case !ok || f.reachable && !known.reachable:
			r[key] = &reported{finding: f, targets: []string{target}}
		case f.reachable == known.reachable:
			known.targets = append(known.targets, target)
		}
	}
}

// judge prints the findings. It fails if one is reachable and not accepted, or if an accepted one is not found any
// more.
func (r report) judge(out io.Writer, accepted map[string]acceptance) error {
	all := slices.SortedFunc(maps.Values(r), func(a, b *reported) int {
		return cmp.Or(strings.Compare(a.id, b.id), strings.Compare(a.module, b.module))
	})
	var unaccepted []string
	unreachable := 0
	used := map[string]bool{}
	for _, f := range all {
		if !f.reachable {
			unreachable++
			continue
		}
		key := f.id + " " + f.module
		verb := "reachable"
		if a, ok := accepted[key]; ok {
			used[key] = true
			verb = "accepted (" + strings.Join(strings.Fields(a.Reason), " ") + ")"
		} else {
			unaccepted = append(unaccepted, key)
		}
		fixed := "no fixed version"
		if f.fixed != "" {
			fixed = "fixed in " + f.fixed
		}
		fmt.Fprintf(out, "%s: %s: %s\n  %s %s, %s, by %s\n  in %s\n  https://pkg.go.dev/vuln/%s\n",
			verb, f.id, f.summary, f.module, f.version, fixed, f.symbol, strings.Join(f.targets, ", "), f.id)
	}
	fmt.Fprintf(out, "%d reachable, %d of them accepted; %d more in required modules, not reachable\n",
		len(all)-unreachable, len(used), unreachable)
	var failures []error
	if len(unaccepted) > 0 {
		failures = append(failures, fmt.Errorf("reachable and not accepted: %s", strings.Join(unaccepted, ", ")))
	}
	for _, key := range slices.Sorted(maps.Keys(accepted)) {
		if !used[key] {
			failures = append(failures, fmt.Errorf("accepted, but not found any more: %s: delete the entry", key))
		}
	}
	return errors.Join(failures...)
}
