// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package check has what a check of `difyctl doctor` reports.
package check

import "strings"

// State is the outcome of a check.
type State string

// The states, from good to bad.
const (
	StateOK      State = "ok"
	StateSkipped State = "skipped" // it can't be known, for a reason that is no fault or has a result of its own
	StateWarning State = "warning"
	StateFailed  State = "failed"
)

// Result is the outcome of one check.
type Result struct {
	// Name is what was checked, as "database: rights".
	Name  string `json:"name"`
	State State  `json:"state"`
	// Detail is what was found. It contains no secrets.
	Detail string `json:"detail,omitempty"`
	// Fix is the variable or file to change, or the command to run. It is empty if there is nothing to fix.
	Fix string `json:"fix,omitempty"`
}

// OK reports that nothing is wrong.
func OK(name, detail string) Result { return Result{Name: name, State: StateOK, Detail: detail} }

// Skipped reports that a check could not be made, and why.
func Skipped(name, why string) Result {
	return Result{Name: name, State: StateSkipped, Detail: line(why)}
}

// Warning reports what works and gives something up.
func Warning(name, detail, fix string) Result {
	return Result{Name: name, State: StateWarning, Detail: line(detail), Fix: fix}
}

// Failed reports what does not work.
func Failed(name, detail, fix string) Result {
	return Result{Name: name, State: StateFailed, Detail: line(detail), Fix: fix}
}

// line puts a text on one line.
func line(text string) string { return strings.Join(strings.Fields(text), " ") }
