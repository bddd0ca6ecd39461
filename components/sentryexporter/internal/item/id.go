// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package item

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
)

// ID is a stable ID: of an event, a transaction, a log record or a resource. It is made from the content, so that a
// redelivery gets the same one.
type ID [16]byte

// MarshalText is the stored form.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads the stored form.
func (id *ID) UnmarshalText(text []byte) error {
	if n, err := hex.Decode(id[:], text); err != nil || n != len(id) {
		return fmt.Errorf("%q is not an ID", text)
	}
	return nil
}

func (id ID) String() string { return hex.EncodeToString(id[:]) }

// NewID returns the ID of what the parts identify. Parts keep their boundaries: ("a", "bc") and ("ab", "c") differ.
func NewID(parts ...string) ID {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(strconv.Itoa(len(p)) + ":" + p))
	}
	var sum [sha256.Size]byte
	return ID(h.Sum(sum[:0])[:16])
}
