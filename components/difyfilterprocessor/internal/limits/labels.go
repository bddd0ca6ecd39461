// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package limits

import (
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// labelNames repairs attributes that would make Prometheus, or the Prometheus exporter, reject a series or a scrape:
//
//   - attributes with the same label name are joined with ";", in the order of their keys, as OpenTelemetry's
//     compatibility specification says;
//   - a label that the exporter writes itself gets the prefix exported_, as Prometheus does on scrapes;
//   - a name of underscores only, or that begins with two, gets the prefix key.
//
// It is for one batch.
type labelNames struct {
	known map[string]string // attribute key -> label
	seen  []string          // labels of the current map
}

const (
	exportedPrefix = "exported_"
	keyPrefix      = "key"
	joint          = ";"
	scopePrefix    = "otel_scope_"
)

// label returns the label of an attribute, as the exporter's translation of names has it.
func (n *labelNames) label(key string) string {
	if label, ok := n.known[key]; ok {
		return label
	}
	label := strings.Map(labelRune, key)
	if label != "" && label[0] >= '0' && label[0] <= '9' {
		label = keyPrefix + "_" + label
	}
	n.known[key] = label
	return label
}

func labelRune(r rune) rune {
	if (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z') || (r >= '0' && r <= '9') {
		return r
	}
	return '_'
}

// needsPrefix reports whether Prometheus does not accept a label from outside.
func needsPrefix(label string) bool {
	return label == "" || label == "_" || strings.HasPrefix(label, "__")
}

// repair returns the number of attributes that it renamed or joined. Without join, attributes with the same label stay:
// the exporter joins those of resources itself.
func (n *labelNames) repair(m pcommon.Map, join bool, reserved func(string) bool) int {
	n.seen = n.seen[:0]
	good := true
	for key := range m.All() {
		label := n.label(key)
		good = good && !needsPrefix(label) && !reserved(label)
		n.seen = append(n.seen, label)
	}
	if good && (!join || !repeats(n.seen)) {
		return 0
	}
	return n.rebuild(m, join, reserved)
}

// repeats reports whether a label occurs twice. It compares all pairs of a few labels, as points have, and sorts more.
func repeats(labels []string) bool {
	const few = 8
	if len(labels) > few {
		slices.Sort(labels)
		for i := 1; i < len(labels); i++ {
			if labels[i] == labels[i-1] {
				return true
			}
		}
		return false
	}
	for i, label := range labels {
		if slices.Contains(labels[:i], label) {
			return true
		}
	}
	return false
}

// rebuild renames and joins. A key whose label is not in question stays as it is.
func (n *labelNames) rebuild(m pcommon.Map, join bool, reserved func(string) bool) int {
	before := m.Len()
	values := m.AsRaw() // of keys that are there twice, one is left
	byLabel := make(map[string][]string, len(values))
	for key := range values {
		label := n.accepted(key, reserved)
		byLabel[label] = append(byLabel[label], key)
	}
	changed := before - len(values)
	repaired := make(map[string]any, len(byLabel))
	for label, keys := range byLabel {
		if n.label(keys[0]) == label && (len(keys) == 1 || !join) {
			for _, key := range keys {
				repaired[key] = values[key]
			}
			continue
		}
		changed += len(keys)
		repaired[label] = joined(values, keys)
	}
	_ = m.FromRaw(repaired) // never fails on what AsRaw returned
	return changed
}

// accepted returns the label of an attribute, changed if Prometheus does not accept it.
func (n *labelNames) accepted(key string, reserved func(string) bool) string {
	label := n.label(key)
	for reserved(label) {
		label = exportedPrefix + label
	}
	if needsPrefix(label) {
		label = keyPrefix + "_" + strings.TrimPrefix(label, "_")
	}
	return label
}

// joined returns the value of a key, or the values of several keys as text.
func joined(values map[string]any, keys []string) any {
	if len(keys) == 1 {
		return values[keys[0]]
	}
	slices.Sort(keys)
	texts := make([]string, len(keys))
	for i, key := range keys {
		v := pcommon.NewValueEmpty()
		_ = v.FromRaw(values[key]) // never fails on what AsRaw returned
		texts[i] = v.AsString()
	}
	return strings.Join(texts, joint)
}
