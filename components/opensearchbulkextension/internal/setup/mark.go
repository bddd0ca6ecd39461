// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package setup

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
)

// managedBy marks what is ours. An operator who takes something over removes it.
const managedBy = "otelcol-dify"

// mark is what we leave on what we write.
type mark struct {
	version  int
	checksum string // of the content at the time of writing
}

// decision is what to do about something that may exist already. Its text is for the log.
type decision string

const (
	create   decision = "there was none"
	update   decision = "it was an older one of ours"
	upToDate decision = "up to date"
	keep     decision = "changed by hand"
)

// decide compares what exists, by its mark and its current checksum, with the checksums of what is wanted.
func decide(found *mark, now string, version int, wanted ...string) decision {
	switch {
	case found == nil, found.version > version, found.checksum != now:
		return keep
	case slices.Contains(wanted, now):
		return upToDate
	default:
		return update
	}
}

// checksum returns the checksum of a value made of maps, lists and texts; JSON sorts the keys.
func checksum(content any) string {
	canonical, err := json.Marshal(content)
	if err != nil { // impossible: all of it came from JSON
		return ""
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:8])
}

var markPattern = regexp.MustCompile(`^(.*) \(` + managedBy + ` (\d+), ([0-9a-f]{16})\)$`)

// withMark appends a mark to a description, for objects that have no better place for it.
func withMark(description string, m mark) string {
	return fmt.Sprintf("%s (%s %d, %s)", description, managedBy, m.version, m.checksum)
}

// cutMark separates a description from its mark, which is nil if there is none.
func cutMark(description string) (string, *mark) {
	parts := markPattern.FindStringSubmatch(description)
	if parts == nil {
		return description, nil
	}
	version, err := strconv.Atoi(parts[2])
	if err != nil {
		return description, nil
	}
	return parts[1], &mark{version, parts[3]}
}
