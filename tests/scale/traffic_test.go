// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/testkit/schema"
	"github.com/otelcol-dify/otelcol-dify/testkit/traffic"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/recordings"
)

const (
	exchangeEvery  = 100 * time.Millisecond // in each Dify
	exportInterval = 500 * time.Millisecond // of each process
	exportTimeout  = 10 * time.Second
)

// emitted is what must arrive at the destinations.
type emitted struct {
	traffic.Expected
	spans map[string]bool        // by id, whether dify_filter may drop it
	roots map[string]bool        // those without a parent that it must not drop
	runs  map[string]*runOutcome // by id
	// handled are those of the exceptions that only calls below nodes have. They are no errors, unless the message with
	// the call is consumed after those with the node and the root: Kafka's exporter makes a message of each scope.
	handled int
}

type runOutcome struct {
	status           string
	withoutException bool // failed without an exception on any span
}

// load simulates several Difys, each with several processes that export separately.
type load struct {
	stop    context.CancelFunc
	working sync.WaitGroup

	mu      sync.Mutex // guards the fields below
	emitted emitted
	errs    []error
}

// startLoad lets Difys write to their database and export to an address until finish.
func startLoad(t *testing.T, r *rig, seed uint64, difys int) *load {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	l := &load{
		stop: stop, emitted: emitted{spans: map[string]bool{}, roots: map[string]bool{}, runs: map[string]*runOutcome{}},
	}
	rows := schema.NewWriter(r.dify.Pool)
	for i := range difys {
		g := traffic.New(seed + uint64(i))
		require.NoError(t, g.World.Write(t.Context(), rows))
		l.working.Go(func() { l.play(ctx, t.Context(), g, rows, "http://"+r.balancer.Address) })
	}
	t.Cleanup(func() { stop(); l.working.Wait() })
	return l
}

// finish waits until everything that has started has ended, and returns what was emitted and acknowledged.
func (l *load) finish(t *testing.T) emitted {
	t.Helper()
	l.stop()
	l.working.Wait()
	require.Empty(t, l.errs)
	return l.emitted
}

// play runs exchanges until working is done. Their telemetry is retried until it is exported.
func (l *load) play(working, ctx context.Context, g *traffic.Generator, rows *schema.Writer, url string) {
	sdks := map[*traffic.Process]*sdk{}
	ended := make(chan struct{})
	var exporting sync.WaitGroup
	for _, process := range g.World.Processes() {
		s := &sdk{process: process, url: url, client: newClient(), spans: ptrace.NewTraces()}
		sdks[process] = s
		exporting.Go(func() { l.fail(s.run(ctx, ended)) })
	}
	tick := time.NewTicker(exchangeEvery)
	defer tick.Stop()
	var happening sync.WaitGroup
	for working.Err() == nil {
		x := g.Next(time.Now())
		happening.Go(func() { l.fail(l.happen(ctx, x, rows, sdks)) })
		select {
		case <-tick.C:
		case <-working.Done():
		}
	}
	happening.Wait()
	close(ended)
	exporting.Wait()
}

func (l *load) happen(
	ctx context.Context, x *traffic.Exchange, rows *schema.Writer, sdks map[*traffic.Process]*sdk,
) error {
	if x.Run != nil {
		if err := x.Run.WriteStart(ctx, rows); err != nil {
			return err
		}
	}
	select {
	case <-time.After(time.Until(x.End)):
	case <-ctx.Done():
		return ctx.Err()
	}
	if x.Run != nil {
		if err := x.Run.WriteEnd(ctx, rows); err != nil {
			return err
		}
	}
	l.note(x)
	x.Measure()
	for _, b := range x.Spans {
		sdks[b.Process].add(b.Traces)
	}
	return nil
}

func (l *load) note(x *traffic.Exchange) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.emitted.Add(x.Expected)
	var batches []ptrace.Traces
	for _, b := range x.Spans {
		l.emitted.note(b.Traces)
		batches = append(batches, b.Traces)
	}
	handled := handledCalls(batches) // not among the expected exceptions of simulated traffic
	l.emitted.handled += handled
	l.emitted.Exceptions += handled
	if x.Run != nil {
		l.emitted.runs[x.Run.Run.ID] = &runOutcome{
			status: x.Run.Outcome.Status, withoutException: x.Expected.WithoutException > 0,
		}
	}
}

// note adds spans.
func (e *emitted) note(spans ptrace.Traces) {
	recordings.EachSpan(spans, func(scope string, span ptrace.Span) {
		id, noise := spanID(span.TraceID().String(), span.SpanID().String()), isNoise(scope, span)
		e.spans[id] = noise
		if span.ParentSpanID().IsEmpty() && !noise {
			e.roots[id] = true
		}
	})
}

// spanID is also the id of a span's document.
func spanID(trace, span string) string { return trace + "-" + span }

// isNoise reports what a rule of dify_filter drops: health checks, a worker's polling of its broker, and an old
// Dify's spans for Langfuse's failures.
func isNoise(scope string, span ptrace.Span) bool {
	if route, ok := span.Attributes().Get("http.route"); ok && route.Str() == "/health" {
		return true
	}
	if database, ok := span.Attributes().Get("db.redis.database_index"); ok && database.Int() == 1 {
		return strings.HasSuffix(scope, ".redis") && span.ParentSpanID().IsEmpty()
	}
	return span.Name() == "log.exception"
}

func (l *load) fail(err error) {
	if err == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errs = append(l.errs, err)
}

// requests is a measure of what was emitted so far.
func (l *load) requests() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.emitted.Requests
}

// newClient opens a connection for each request, so that a gateway that was away gets requests again.
func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
}

// sdk simulates the OpenTelemetry SDK of one process: it exports spans and metrics with OTLP over HTTP.
type sdk struct {
	process *traffic.Process
	url     string
	client  *http.Client

	mu    sync.Mutex // guards spans
	spans ptrace.Traces
}

func (s *sdk) add(spans ptrace.Traces) {
	s.mu.Lock()
	defer s.mu.Unlock()
	traffic.Merge(s.spans, spans)
}

// run exports once per interval until done, and then once more.
func (s *sdk) run(ctx context.Context, done <-chan struct{}) error {
	tick := time.NewTicker(exportInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := s.export(ctx); err != nil {
				return err
			}
		case <-done:
			return s.export(ctx)
		}
	}
}

func (s *sdk) export(ctx context.Context) error {
	s.mu.Lock()
	spans := s.spans
	s.spans = ptrace.NewTraces()
	s.mu.Unlock()
	if spans.SpanCount() > 0 {
		body, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(spans)
		if err != nil {
			return err
		}
		if err := send(ctx, s.client, s.url+"/v1/traces", body); err != nil {
			return err
		}
	}
	metrics, measured := s.process.Meter.Snapshot(time.Now())
	if !measured {
		return nil
	}
	body, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(metrics)
	if err != nil {
		return err
	}
	return send(ctx, s.client, s.url+"/v1/metrics", body)
}

// send sends a request to a gateway, and retries as OTLP specifies.
func send(ctx context.Context, client *http.Client, url string, body []byte) error {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		status, err := post(ctx, client, url, body)
		switch {
		case err == nil && status == http.StatusOK:
			return nil
		case err == nil && status != http.StatusTooManyRequests && status != http.StatusBadGateway &&
			status != http.StatusServiceUnavailable && status != http.StatusGatewayTimeout:
			return fmt.Errorf("POST %s: HTTP %d", url, status)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return fmt.Errorf("POST %s: HTTP %d, %w", url, status, err)
		}
	}
}

func post(ctx context.Context, client *http.Client, url string, body []byte) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, exportTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// recording is what a real Dify emitted in five minutes, moved to the present.
type recording struct {
	emitted
	requests [][]byte
}

func readRecording(t *testing.T) *recording {
	t.Helper()
	rec := &recording{emitted: emitted{spans: map[string]bool{}, roots: map[string]bool{}}}
	exceptions := map[string]bool{}
	all := recordings.TracesNow(t)
	rec.handled = handledCalls(all)
	for _, spans := range all {
		rec.note(spans)
		recordings.EachSpan(spans, func(_ string, span ptrace.Span) {
			for _, event := range span.Events().All() {
				if failure := reportable(event); failure != "" {
					exceptions[span.TraceID().String()+failure] = true
				}
			}
		})
		body, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(spans)
		require.NoError(t, err)
		rec.requests = append(rec.requests, body)
	}
	rec.Exceptions = len(exceptions)
	for _, noise := range rec.spans {
		if !noise {
			rec.Spans++
		}
	}
	return rec
}

// handledCalls counts the distinct exceptions that only client spans below the node of a workflow have.
func handledCalls(batches []ptrace.Traces) int {
	spans := map[string]ptrace.Span{}
	for _, td := range batches {
		recordings.EachSpan(td, func(_ string, span ptrace.Span) {
			spans[spanID(span.TraceID().String(), span.SpanID().String())] = span
		})
	}
	belowNode := func(span ptrace.Span) bool {
		for found := true; found; span, found = spans[spanID(span.TraceID().String(), span.ParentSpanID().String())] {
			if _, node := span.Attributes().Get("node.type"); node {
				return true
			}
		}
		return false
	}
	handled := map[string]bool{}
	for _, span := range spans {
		for _, event := range span.Events().All() {
			if failure := reportable(event); failure != "" {
				key := span.TraceID().String() + failure
				only, known := handled[key]
				handled[key] = (only || !known) && span.Kind() == ptrace.SpanKindClient && belowNode(span)
			}
		}
	}
	count := 0
	for _, only := range handled {
		if only {
			count++
		}
	}
	return count
}

// reportable returns the type and message of an exception that Sentry must receive, or an empty string. Of the
// recorded exceptions, Dify's own Sentry setup ignores ValueError, and redis-py's NoScriptError is a normal part of
// loading a script.
func reportable(event ptrace.SpanEvent) string {
	if event.Name() != "exception" {
		return ""
	}
	class, _ := event.Attributes().Get("exception.type")
	switch class.Str() {
	case "ValueError", "pydantic_core._pydantic_core.ValidationError", "redis.exceptions.NoScriptError":
		return ""
	}
	message, _ := event.Attributes().Get("exception.message")
	return class.Str() + ": " + message.Str()
}

// send sends it in addition to the load.
func (l *load) send(ctx context.Context, r *rig, rec *recording) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.Copy(l.emitted.spans, rec.spans)
	maps.Copy(l.emitted.roots, rec.roots)
	l.emitted.Add(rec.Expected)
	l.emitted.handled += rec.handled
	l.working.Go(func() {
		client := newClient()
		for _, body := range rec.requests {
			if err := send(ctx, client, "http://"+r.balancer.Address+"/v1/traces", body); err != nil {
				l.fail(err)
				return
			}
		}
	})
}
