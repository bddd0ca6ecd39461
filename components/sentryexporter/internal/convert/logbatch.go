// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package convert

import (
	"encoding/json"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
)

const (
	// maxLogs and maxLogBytes bound one item; SDKs have the same limit.
	maxLogs     = 100
	maxLogBytes = 1 << 20
)

// logBatches collects log records by route.
type logBatches struct {
	Result

	open map[item.Route]*logBatch
}

type logBatch struct {
	logs []json.RawMessage
	size int
	time time.Time
	ids  []item.ID
}

// BatchLogs makes items of log records.
func BatchLogs(records []LogRecord) Result {
	b := &logBatches{open: map[item.Route]*logBatch{}}
	for _, rec := range records {
		b.add(rec)
	}
	for to := range b.open {
		b.close(to)
	}
	return b.Result
}

func (b *logBatches) add(rec LogRecord) {
	batch := b.open[rec.Route]
	if batch == nil || len(batch.logs) >= maxLogs || batch.size+len(rec.encoded) > maxLogBytes {
		b.close(rec.Route)
		batch = &logBatch{}
		b.open[rec.Route] = batch
	}
	batch.logs = append(batch.logs, rec.encoded)
	batch.ids = append(batch.ids, rec.ID)
	batch.size += len(rec.encoded) + 1
	if rec.Time.After(batch.time) {
		batch.time = rec.Time
	}
}

func (b *logBatches) close(to item.Route) {
	batch := b.open[to]
	if batch == nil {
		return
	}
	delete(b.open, to)
	payload, err := json.Marshal(struct {
		Items []json.RawMessage `json:"items"`
	}{batch.logs})
	if err != nil {
		b.Discard(item.ReasonInternal, to, protocol.CategoryLogItem, len(batch.logs))
		return
	}
	b.Items = append(b.Items, &item.Item{
		Category: protocol.CategoryLogItem, Route: to, Time: batch.time, Count: len(batch.logs),
		Size: len(payload), Payload: payload, RecordIDs: batch.ids,
	})
}
