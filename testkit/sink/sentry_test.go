// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/getsentry/sentry-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	testID  = "0123456789abcdef0123456789abcdef"
	goodKey = "Sentry sentry_version=7, sentry_client=test/1, sentry_key=" + SentryKey
	event   = `{"event_id":"` + testID + `","timestamp":1795426486.5,"level":"error","exception":{"values":[{"type":"KeyError","value":"'x'"},{"type":"RuntimeError","value":"no x"}]}}`
	txn     = `{"type":"transaction","transaction":"GET /v1/info","start_timestamp":1795426486,"timestamp":1795426487,
"contexts":{"trace":{"trace_id":"` + testID + `","span_id":"0123456789abcdef"}},
"spans":[{"trace_id":"` + testID + `","span_id":"1123456789abcdef","start_timestamp":1795426486,"timestamp":1795426486.1}]}`
	logs = `{"items":[{"timestamp":1795426486.5,"trace_id":"` + testID + `","level":"warn","body":"a"},{"timestamp":1,"trace_id":"` + testID + `","level":"error","body":"b"}]}`
)

func item(kind, payload string, extra ...string) string {
	return fmt.Sprintf("{\"type\":%q,\"length\":%d%s}\n%s\n", kind, len(payload), strings.Join(extra, ""), payload)
}

func logItem(payload string, count int) string {
	return item(
		"log",
		payload,
		fmt.Sprintf(`,"content_type":"application/vnd.sentry.items.log+json","item_count":%d`, count),
	)
}

func send(s *Sentry, auth, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/api/1/envelope/", strings.NewReader(body))
	if auth != "" {
		r.Header.Set("X-Sentry-Auth", auth)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

const withID = `{"event_id":"` + testID + `","sent_at":"2026-11-23T10:00:00.5Z"}` + "\n"

func TestSentryKeepsWhatRelayTakes(t *testing.T) {
	s := NewSentry()
	w := send(s, goodKey, withID+item("event", event))
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	assert.JSONEq(t, `{"id":"`+testID+`"}`, w.Body.String())
	require.Equal(t, http.StatusOK, send(s, goodKey, withID+item("event", event)).Code, "the same id again")

	other := strings.Replace(withID, "0123", "ffff", 1)
	require.Equal(t, http.StatusOK, send(s, goodKey, other+item("transaction", txn)).Code)
	require.Equal(t, http.StatusOK, send(s, goodKey, "{}\n"+logItem(logs, 2)).Code)
	report := `{"timestamp":1,"discarded_events":[{"reason":"sample_rate","category":"span","quantity":5}]}`
	require.Equal(t, http.StatusOK, send(s, goodKey, "{}\n"+item("client_report", report)).Code)

	assert.Empty(t, s.Problems())
	assert.Equal(t, SentryCounts{
		Envelopes: 5, Events: 1, Transactions: 1, Spans: 1, Repeated: 1, Logs: 2, Reports: 1,
	}, s.Counts())
	assert.Equal(t, map[Discard]int{{"sample_rate", "span"}: 5}, s.Discarded())
	require.Len(t, s.Events(), 1)
	ev := s.Events()[0]
	assert.Equal(t, "RuntimeError: no x", ev.Title())
	assert.Equal(t, 2, ev.Received)
	assert.Equal(t, []SentryException{{"KeyError", "'x'"}, {"RuntimeError", "no x"}}, ev.Exceptions())
	assert.Equal(t, "GET /v1/info", s.Transactions()[0].Title())
}

func TestSentryRefusesWhatRelayRefuses(t *testing.T) {
	long := `{"event_id":"` + testID + `","message":"` + strings.Repeat("x", maxEventSize) + `"}`
	for name, tc := range map[string]struct {
		auth, body, reason string
		status             int
	}{
		"no auth":              {"", withID + item("event", event), "missing authorization", 401},
		"other scheme":         {"Bearer x", withID + item("event", event), "does not begin with Sentry", 401},
		"unknown auth field":   {goodKey + ", foo=1", withID + item("event", event), "malformed field", 401},
		"old protocol":         {"Sentry sentry_version=6, sentry_key=" + SentryKey, "{}\n", "sentry_version", 400},
		"short key":            {"Sentry sentry_version=7, sentry_key=abc", "{}\n", "public key", 400},
		"empty":                {goodKey, "", "empty request body", 400},
		"no items":             {goodKey, withID, "no item", 400},
		"header not JSON":      {goodKey, "x\n", "bad envelope header", 400},
		"item header not JSON": {goodKey, withID + "x\n{}\n", "bad item header", 400},
		"no length":            {goodKey, withID + "{\"type\":\"event\"}\n{}\n", "without a length", 400},
		"length too great":     {goodKey, withID + "{\"type\":\"event\",\"length\":99}\n{}\n", "only 3 bytes follow", 400},
		"length too small":     {goodKey, withID + "{\"type\":\"event\",\"length\":1}\n{}\n", "no newline after", 400},
		"no payload":           {goodKey, withID + `{"type":"event","length":0}`, "no newline after the item's header", 400},
		"no event id":          {goodKey, "{}\n" + item("event", event), "without event_id", 400},
		"id with dashes":       {goodKey, `{"event_id":"01234567-89ab-cdef-0123-456789abcdef"}` + "\n" + item("event", event), "32 lower-case", 400},
		"sent_at in seconds":   {goodKey, `{"sent_at":"1795426486"}` + "\n" + logItem(logs, 2), "sent_at", 400},
		"two events":           {goodKey, withID + item("event", event) + item("event", event), "2 events", 413},
		"event, transaction":   {goodKey, withID + item("event", event) + item("transaction", txn), "2 events", 413},
		"two log items":        {goodKey, "{}\n" + logItem(logs, 2) + logItem(logs, 2), "2 log items", 413},
		"event over 1 MiB":     {goodKey, withID + item("event", long), "event of", 413},
		"event not an object":  {goodKey, withID + item("event", "[]"), "not a JSON object", 400},
		"501 items":            {goodKey, "{}\n" + strings.Repeat(item("client_report", "{}"), 501), "501 items", 400},
		"log without count":    {goodKey, "{}\n" + item("log", logs, `,"content_type":"application/vnd.sentry.items.log+json"`), "item_count", 400},
		"log content type":     {goodKey, "{}\n" + item("log", logs, `,"item_count":2`), "content_type", 400},
		"internal item":        {goodKey, "{}\n" + item("integration", "{}"), "unknown item type", 400},
	} {
		t.Run(name, func(t *testing.T) {
			s := NewSentry()
			w := send(s, tc.auth, tc.body)
			assert.Equal(t, tc.status, w.Code)
			assert.Contains(t, w.Body.String(), tc.reason)
			assert.Equal(t, SentryCounts{Refused: 1}, s.Counts())
			assert.Len(t, s.Problems(), 1)
		})
	}
}

func TestSentryAuthTwice(t *testing.T) {
	r := httptest.NewRequest(
		http.MethodPost, "/api/1/envelope/?sentry_version=7&sentry_key="+SentryKey,
		strings.NewReader(withID+item("event", event)),
	)
	w := httptest.NewRecorder()
	NewSentry().ServeHTTP(w, r)
	assert.Equal(t, http.StatusOK, w.Code, "the query alone is enough")

	r.Header.Set("X-Sentry-Auth", goodKey)
	w = httptest.NewRecorder()
	NewSentry().ServeHTTP(w, r)
	assert.Equal(t, http.StatusUnauthorized, w.Code)
}

func TestSentryNotesWhatRelayDropsLater(t *testing.T) {
	change := func(in string, oldNew ...string) string {
		out := strings.NewReplacer(oldNew...).Replace(in)
		require.NotEqual(t, in, out)
		return out
	}
	for name, items := range map[string]string{
		"level":                  item("event", change(event, `"error"`, `"warn"`)),
		"other event id":         item("event", change(event, "0123", "ffff")),
		"timestamp as text":      item("event", change(event, "1795426486.5", `"1795426486.5"`)),
		"timestamp in ms":        item("event", change(event, "1795426486.5", `1795426486500`)),
		"no subject":             item("event", `{"timestamp":1}`),
		"empty exception":        item("event", change(event, `"KeyError"`, `""`, `"'x'"`, `""`)),
		"release with a slash":   item("event", change(event, `"level"`, `"release":"a/b","level"`)),
		"environment none":       item("event", change(event, `"level"`, `"environment":"None","level"`)),
		"tag key":                item("event", change(event, `"level"`, `"tags":{"a/b":"x"},"level"`)),
		"tag with newline":       item("event", change(event, `"level"`, `"tags":{"a":"x\ny"},"level"`)),
		"trace id":               item("event", change(event, `"level"`, `"contexts":{"trace":{"trace_id":"00000000000000000000000000000000","span_id":"0123456789abcdef"}},"level"`)),
		"transaction backwards":  item("transaction", change(txn, "1795426487", "1795426485")),
		"span backwards":         item("transaction", change(txn, "1795426486.1", "1795426485")),
		"span id":                item("transaction", change(txn, "1123456789abcdef", "")),
		"transaction, no trace":  item("transaction", change(txn, `"trace":`, `"other":`)),
		"log count":              logItem(logs, 3),
		"log level":              logItem(change(logs, `"warn"`, `"warning"`), 2),
		"log without trace":      logItem(change(logs, `"trace_id"`, `"x"`), 2),
		"log with text as time":  logItem(change(logs, "1795426486.5", `"now"`), 2),
		"client report not list": item("client_report", `{"discarded_events":{}}`),
	} {
		t.Run(name, func(t *testing.T) {
			s := NewSentry()
			w := send(s, goodKey, withID+items)
			assert.Equal(t, http.StatusOK, w.Code, w.Body.String())
			assert.NotZero(t, s.Counts().Invalid)
			assert.NotEmpty(t, s.Problems())
		})
	}
}

// TestSentryTakesTheGoSDK checks that the test double accepts the envelopes of a real client.
func TestSentryTakesTheGoSDK(t *testing.T) {
	s := NewSentry()
	srv, err := Listen(t.Context(), "127.0.0.1:0", s)
	require.NoError(t, err)
	transport := sentry.NewHTTPSyncTransport()
	client, err := sentry.NewClient(sentry.ClientOptions{Dsn: SentryDSN(srv.URL()), Transport: transport})
	require.NoError(t, err)
	client.CaptureException(fmt.Errorf("outer: %w", assert.AnError), nil, nil)
	client.Close()
	require.NoError(t, srv.Close(t.Context()))

	assert.Empty(t, s.Problems())
	require.Equal(t, 1, s.Counts().Events)
	assert.Contains(t, s.Events()[0].Title(), "outer: ")
}

func TestSentryPages(t *testing.T) {
	s := NewSentry()
	require.Equal(t, http.StatusOK, send(s, goodKey, withID+item("event", event)).Code)
	for path, want := range map[string]string{
		"/":                 "RuntimeError: no x",
		"/events":           `"title":"RuntimeError: no x"`,
		"/events/" + testID: `"type":"KeyError"`,
	} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, http.NoBody))
		assert.Equal(t, http.StatusOK, w.Code)
		assert.Contains(t, w.Body.String(), want)
	}
}
