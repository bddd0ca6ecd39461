// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package route

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
)

func traceID(n uint64) (id pcommon.TraceID) {
	binary.BigEndian.PutUint64(id[8:], n)
	return id
}

func attributes(pairs ...string) pcommon.Map {
	m := pcommon.NewMap()
	for i := 0; i+1 < len(pairs); i += 2 {
		m.PutStr(pairs[i], pairs[i+1])
	}
	return m
}

func TestFirstRuleWins(t *testing.T) {
	r := NewRouter([]Rule{{Attribute: "a", Values: []string{"1", "2"}}, {Attribute: "b", Values: []string{"1"}}})
	for _, c := range []struct {
		attrs []pcommon.Map
		want  item.Route
	}{
		{[]pcommon.Map{attributes("b", "1", "a", "2")}, item.Route{Attribute: "a", Value: "2"}},
		{[]pcommon.Map{attributes("b", "1", "a", "3")}, item.Route{Attribute: "b", Value: "1"}},
		{[]pcommon.Map{attributes("b", "1"), attributes("a", "1")}, item.Route{Attribute: "b", Value: "1"}},
		{[]pcommon.Map{attributes("c", "1")}, item.Route{}},
	} {
		assert.Equal(t, c.want, r.Find(c.attrs...))
	}
}

func TestTraceRoutesAreBounded(t *testing.T) {
	r := NewRouter([]Rule{{Attribute: "tenant", Values: []string{"b"}}})
	now := time.Now()
	want := item.Route{Attribute: "tenant", Value: "b"}
	none, tenant := attributes(), attributes("tenant", "b")
	const traces = 3 * maxTraces / 2
	for i := range uint64(traces) {
		l := r.Lookup(now)
		l.FindInTrace(traceID(i+1), none, tenant)
		if got := l.FindInTrace(traceID(i+1), none); got != want {
			t.Fatalf("within the push: %v", got)
		}
		r.Remember(l, now)
	}
	later := r.Lookup(now.Add(time.Hour))
	assert.Equal(t, want, later.FindInTrace(traceID(traces), none))
	assert.Equal(t, item.Route{}, later.FindInTrace(traceID(1), none), "the oldest are forgotten")
}
