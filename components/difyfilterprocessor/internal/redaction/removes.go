// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

// Removes reports whether redaction removes or hashes the value of a key, whatever it is.
func (r *Redactor) Removes(key string) bool {
	if r.set.Audit {
		return false
	}
	switch rule := r.keys.find(key); {
	case rule.action != "":
		return rule.action == ActionDrop || rule.action == ActionHash
	case rule.class == user:
		return r.set.UserIDs == ActionDrop
	default:
		return rule.class == content || rule.class == query && r.set.URLQueries
	}
}
