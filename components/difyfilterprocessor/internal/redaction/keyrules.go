// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"maps"
	"strings"
)

// keyRules has the action for each attribute key.
type keyRules struct {
	exact    map[string]string
	prefixes []prefixAction
	lengths  [256]uint64 // by first byte, the lengths of the exact keys: excludes most keys
	starts   [256]bool   // first bytes of prefixes
}

type prefixAction struct{ prefix, action string }

func newKeyRules(configured map[string]string) *keyRules {
	k := &keyRules{exact: map[string]string{}}
	rules := maps.Clone(contentKeys)
	maps.Copy(rules, configured)
	for key, action := range rules {
		if prefix, ok := strings.CutSuffix(key, "*"); ok {
			k.prefixes, k.starts[key[0]] = append(k.prefixes, prefixAction{prefix, action}), true
		} else {
			k.exact[key] = action
			k.lengths[key[0]] |= lengthBit(key)
		}
	}
	return k
}

// action returns the action for a key, and "" if there is none. An exact key takes precedence over a prefix, and a
// longer prefix over a shorter one.
func (k *keyRules) action(key string) string {
	if key == "" {
		return ""
	}
	if k.lengths[key[0]]&lengthBit(key) != 0 {
		if action, ok := k.exact[key]; ok {
			return action
		}
	}
	if !k.starts[key[0]] {
		return ""
	}
	action, longest := "", -1
	for _, p := range k.prefixes {
		if len(p.prefix) > longest && strings.HasPrefix(key, p.prefix) {
			action, longest = p.action, len(p.prefix)
		}
	}
	return action
}

func lengthBit(key string) uint64 { return 1 << min(len(key), 63) }
