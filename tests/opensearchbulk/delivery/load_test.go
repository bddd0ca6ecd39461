// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/testkit/schema"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

const (
	eventRun   = "dify.workflow.run"
	eventStuck = "dify.workflow.stuck"
	eventSpan  = "span"

	spansPerRequest = 100
	dayLayout       = "2006.01.02"
)

// expected is what a document must contain. Its key is the event and its own id.
type expected struct {
	index  string
	tenant string
	at     time.Time
}

// load writes workflow runs into Dify's tables and sends spans over OTLP, and remembers the expected documents.
type load struct {
	db      *pgxpool.Pool
	otlp    string
	tenants []workspace

	perTenant bool   // each tenant has its own indices
	spanIndex string // the beginning of its names

	mu       sync.Mutex
	random   *rand.Rand          // guarded by mu, like all fields below
	spans    uint64              // generated so far
	expected map[string]expected // by event/id
}

type workspace struct{ tenant, app string }

func newLoad(t *testing.T, db *pgxpool.Pool, random *rand.Rand, tenants int, spanIndex string) *load {
	t.Helper()
	l := &load{db: db, random: random, spanIndex: spanIndex, expected: map[string]expected{}}
	writer := schema.NewWriter(db)
	for i := range tenants {
		w := workspace{tenant: uuid.NewString(), app: uuid.NewString()}
		require.NoError(
			t, writer.CreateTenant(t.Context(), schema.Tenant{ID: w.tenant, Name: fmt.Sprintf("Workspace %d", i)}),
		)
		require.NoError(
			t, writer.CreateApp(t.Context(), schema.App{ID: w.app, TenantID: w.tenant, Name: "Translate", Mode: "workflow"}),
		)
		l.tenants = append(l.tenants, w)
	}
	return l
}

func (l *load) pick() workspace {
	return l.tenants[l.random.IntN(len(l.tenants))]
}

// expect is called with mu held.
func (l *load) expect(event, id, indexPrefix string, w workspace, at time.Time) {
	if l.perTenant {
		indexPrefix += w.tenant + "-"
	}
	l.expected[event+"/"+id] = expected{index: indexPrefix + at.UTC().Format(dayLayout), tenant: w.tenant, at: at.UTC()}
}

func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.expected)
}

// runs writes n runs that ended just now, or up to three days ago, in one transaction.
func (l *load) runs(ctx context.Context, n int, past bool) error {
	l.mu.Lock()
	rows := make([][]any, n)
	for i := range rows {
		at := time.Now().UTC().Truncate(time.Microsecond)
		if past {
			at = at.Add(-time.Duration(l.random.Int64N(int64(72 * time.Hour)))).Truncate(time.Microsecond)
		}
		w, id := l.pick(), uuid.New()
		rows[i] = runRow(id, w, "succeeded", at, at)
		l.expect(eventRun, id.String(), "workflow-logs-", w, at)
	}
	l.mu.Unlock()
	return l.insert(ctx, rows)
}

// stuck writes n runs that started long ago and have not ended.
func (l *load) stuck(ctx context.Context, n int) error {
	l.mu.Lock()
	rows := make([][]any, n)
	for i := range rows {
		w, id := l.pick(), uuid.New()
		began := time.Now().UTC().Add(-30 * time.Hour).Truncate(time.Microsecond)
		rows[i] = runRow(id, w, "running", began, time.Time{})
		l.expect(eventStuck, id.String(), "workflow-logs-", w, began)
	}
	l.mu.Unlock()
	return l.insert(ctx, rows)
}

var runColumns = []string{
	"id", "tenant_id", "app_id", "workflow_id", "type", "triggered_from", "version", "status", "elapsed_time",
	"created_by_role",
	"created_by", "created_at", "finished_at",
}

func runRow(id uuid.UUID, w workspace, state string, began, ended time.Time) []any {
	var finished any
	if !ended.IsZero() {
		finished = ended
	}
	return []any{
		id, uuid.MustParse(w.tenant), uuid.MustParse(w.app), uuid.New(), "workflow", "app-run", "1", state, 0.5, "end_user",
		uuid.New(), began, finished,
	}
}

func (l *load) insert(ctx context.Context, rows [][]any) error {
	_, err := l.db.CopyFrom(ctx, pgx.Identifier{"workflow_runs"}, runColumns, pgx.CopyFromRows(rows))
	return err
}

// request returns an OTLP request of n spans of many tenants, which started up to three days ago. change may modify
// each span.
func (l *load) request(n int, change func(ptrace.Span)) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	traces := ptrace.NewTraces()
	resource := traces.ResourceSpans().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.name", "shop")
	spans := resource.ScopeSpans().AppendEmpty().Spans()
	for range n {
		l.span(spans.AppendEmpty(), change)
	}
	return (&ptrace.ProtoMarshaler{}).MarshalTraces(traces)
}

func (l *load) span(span ptrace.Span, change func(ptrace.Span)) {
	l.spans++
	id := sha256.Sum256(binary.BigEndian.AppendUint64(nil, l.spans))
	w := l.pick()
	at := time.Now().Add(-time.Duration(l.random.Int64N(int64(72 * time.Hour))))
	span.SetTraceID(pcommon.TraceID(id[:16]))
	span.SetSpanID(pcommon.SpanID(id[16:24]))
	span.SetName("GET /orders")
	span.SetKind(ptrace.SpanKindServer)
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(at))
	span.SetEndTimestamp(pcommon.NewTimestampFromTime(at.Add(time.Second)))
	span.Attributes().PutStr("dify.tenant_id", w.tenant)
	span.Attributes().PutStr("dify.app_id", w.app)
	if change != nil {
		change(span)
	}
	l.expect(
		eventSpan, span.TraceID().String()+"-"+span.SpanID().String(), l.spanIndex+"-", w, span.StartTimestamp().AsTime(),
	)
}

// send sends a request to the collector, and retries while the collector is down or refuses it.
func (l *load) send(ctx context.Context, body []byte) error {
	return wait.Until(ctx, wait.Deadline, func(ctx context.Context) error {
		answer, err := l.post(ctx, body)
		if err == nil && answer != http.StatusOK {
			err = fmt.Errorf("the collector answers %d", answer)
		}
		return err
	})
}

func (l *load) post(ctx context.Context, body []byte) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+l.otlp+"/v1/traces", bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// portion is a part of the load.
type portion struct{ runs, spans int }

// share returns the i-th of n parts.
func (p portion) share(i, n int) portion {
	return portion{runs: p.runs*(i+1)/n - p.runs*i/n, spans: p.spans*(i+1)/n - p.spans*i/n}
}

func (p portion) requests() int {
	return max(1, (p.spans+spansPerRequest-1)/spansPerRequest)
}

// emit sends a portion in requests of runs and spans, and calls between after each request.
func (l *load) emit(ctx context.Context, all portion, between func(request int)) error {
	n := all.requests()
	for i := range n {
		part := all.share(i, n)
		if err := l.runs(ctx, part.runs, false); err != nil {
			return err
		}
		body, err := l.request(part.spans, nil)
		if err != nil {
			return err
		}
		if err := l.send(ctx, body); err != nil {
			return err
		}
		between(i)
	}
	return nil
}

// misfit sets a span's start to a day whose index rejects it; see stand.misfitIndex.
func misfit(span ptrace.Span) { span.SetStartTimestamp(pcommon.NewTimestampFromTime(misfitDay)) }

// big enlarges a span by that many bytes of padding, in stack traces, which dify_filter keeps.
func big(bytes int) func(ptrace.Span) {
	const line = "  File \"/app/api/all/is/well.py\", line 1, in well\n"
	const each = len(line) * 10_000
	return func(span ptrace.Span) {
		for begin := 0; begin < bytes; begin += each {
			event := span.Events().AppendEmpty()
			event.SetName("exception")
			event.SetTimestamp(span.StartTimestamp())
			event.Attributes().PutStr("exception.type", "ValueError")
			event.Attributes().PutStr("exception.stacktrace", strings.Repeat(line, min(each, bytes-begin)/len(line)))
		}
	}
}

func (l *load) expectations() map[string]expected {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.expected)
}
