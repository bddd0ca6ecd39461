// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package recordid sets the ID and the timestamp of log records that have none.
package recordid

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// Stamper sets log.record.uid and the timestamp on log records that have none. The UID becomes the document ID in
// OpenSearch. So it must be the same if a sender sends a batch again, and different for different records.
//
// A Stamper is for one batch and not safe for concurrent use.
type Stamper struct {
	now  time.Time
	seen map[[sha256.Size]byte]uint64 // how often each content occurred in this batch
}

// NewStamper returns the stamper of a batch that is processed at now.
func NewStamper(now time.Time) *Stamper { return &Stamper{now: now} }

// Stamp sets the UID and the timestamp of a record if it has none. The timestamp is the observed time, else now.
func (s *Stamper) Stamp(res pcommon.Map, record plog.LogRecord) {
	if !attrs.Has(record.Attributes(), difysemconv.AttrLogRecordUID) {
		record.Attributes().PutStr(difysemconv.AttrLogRecordUID, s.uid(res, record))
	}
	if record.Timestamp() != 0 {
		return
	}
	if observed := record.ObservedTimestamp(); observed != 0 {
		record.SetTimestamp(observed)
		return
	}
	record.SetTimestamp(pcommon.NewTimestampFromTime(s.now))
}

// uid is derived from the content of the record if the record has a time finer than a second, which distinguishes it
// from similar records. Records that are equal to the nanosecond are distinguished by their order in the batch.
// Otherwise the UID is random: storing a record twice is better than losing one.
func (s *Stamper) uid(res pcommon.Map, record plog.LogRecord) string {
	if uint64(record.Timestamp())%uint64(time.Second) == 0 {
		return uuid.NewString()
	}
	h := sha256.New()
	writeMap(h, res)
	writeRecord(h, record)
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	if s.seen == nil {
		s.seen = map[[sha256.Size]byte]uint64{}
	}
	s.seen[sum]++
	var order [8]byte
	binary.BigEndian.PutUint64(order[:], s.seen[sum])
	return uuid.NewSHA1(uuid.NameSpaceOID, append(sum[:], order[:]...)).String()
}

func writeRecord(h hash.Hash, record plog.LogRecord) {
	trace, span := record.TraceID(), record.SpanID()
	fmt.Fprintf(h, "%d %d %x %x %q %q ", record.Timestamp(), record.SeverityNumber(), trace[:], span[:],
		record.SeverityText(), record.EventName())
	writeValue(h, record.Body())
	writeMap(h, record.Attributes())
}

func writeMap(h hash.Hash, m pcommon.Map) {
	parts := make([]string, 0, m.Len())
	for key, v := range m.All() {
		if key == difysemconv.AttrRole {
			continue // learned over time, so it may differ when the same record arrives again
		}
		parts = append(parts, fmt.Sprintf("%q=%d:%q", key, v.Type(), attrs.Plain(v)))
	}
	slices.Sort(parts)
	fmt.Fprintf(h, "%q", parts)
}

func writeValue(h hash.Hash, v pcommon.Value) { fmt.Fprintf(h, "%d:%q ", v.Type(), attrs.Plain(v)) }
