// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

// Removes reports whether redaction removes or hashes the value of a key, whatever it is.
func (r *Redactor) Removes(key string) bool {
	action := r.keys.action(key)
	return action == ActionDrop || action == ActionHash
}
