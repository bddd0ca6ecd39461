// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulkextension

import (
	"encoding/json"
	"sync"
	"time"

	"go.uber.org/zap"
)

// deadLetter is the document that the dead-letter index gets. The original is kept as text, byte by byte, so that nothing
// in it can be refused once more.
type deadLetter struct {
	Timestamp time.Time `json:"@timestamp"`
	Status    int       `json:"status"`
	Type      string    `json:"type"`
	Reason    string    `json:"reason"`
	Index     string    `json:"index"`
	ID        string    `json:"id"`
	Document  string    `json:"document"`
}

// newDeadLetter wraps a document that was refused for good. Its id is made from the original's place, so that a document
// that comes twice is one dead letter.
func newDeadLetter(original item, result itemResult, index string, now time.Time) item {
	from, _ := parsePlace(original.actionLine()) // always an action line of ours; the letter would lack its place
	letter, err := json.Marshal(deadLetter{
		Timestamp: now.UTC(),
		Status:    result.status,
		Type:      result.kind,
		Reason:    result.reason,
		Index:     from.index,
		ID:        from.id,
		Document:  string(original.document()),
	})
	if err != nil { // can't be: all of it is text and numbers
		letter = []byte("{}")
	}
	line := []byte(`{"create":{"_index":"` + jsonText(index) + `","_id":"`)
	line = append(line, boundedID([]byte(jsonText(from.index+"/"+from.id)))...)
	line = append(line, "\"}}\n"...)
	action := len(line)
	line = append(append(line, letter...), '\n')
	return item{line: line, action: action, create: true, dead: true}
}

// rejectionLogInterval is the least time between two log lines about dead letters.
const rejectionLogInterval = time.Minute

// rejectionLog tells of documents that are refused for good: the first at once, then how many more there were.
type rejectionLog struct {
	logger  *zap.Logger
	message string

	mu    sync.Mutex
	last  time.Time // guarded by mu
	count int       // guarded by mu; since the last line
}

func (l *rejectionLog) refused(result itemResult) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	if now := time.Now(); now.Sub(l.last) >= rejectionLogInterval {
		l.logger.Warn(l.message,
			zap.Int("documents", l.count), zap.Int("status", result.status), zap.String("type", result.kind))
		l.last, l.count = now, 0
	}
}
