// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package record

import (
	"crypto/sha1" //nolint:gosec // a name, not a secret

	"github.com/google/uuid"
)

// namespace is the root of the IDs made here. It must never change: a record's stable ID makes its redelivery the same
// document.
var namespace = uuid.MustParse("5b6f2f6e-3a0c-5d0b-9a55-0c3f6b1f7d11")

// UID returns the stable ID of a record: it equals uuid.NewSHA1 of event/id, without its allocations.
func UID(event, id string) string {
	name := append(make([]byte, 0, 128), namespace[:]...)
	name = append(append(append(name, event...), '/'), id...)
	sum := sha1.Sum(name) //nolint:gosec // see the import
	uid := uuid.UUID(sum[:16])
	uid[6] = uid[6]&0x0f | 5<<4 // the version
	uid[8] = uid[8]&0x3f | 0x80 // the variant
	return uid.String()
}

// instanceID is the same after a restart and on any machine: the series and records of one database belong together.
func instanceID(address string) string {
	return uuid.NewSHA1(namespace, []byte(address)).String()
}
