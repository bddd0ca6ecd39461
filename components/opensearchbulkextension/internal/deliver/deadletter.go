// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/internal/logthrottle"
	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/bulkapi"
)

// deadLetter is the document for the dead-letter index. The original is kept as text, byte by byte, so that no part
// of it can be rejected again. Its fields are those of the index template and of the replay command.
type deadLetter struct {
	Timestamp time.Time `json:"@timestamp"`
	Status    int       `json:"status"`
	Type      string    `json:"type"`
	Reason    string    `json:"reason"`
	Index     string    `json:"index"`
	ID        string    `json:"id"`
	Document  string    `json:"document"`
	// Size is that of the document, if it was cut.
	Size int `json:"size,omitempty"`
}

// newDeadLetter wraps a document that was permanently rejected. Its id is made from the place of the original, so
// that a document that arrives twice is one dead letter. It has at most the first most bytes of the document.
func newDeadLetter(
	original bulkapi.Item, result bulkapi.ItemResult, index string, most int, now time.Time,
) bulkapi.Item {
	text, size := original.Document(), 0
	if len(text) > most {
		text, size = text[:most], len(text)
	}
	from, _ := bulkapi.ParsePlace(original.ActionLine()) // always a line of ours; if not, the dead letter has no place
	document, err := json.Marshal(deadLetter{
		Timestamp: now.UTC(),
		Status:    result.Status,
		Type:      result.Type,
		Reason:    result.Reason,
		Index:     from.Index,
		ID:        from.ID,
		Document:  strings.ToValidUTF8(string(text), ""), // a character may be cut
		Size:      size,
	})
	if err != nil { // impossible: all of it is text and numbers
		document = []byte("{}")
	}
	item := bulkapi.NewItem(index, from.Index+"/"+from.ID, document)
	item.DeadLetter = true
	return item
}

// withoutTooLarge replaces the documents that are too large for a request with their dead letters.
func (d *Deliverer) withoutTooLarge(items []bulkapi.Item) []bulkapi.Item {
	for i, item := range items {
		if item.DeadLetter || len(item.Document()) <= d.MaxDocument {
			continue
		}
		result := bulkapi.ItemResult{
			Result: bulkapi.Rejected,
			Status: http.StatusRequestEntityTooLarge,
			Type:   "too_large",
			Reason: "the document is larger than max_document_size",
		}
		items[i] = newDeadLetter(item, result, d.DeadLetterIndex, d.MaxDeadLetter, time.Now())
		d.deadLetters.log(result)
	}
	return items
}

// rejectionLogInterval is the shortest time between two log lines about dead letters.
const rejectionLogInterval = time.Minute

// rejectionLog logs that documents are permanently rejected: the first at once, then how many more there were.
type rejectionLog struct {
	logger   *zap.Logger
	message  string
	throttle *logthrottle.Interval
}

func newRejectionLog(logger *zap.Logger, message string) rejectionLog {
	return rejectionLog{logger: logger, message: message, throttle: &logthrottle.Interval{Every: rejectionLogInterval}}
}

func (l *rejectionLog) log(result bulkapi.ItemResult) {
	if documents, log := l.throttle.Next(time.Now()); log {
		l.logger.Warn(l.message,
			zap.Int("documents", documents), zap.Int("status", result.Status), zap.String("type", result.Type))
	}
}
