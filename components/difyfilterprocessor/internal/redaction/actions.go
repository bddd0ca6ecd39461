// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
)

// Actions on the value of a key.
const (
	ActionKeep     = "keep"
	ActionDrop     = "drop"
	ActionHash     = "hash"
	ActionTruncate = "truncate"
)

// replacer replaces whole values.
type replacer struct{ changes }

const hashMark = "sha256:"

// hash replaces a value with its hash, so that equal values can be recognized. The UUID of a user is kept.
func (c *replacer) hash(rule *keyRule, v pcommon.Value) {
	by := tally.ReasonKey
	value := v.AsString()
	if rule.action == "" {
		if value == "" || isUUID(value) || v.Type() != pcommon.ValueTypeStr {
			return
		}
		by = tally.ReasonUser
	}
	if clean, changed := c.hashed(value); (changed || rule.action != "") && clean != value &&
		c.changed(by, rule.name) {
		v.SetStr(clean)
	}
}

// hashed returns the hash of a value. It leaves hashes, masks and UUIDs alone.
func (c *replacer) hashed(value string) (string, bool) {
	if digest, ok := strings.CutPrefix(value, hashMark); ok && isDigest(digest) {
		return value, false // already hashed
	}
	h := sha256.New()
	if c.redactor.set.HashKey != "" {
		h = hmac.New(sha256.New, []byte(c.redactor.set.HashKey))
	}
	h.Write([]byte(value))
	return hashMark + hex.EncodeToString(h.Sum(nil)), value != Mask && !isUUID(value)
}

// isDigest reports whether a text is a SHA-256 digest as hash writes it.
func isDigest(text string) bool {
	digest, err := hex.DecodeString(text)
	return err == nil && len(digest) == sha256.Size
}

// truncate cuts a value after TruncateTo bytes, never within a character. A value that is already cut is left alone.
func (c *replacer) truncate(rule *keyRule, v pcommon.Value) {
	value := v.AsString()
	if len(value) <= c.redactor.set.TruncateTo {
		return
	}
	cut := attrs.FirstBytes(value, c.redactor.set.TruncateTo) + attrs.TruncatedMark
	if cut != value && c.changed(tally.ReasonKey, rule.name) {
		v.SetStr(cut)
	}
}
