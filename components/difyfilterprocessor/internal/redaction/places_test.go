// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
)

// filler writes a text into every place of pdata that can have one. It finds the places by the methods of pdata's
// types, so that a new one is filled too, and fails for a type that it does not know.
type filler struct {
	t      *testing.T
	text   string
	places int
	noKeys bool // the text is not in keys, where it may announce the value
}

func (f *filler) fill(path string, of reflect.Value) {
	switch v := of.Interface().(type) {
	case pcommon.Map:
		f.places += 8
		v.PutStr("note", f.text)
		nested := v.PutEmptyMap("metadata")
		nested.PutStr("note", f.text)
		if !f.noKeys {
			v.PutStr("key "+f.text, "x")
			nested.PutStr("key "+f.text, "x")
		}
		v.PutEmptyBytes("note.bytes").FromRaw([]byte(f.text))
		v.PutEmptySlice("tag.tags").AppendEmpty().SetStr(f.text)
		v.PutStr("metadata.json", `{"note": "x"}`)
		return
	case pcommon.Value:
		f.places += 3
		list := v.SetEmptySlice()
		list.AppendEmpty().SetStr(f.text)
		list.AppendEmpty().SetEmptyBytes().FromRaw([]byte(f.text))
		list.AppendEmpty().SetEmptyMap().PutStr("note", f.text)
		return
	case pcommon.TraceState:
		f.places++
		v.FromRaw("k=" + f.text)
		return
	case pcommon.TraceID, pcommon.SpanID, pcommon.Timestamp, pcommon.UInt64Slice, pcommon.Float64Slice:
		return
	}
	kind := of.Type()
	if _, list := kind.MethodByName("AppendEmpty"); list {
		f.list(path, of)
		return
	}
	for method := range kind.Methods() {
		f.method(path, of, method.Name)
	}
}

// list adds one element, or one for each type of a metric.
func (f *filler) list(path string, of reflect.Value) {
	appended := func() reflect.Value { return of.MethodByName("AppendEmpty").Call(nil)[0] }
	if _, metrics := reflect.TypeAssert[pmetric.MetricSlice](of); !metrics {
		f.fill(path+"[]", appended())
		return
	}
	for _, kind := range []string{"Gauge", "Sum", "Histogram", "ExponentialHistogram", "Summary"} {
		m := appended()
		points := m.MethodByName("SetEmpty" + kind).Call(nil)[0]
		f.fill(path+"."+kind, points)
		f.fill(path+"[]", m)
	}
}

func (f *filler) method(path string, of reflect.Value, name string) {
	m := of.MethodByName(name)
	switch {
	case m.Type().NumIn() != 0 || m.Type().NumOut() != 1:
	case m.Type().Out(0).Kind() == reflect.String:
		set := of.MethodByName("Set" + name)
		if set.IsValid() {
			f.places++
			set.Call([]reflect.Value{reflect.ValueOf(f.text)})
		}
	case m.Type().Out(0).Kind() == reflect.Struct && !strings.HasPrefix(name, "SetEmpty") && !isUnion(of, name):
		f.fill(path+"."+name, m.Call(nil)[0])
	}
}

// isUnion reports whether a method returns one of several types of data, which only one of can be set.
func isUnion(of reflect.Value, name string) bool { return of.MethodByName("SetEmpty" + name).IsValid() }

const (
	placeMark   = "Zk3v9QwX7LmN2pR8"
	placeSecret = "ghp_" + placeMark + "sT1uVbYcAAAABBBBCCCC"
)

func TestEveryPlaceIsVisited(t *testing.T) {
	f := &filler{t: t, text: placeSecret}
	td := ptrace.NewTraces()
	f.fill("traces", reflect.ValueOf(td.ResourceSpans()))
	everything.Traces(td, &tally.Tally{})
	text, err := (&ptrace.JSONMarshaler{}).MarshalTraces(td)
	require.NoError(t, err)
	checkPlaces(t, string(text), f, 30)

	f = &filler{t: t, text: placeSecret}
	ld := plog.NewLogs()
	f.fill("logs", reflect.ValueOf(ld.ResourceLogs()))
	everything.Logs(ld, &tally.Tally{})
	text, err = (&plog.JSONMarshaler{}).MarshalLogs(ld)
	require.NoError(t, err)
	checkPlaces(t, string(text), f, 30)

	f = &filler{t: t, text: placeSecret}
	md := pmetric.NewMetrics()
	f.fill("metrics", reflect.ValueOf(md.ResourceMetrics()))
	everything.Metrics(md, &tally.Tally{})
	text, err = (&pmetric.JSONMarshaler{}).MarshalMetrics(md)
	require.NoError(t, err)
	checkPlaces(t, string(text), f, 60)
}

func checkPlaces(t *testing.T, text string, f *filler, least int) {
	t.Helper()
	t.Logf("%d places", f.places)
	assert.GreaterOrEqual(t, f.places, least)
	if at := strings.Index(text, placeMark); at >= 0 {
		t.Errorf("%d of them left: …%s…", strings.Count(text, placeMark), text[max(0, at-400):at+len(placeMark)])
	}
	assert.Contains(t, text, Mask)
}
