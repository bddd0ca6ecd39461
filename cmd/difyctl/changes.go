// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// rule is what changed a value.
type rule struct {
	Reason string `json:"reason"`
	Place  string `json:"place"`
	Key    string `json:"key,omitempty"`
}

func (r rule) String() string { return strings.TrimSpace(r.Reason + " " + r.Place + " " + r.Key) }

// change is a value, or a part of a text, that is redacted.
type change struct {
	Path   string  `json:"path,omitempty"`
	Before string  `json:"before"`
	After  *string `json:"after"` // nil if it is removed
	Rules  []rule  `json:"rules"`
}

// compareTexts returns the lines of a text that differ.
func compareTexts(before, after string, rules []rule) []change {
	if before == after {
		return nil
	}
	a, b := strings.SplitAfter(before, "\n"), strings.SplitAfter(after, "\n")
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	left := strings.Join(b, "")
	return []change{{Before: strings.Join(a, ""), After: &left, Rules: distinct(rules)}}
}

// compareItems returns the values of an item that differ. A rule belongs to the values of its key; to those of its
// place if its key is one within a text.
func compareItems(signal string, of item, before, after []byte, rules []rule) ([]change, error) {
	old, err := of.leaves(signal, before)
	if err != nil {
		return nil, err
	}
	now, err := of.leaves(signal, after)
	if err != nil {
		return nil, err
	}
	left := map[string]string{}
	for _, l := range now {
		left[l.path] = l.value
	}
	var found []change
	for _, l := range old {
		value, stays := left[l.path]
		if stays && value == l.value {
			continue
		}
		c := change{Path: l.path, Before: l.value}
		if stays {
			c.After = &value
		}
		c.Rules = rulesOf(l, rules)
		found = append(found, c)
	}
	return found, nil
}

func rulesOf(l leaf, rules []rule) []rule {
	var found []rule
	for _, exact := range [...]bool{true, false} {
		for _, r := range rules {
			if r.Place == placeOf(l.path) && (!exact || r.Key == l.key) {
				found = append(found, r)
			}
		}
		if len(found) > 0 {
			break
		}
	}
	return distinct(found)
}

func distinct(rules []rule) []rule {
	slices.SortFunc(rules, func(a, b rule) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(rules)
}

// places are the places of redaction by a part of a path, the more special one first.
var places = [...]struct{ part, place string }{
	{".schemaUrl", "schema_url"},
	{".traceState", "trace_state"},
	{".severityText", "severity"},
	{".status.message", "status"},
	{".eventName", "name"},
	{".exemplars[", "exemplar"},
	{".dataPoints[", "data_point"},
	{".links[", "link"},
	{".events[", "span_event"},
	{".scope.", "scope"},
	{".resource.", "resource"},
	{".body", "body"},
	{".logRecords[", "log_record"},
	{".spans[", "span"},
	{".metrics[", "metric"},
}

func placeOf(path string) string {
	if strings.HasSuffix(path, "].name") {
		return "name"
	}
	for _, p := range places {
		if strings.Contains(path, p.part) {
			return p.place
		}
	}
	return ""
}

// writeText writes changes for people.
func writeText(out io.Writer, changes []change) error {
	var b strings.Builder
	for _, c := range changes {
		if c.Path != "" {
			b.WriteString(c.Path + "\n")
		}
		c.writeValues(&b)
		for _, r := range c.Rules {
			fmt.Fprintf(&b, "  rule: %s\n", r)
		}
		b.WriteByte('\n')
	}
	if len(changes) == 0 {
		b.WriteString("nothing is redacted\n")
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// writeValues writes both values, each line with its successor if the lines correspond.
func (c *change) writeValues(b *strings.Builder) {
	before := strings.Split(strings.TrimSuffix(c.Before, "\n"), "\n")
	if c.After == nil {
		writeLines(b, "- ", before)
		b.WriteString("  (removed)\n")
		return
	}
	after := strings.Split(strings.TrimSuffix(*c.After, "\n"), "\n")
	if len(before) != len(after) {
		writeLines(b, "- ", before)
		writeLines(b, "+ ", after)
		return
	}
	for i := range before {
		if before[i] != after[i] {
			writeLines(b, "- ", before[i:i+1])
			writeLines(b, "+ ", after[i:i+1])
		}
	}
}

func writeLines(b *strings.Builder, mark string, lines []string) {
	for _, line := range lines {
		b.WriteString(mark + line + "\n")
	}
}

// writeJSON writes each change as a line.
func writeJSON(out io.Writer, changes []change) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for _, c := range changes {
		if err := encoder.Encode(c); err != nil {
			return err
		}
	}
	return nil
}

// unmarshal keeps numbers as they are written.
func unmarshal(text []byte, to any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	return decoder.Decode(to)
}

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }
