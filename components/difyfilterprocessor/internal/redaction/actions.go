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

const hashMark = "sha256:"

// hash replaces a value with its hash, so that equal values can be recognized.
func (c *cleaner) hash(v pcommon.Value) {
	value := v.AsString()
	if digest, ok := strings.CutPrefix(value, hashMark); ok && isDigest(digest) {
		return // already hashed
	}
	h := sha256.New()
	if c.set.HashKey != "" {
		h = hmac.New(sha256.New, []byte(c.set.HashKey))
	}
	h.Write([]byte(value))
	v.SetStr(hashMark + hex.EncodeToString(h.Sum(nil)))
	c.tally.Redact(tally.ReasonKey)
}

// isDigest reports whether a text is a SHA-256 digest as hash writes it.
func isDigest(text string) bool {
	digest, err := hex.DecodeString(text)
	return err == nil && len(digest) == sha256.Size
}

// truncate cuts a value after TruncateTo bytes, never within a character. A value that is already cut is left alone.
func (c *cleaner) truncate(v pcommon.Value) {
	value := v.AsString()
	if len(value) <= c.set.TruncateTo {
		return
	}
	if cut := attrs.FirstBytes(value, c.set.TruncateTo) + attrs.TruncatedMark; cut != value {
		v.SetStr(cut)
		c.tally.Redact(tally.ReasonKey)
	}
}
