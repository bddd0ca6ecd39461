// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package backlog counts what waits or has failed in Dify besides runs: documents, triggers and feedback, by status.
package backlog

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// retryInterval is how long a statement is not repeated that the database refused, as when it ran for too long.
const retryInterval = time.Hour

// Settings of a Reader.
type Settings struct {
	Interval time.Duration // 0: off
	// MaxScanSize is the size of the rows of a table, in bytes, up to which it may be read as a whole. 0: none may.
	MaxScanSize int64
	// Observe is called with each part and whether it is read.
	Observe func(ctx context.Context, part source.Part, read bool)
	Logger  *zap.Logger
}

// Reader counts once per interval, and keeps the result until the next time. It is not safe for concurrent use.
type Reader struct {
	Settings
	read   time.Time
	counts map[source.Part][]source.StatusCount
	at     source.Clock
	reason map[source.Part]string // why a part is off, as it was logged
	retry  map[source.Part]time.Time
}

// NewReader returns a Reader that has counted nothing yet.
func NewReader(set Settings) *Reader {
	return &Reader{
		Settings: set, counts: map[source.Part][]source.StatusCount{},
		reason: map[source.Part]string{}, retry: map[source.Part]time.Time{},
	}
}

// ReadIfDue reports whether there are new counts. An error is one of the connection: what the database refuses is
// logged.
func (r *Reader) ReadIfDue(
	ctx context.Context, conn source.Conn, schema *source.Schema, clock source.Clock,
) (changed bool, err error) {
	if r.Interval == 0 || time.Since(r.read) < r.Interval {
		return false, nil
	}
	r.read, r.at = time.Now(), clock
	tables := make([]string, len(source.Counts))
	for i, count := range source.Counts {
		tables[i] = count.Table
	}
	sizes, fault, err := conn.DataSizes(ctx, tables)
	if err != nil {
		return false, err
	}
	for _, count := range source.Counts {
		delete(r.counts, count.Part)
		if !schema.Reads(count.Part) { // logged with the schema
			r.Observe(ctx, count.Part, false)
			continue
		}
		off := r.off(&count, schema, sizes, fault)
		if off == "" && time.Now().Before(r.retry[count.Part]) {
			off = r.reason[count.Part]
		} else if off == "" {
			counts, refused, err := conn.Count(ctx, count)
			if err != nil {
				return false, err
			}
			r.counts[count.Part] = counts
			if refused != nil {
				delete(r.counts, count.Part)
				off = refused.Error()
				r.retry[count.Part] = time.Now().Add(retryInterval)
			}
		}
		r.switched(&count, off)
		r.Observe(ctx, count.Part, off == "")
	}
	return true, nil
}

// off returns why a count is not made, or "".
func (r *Reader) off(count *source.Count, schema *source.Schema, sizes map[string]int64, fault error) string {
	size := sizes[count.Table]
	switch {
	case count.Index != "" && !schema.HasIndex(count.Table, count.Index):
		return fmt.Sprintf("the table lacks the index (%s)", count.Index)
	case !count.Scans:
		return ""
	case fault != nil:
		return fault.Error()
	case size == source.UnknownSize:
		return "the size of the table is not known, as that of a view is not"
	case size > r.MaxScanSize:
		return "the table is larger than `max_scan_size`"
	}
	return ""
}

// switched logs when a part is switched off or on.
func (r *Reader) switched(count *source.Count, off string) {
	if off == r.reason[count.Part] {
		return
	}
	r.reason[count.Part] = off
	part, table := zap.String("part", string(count.Part)), zap.String("table", count.Table)
	if off == "" {
		r.Logger.Info("The rows of a table are counted again", part, table)
		return
	}
	r.Logger.Info("The rows of a table are not counted by status; nothing else depends on that", part, table,
		zap.String("reason", off))
}
