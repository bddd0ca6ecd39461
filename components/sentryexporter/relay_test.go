// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const testKey = "0123456789abcdef0123456789abcdef"

// relay is a server that rejects what Sentry's Relay rejects or silently drops, and records what it accepted.
type relay struct {
	*httptest.Server
	// respond may decide before an envelope is checked: it returns a status, 0 to go on, or a negative number if it
	// responded.
	respond func(w http.ResponseWriter, e *envelope) int
	// anyTime is for a clock that is not today's.
	anyTime bool

	mu        sync.Mutex
	envelopes []*envelope
	faults    []string
	requests  int
}

type envelope struct {
	body   []byte // all of it, decompressed
	header map[string]any
	items  []envelopeItem
}

type envelopeItem struct {
	header  map[string]any
	payload []byte
}

func newRelay(t *testing.T) *relay {
	t.Helper()
	r := &relay{}
	r.Server = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(func() { r.finish(t) })
	return r
}

// newRelayOn listens where nobody did before.
func newRelayOn(t *testing.T, address string) *relay {
	t.Helper()
	r := &relay{}
	listener, err := net.Listen("tcp", address)
	require.NoError(t, err)
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(r.serve))
	require.NoError(t, r.Listener.Close())
	r.Listener = listener
	r.Start()
	t.Cleanup(func() { r.finish(t) })
	return r
}

// finish ends the server and has everything that it accepted validated by Sentry's own means.
func (r *relay) finish(t *testing.T) {
	t.Helper()
	r.Close()
	requireApproval(t, r.envelopes)
}

// dsn of a project of the server.
func (r *relay) dsn(project int) string {
	return fmt.Sprintf("http://%s@%s/%d", testKey, strings.TrimPrefix(r.URL, "http://"), project)
}

func (r *relay) serve(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests++
	env, status, err := decodeRequest(req)
	if err == nil && r.respond != nil {
		if s := r.respond(w, env); s != 0 {
			if s == http.StatusTooManyRequests {
				r.acceptReport(env)
			}
			if s > 0 {
				w.WriteHeader(s)
			}
			return
		}
	}
	if err == nil {
		status, err = env.check(r.anyTime)
	}
	if err != nil {
		r.faults = append(r.faults, err.Error())
		w.WriteHeader(status)
		return
	}
	env.header["project"] = strings.Split(req.URL.Path, "/")[2]
	r.envelopes = append(r.envelopes, env)
	_, _ = io.WriteString(w, `{}`)
}

// acceptReport accepts the client report of an envelope that is rejected with 429, as Relay does with everything that
// no limit names.
func (r *relay) acceptReport(e *envelope) {
	for _, i := range e.items {
		if i.header["type"] == "client_report" {
			r.envelopes = append(r.envelopes, &envelope{body: e.body, header: e.header, items: []envelopeItem{i}})
		}
	}
}

var authHeader = regexp.MustCompile(
	`^Sentry sentry_version=7, sentry_client=[a-z.-]+/(?:[0-9.]+|latest), sentry_key=` + testKey + `$`,
)

func decodeRequest(req *http.Request) (*envelope, int, error) {
	if req.Method != http.MethodPost || !regexp.MustCompile(`^/api/\d+/envelope/$`).MatchString(req.URL.Path) {
		return nil, http.StatusNotFound, fmt.Errorf("no such endpoint: %s %s", req.Method, req.URL.Path)
	}
	if !authHeader.MatchString(req.Header.Get("X-Sentry-Auth")) {
		return nil, http.StatusUnauthorized, errors.New("bad auth")
	}
	if client := "sentry_client=" + req.Header.Get("User-Agent") + ","; !strings.Contains(
		req.Header.Get("X-Sentry-Auth"),
		client,
	) {
		return nil, http.StatusBadRequest, errors.New("the user agent is not the client")
	}
	if ct := req.Header.Get("Content-Type"); ct != "application/x-sentry-envelope" {
		return nil, http.StatusBadRequest, fmt.Errorf("content type %q", ct)
	}
	if enc := req.Header.Get("Content-Encoding"); enc != "gzip" {
		return nil, http.StatusBadRequest, fmt.Errorf("content encoding %q", enc)
	}
	unzipped, err := gzip.NewReader(req.Body)
	if err != nil {
		return nil, http.StatusBadRequest, err
	}
	body, err := io.ReadAll(unzipped)
	if err != nil {
		return nil, http.StatusBadRequest, err
	}
	env, err := parseEnvelope(body)
	return env, http.StatusBadRequest, err
}

// parseEnvelope is as strict as the format allows: each item has a length, and a line break or the end follows it.
func parseEnvelope(body []byte) (*envelope, error) {
	in := bufio.NewReader(bytes.NewReader(body))
	env := &envelope{body: body}
	line, err := in.ReadBytes('\n')
	if err != nil || bytes.Contains(line, []byte("\r")) {
		return nil, errors.New("envelope header is no line")
	}
	if err := json.Unmarshal(line, &env.header); err != nil {
		return nil, fmt.Errorf("envelope header: %w", err)
	}
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return env, nil
		}
		if err != nil {
			return nil, errors.New("item header is no line")
		}
		item := envelopeItem{}
		if err := json.Unmarshal(line, &item.header); err != nil {
			return nil, fmt.Errorf("item header: %w", err)
		}
		length, ok := item.header["length"].(float64)
		if !ok {
			return nil, errors.New("item without length")
		}
		item.payload = make([]byte, int(length))
		if _, err := io.ReadFull(in, item.payload); err != nil {
			return nil, errors.New("item is shorter than its length")
		}
		if next, err := in.ReadByte(); err == nil && next != '\n' {
			return nil, errors.New("item is longer than its length")
		}
		env.items = append(env.items, item)
	}
}

var hex32 = regexp.MustCompile(`^[0-9a-f]{32}$`)

// check rejects what Relay rejects with a status, and what it drops after a 200.
func (e *envelope) check(anyTime bool) (int, error) {
	sentAt, err := time.Parse(time.RFC3339Nano, fmt.Sprint(e.header["sent_at"]))
	if err != nil || !anyTime && time.Since(sentAt).Abs() > 55*time.Minute {
		return http.StatusBadRequest, fmt.Errorf("sent_at %v would move all times", e.header["sent_at"])
	}
	if e.header["dsn"] != nil || e.header["trace"] != nil {
		return http.StatusBadRequest, errors.New("a header that is secret or belongs to one trace")
	}
	if len(e.items) == 0 || len(e.items) > 500 {
		return http.StatusBadRequest, errors.New("wrong number of items")
	}
	singles, logs := 0, 0
	for _, item := range e.items {
		switch item.header["type"] {
		case "event", "transaction":
			singles++
			if len(item.payload) > 1<<20 {
				return http.StatusRequestEntityTooLarge, errors.New("event larger than 1 MiB")
			}
			err = item.checkEvent(e.header["event_id"], sentAt)
		case "log":
			logs++
			err = item.checkLogs()
		case "client_report":
			err = item.checkReport()
		default:
			err = fmt.Errorf("unknown item type %v", item.header["type"])
		}
		if err != nil {
			return http.StatusBadRequest, err
		}
	}
	if singles > 1 || logs > 1 {
		return http.StatusRequestEntityTooLarge, errors.New("more than one event or transaction, or than one item of logs")
	}
	return 0, nil
}

// What client reports may say: the rest is not counted.
var (
	reportReasons = []string{
		"queue_overflow", "buffer_overflow", "cache_overflow", "ratelimit_backoff", "network_error", "send_error",
		"sample_rate",
		"event_processor", "before_send", "ignored", "internal_sdk_error", "invalid", "insufficient_data", "backpressure",
	}
	reportCategories = []string{"error", "transaction", "span", "log_item", "log_byte"}
)

func (i envelopeItem) checkReport() error {
	var report struct {
		Timestamp time.Time
		Discarded []struct {
			Reason, Category string
			Quantity         uint
		} `json:"discarded_events"`
	}
	if err := json.Unmarshal(i.payload, &report); err != nil {
		return fmt.Errorf("client report: %w", err)
	}
	if len(i.payload) > 4<<10 || report.Timestamp.IsZero() || len(report.Discarded) == 0 {
		return errors.New("client report without content, or too large")
	}
	for _, d := range report.Discarded {
		if !slices.Contains(reportReasons, d.Reason) || !slices.Contains(reportCategories, d.Category) || d.Quantity == 0 {
			return fmt.Errorf("client report of %d %s %s", d.Quantity, d.Reason, d.Category)
		}
	}
	return nil
}

func (i envelopeItem) checkEvent(id any, now time.Time) error {
	var ev struct {
		EventID string `json:"event_id"`
		Type    string
		Start   time.Time `json:"start_timestamp"`
		End     time.Time `json:"timestamp"`
		Spans   []struct {
			TraceID string    `json:"trace_id"`
			SpanID  string    `json:"span_id"`
			Start   time.Time `json:"start_timestamp"`
			End     time.Time `json:"timestamp"`
		}
		Contexts struct {
			Trace struct {
				TraceID string `json:"trace_id"`
				SpanID  string `json:"span_id"`
			}
		}
	}
	if err := json.Unmarshal(i.payload, &ev); err != nil {
		return err
	}
	if !hex32.MatchString(ev.EventID) || ev.EventID != id {
		return fmt.Errorf("event id %q in an envelope of %v", ev.EventID, id)
	}
	if ev.Type != "transaction" {
		return nil
	}
	if !hex32.MatchString(ev.Contexts.Trace.TraceID) || len(ev.Contexts.Trace.SpanID) != 16 || ev.Start.IsZero() ||
		ev.End.Before(ev.Start) {
		return errors.New("invalid transaction")
	}
	if ev.End.Before(now.Add(-5*24*time.Hour)) || ev.End.After(now.Add(time.Minute)) {
		return fmt.Errorf("transaction of %s sent at %s", ev.End, now)
	}
	for _, s := range ev.Spans {
		if !hex32.MatchString(s.TraceID) || len(s.SpanID) != 16 || s.SpanID == "0000000000000000" || s.End.Before(s.Start) {
			return errors.New("invalid span")
		}
	}
	var raw struct{ Spans json.RawMessage }
	if err := json.Unmarshal(i.payload, &raw); err != nil {
		return err
	}
	if len(ev.Spans) > 1000 || len(raw.Spans) > 819_200 {
		return fmt.Errorf("%d spans of %d bytes", len(ev.Spans), len(raw.Spans))
	}
	return nil
}

func (i envelopeItem) checkLogs() error {
	var logs struct {
		Items []struct {
			TraceID    string `json:"trace_id"`
			Timestamp  float64
			Level      string
			Body       *string
			Attributes map[string]struct {
				Type  string
				Value any
			}
		}
	}
	if err := json.Unmarshal(i.payload, &logs); err != nil {
		return err
	}
	if i.header["content_type"] != "application/vnd.sentry.items.log+json" ||
		i.header["item_count"] != float64(len(logs.Items)) ||
		len(logs.Items) == 0 {
		return fmt.Errorf("log item header %v with %d logs", i.header, len(logs.Items))
	}
	if len(i.payload) > 1<<20+1<<16 || len(logs.Items) > 100 {
		return fmt.Errorf("%d logs of %d bytes in one item", len(logs.Items), len(i.payload))
	}
	for _, l := range logs.Items {
		if !hex32.MatchString(l.TraceID) || l.Timestamp == 0 || l.Body == nil ||
			!slices.Contains([]string{"trace", "debug", "info", "warn", "error", "fatal"}, l.Level) {
			return errors.New("invalid log")
		}
		for key, a := range l.Attributes {
			if a.Type == "" || a.Value == nil {
				return fmt.Errorf("invalid log attribute %s", key)
			}
		}
	}
	return nil
}

// payloads returns the payloads of a type that were accepted, in order, decoded.
func (r *relay) payloads(t *testing.T, typ string) []map[string]any {
	t.Helper()
	var out []map[string]any
	for _, p := range r.raw(typ) {
		m := map[string]any{}
		require.NoError(t, json.Unmarshal(p, &m))
		out = append(out, m)
	}
	return out
}

func (r *relay) raw(typ string) [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out [][]byte
	for _, e := range r.envelopes {
		for _, i := range e.items {
			if i.header["type"] == typ {
				out = append(out, i.payload)
			}
		}
	}
	return out
}

// discards are the quantities of all client reports, by reason and category.
func (r *relay) discards(t *testing.T) map[string]float64 {
	t.Helper()
	out := map[string]float64{}
	for _, p := range r.payloads(t, "client_report") {
		for _, e := range p["discarded_events"].([]any) {
			e := e.(map[string]any)
			out[fmt.Sprint(e["reason"], " ", e["category"])] += e["quantity"].(float64)
		}
	}
	return out
}

func (r *relay) requireNoFaults(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	assert.Empty(t, r.faults)
}

// requireAccepted waits until the server accepted n items of a type.
func (r *relay) requireAccepted(t *testing.T, typ string, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return len(r.raw(typ)) >= n }, time.Minute, 5*time.Millisecond,
		"%d items of type %s, faults %v", n, typ, r.faults)
	require.Len(t, r.raw(typ), n)
}
