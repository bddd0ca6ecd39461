// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
)

// everywhere puts a text into every place of traces, logs and metrics, and returns what is left of them as JSON.
func everywhere(t *testing.T, text string, keys bool) (out string, places int, redacted int64) {
	t.Helper()
	f := &filler{t: t, text: text, noKeys: !keys}
	td, ld, md := ptrace.NewTraces(), plog.NewLogs(), pmetric.NewMetrics()
	f.fill("traces", reflect.ValueOf(td.ResourceSpans()))
	f.fill("logs", reflect.ValueOf(ld.ResourceLogs()))
	f.fill("metrics", reflect.ValueOf(md.ResourceMetrics()))
	counts := &tally.Tally{}
	everything.Traces(td, counts)
	everything.Logs(ld, counts)
	everything.Metrics(md, counts)
	traces, err := (&ptrace.JSONMarshaler{}).MarshalTraces(td)
	require.NoError(t, err)
	logs, err := (&plog.JSONMarshaler{}).MarshalLogs(ld)
	require.NoError(t, err)
	metrics, err := (&pmetric.JSONMarshaler{}).MarshalMetrics(md)
	require.NoError(t, err)
	return string(traces) + string(logs) + string(metrics), f.places, counts.Redacted()
}

// The corpora hold in every place that can have a text.
func TestCorporaInEveryPlace(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(3, 4))}
	texts, marks := g.secrets(2)
	leaks, places := 0, 0
	for i, text := range texts {
		out, n, _ := everywhere(t, text, true)
		places = n
		if left := strings.Count(out, marks[i]); left > 0 {
			leaks += left
			t.Logf("%d times left: %q", left, text)
		}
	}
	changed, harmless := 0, g.harmless(4)
	_, _, before := everywhere(t, "hello", false)
	for _, text := range harmless {
		if _, _, redacted := everywhere(t, text, false); redacted > before {
			changed++
			t.Logf("%d times changed: %q", redacted-before, text)
		}
	}
	t.Logf("%d secrets in %d places, %d left; %d harmless texts, %d changed somewhere", len(texts), places, leaks,
		len(harmless), changed)
	assert.GreaterOrEqual(t, len(texts), 500)
	assert.GreaterOrEqual(t, len(harmless), 300)
	assert.LessOrEqual(t, leaks*100, len(texts)*places)
	assert.LessOrEqual(t, changed*50, len(harmless))
}
