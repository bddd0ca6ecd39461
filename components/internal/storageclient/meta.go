// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package storageclient

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"io"
	"os"
)

// The layout of bbolt's meta pages, which its files have had since version 2: a page header, then magic, version, page
// size, flags, root, free list, page count and transaction, then the checksum of all of these.
const (
	metaHeader  = 16
	metaSummed  = 56
	metaMagic   = 0xED0CDAED
	minPageSize = 1 << 10
	maxPageSize = 16 << 10
)

// hasMeta reports whether one of a file's two meta pages is valid, without locking the file: another process may have
// it open, and writes one of the two at a time. An empty file is valid.
func hasMeta(name string) (bool, error) {
	file, err := os.Open(name) //nolint:gosec // a file of the operator's storage directory
	if err != nil {
		return false, err
	}
	defer file.Close()
	var first [1]byte
	if _, err := file.ReadAt(first[:], 0); errors.Is(err, io.EOF) {
		return true, nil
	}
	if validMeta(file, 0) {
		return true, nil
	}
	for size := int64(minPageSize); size <= maxPageSize; size *= 2 { // as bbolt searches the second one
		if validMeta(file, size) {
			return true, nil
		}
	}
	return false, nil
}

func validMeta(file io.ReaderAt, offset int64) bool {
	var meta [metaSummed + 8]byte
	if _, err := file.ReadAt(meta[:], offset+metaHeader); err != nil {
		return false
	}
	if binary.NativeEndian.Uint32(meta[:]) != metaMagic {
		return false
	}
	sum := fnv.New64a()
	_, _ = sum.Write(meta[:metaSummed])
	return sum.Sum64() == binary.NativeEndian.Uint64(meta[metaSummed:])
}
