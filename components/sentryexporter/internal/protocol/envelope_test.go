// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func read(t *testing.T, body Body) string {
	t.Helper()
	b, err := io.ReadAll(body.Reader())
	require.NoError(t, err)
	assert.EqualValues(t, len(b), body.Len())
	return string(b)
}

func TestEnvelope(t *testing.T) {
	at := time.Date(2026, 11, 23, 12, 0, 0, 500, time.FixedZone("x", 3600))
	report, err := ReportItem(map[Discard]int64{
		{"sample_rate", CategoryTransaction}: 2, {"sample_rate", CategorySpan}: 9, {"queue_overflow", CategorySpan}: 1,
	}, at)
	require.NoError(t, err)
	body, err := Envelope("0123456789abcdef0123456789abcdef", at,
		Item{Type: ItemEvent, ContentType: ContentTypeJSON, Payload: []byte("{\"a\":\n1}")}, report)
	require.NoError(t, err)
	//nolint:testifylint // lines of JSON
	assert.Equal(t, `{"event_id":"0123456789abcdef0123456789abcdef","sent_at":"2026-11-23T11:00:00.0000005Z"}
{"type":"event","content_type":"application/json","length":8}
{"a":
1}
{"type":"client_report","length":243}
{"timestamp":"2026-11-23T11:00:00.0000005Z","discarded_events":[`+
		`{"reason":"queue_overflow","category":"span","quantity":1},{"reason":"sample_rate","category":"span","quantity":9},`+
		`{"reason":"sample_rate","category":"transaction","quantity":2}]}
`, read(t, body))
}

func TestEnvelopeOfLogsHasNoEventID(t *testing.T) {
	body, err := Envelope(
		"",
		time.Unix(0, 0),
		Item{Type: ItemLog, ContentType: ContentTypeLogs, Count: 2, Payload: []byte(`{}`)},
	)
	require.NoError(t, err)
	//nolint:testifylint // lines of JSON
	assert.Equal(t, "{\"sent_at\":\"1970-01-01T00:00:00Z\"}\n"+
		"{\"type\":\"log\",\"content_type\":\"application/vnd.sentry.items.log+json\",\"item_count\":2,\"length\":2}\n{}\n",
		read(t, body))
}

func TestReports(t *testing.T) {
	var r Reports
	assert.Empty(t, r.Take())
	d := Discard{"queue_overflow", CategoryError}
	r.Add(d, 2)
	r.Add(d, 0)
	counts := r.Take()
	assert.Equal(t, map[Discard]int64{d: 2}, counts)
	assert.Empty(t, r.Take(), "reset")
	r.Add(d, 1)
	r.Restore(counts)
	assert.Equal(t, map[Discard]int64{d: 3}, r.Take())
}
