// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

const aTime = pcommon.Timestamp(1795426800_123456789)

func records(fill ...func(plog.LogRecord)) plog.Logs {
	ld := plog.NewLogs()
	sl := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty()
	for _, f := range fill {
		f(sl.LogRecords().AppendEmpty())
	}
	return ld
}

func uids(t *testing.T, ld plog.Logs) []string {
	t.Helper()
	var found []string
	for _, r := range ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
		uid := attrs.Text(r.Attributes(), difysemconv.AttrLogRecordUID)
		require.NoError(t, uuid.Validate(uid))
		found = append(found, uid)
	}
	return found
}

func TestRecordsGetATimestamp(t *testing.T) {
	b := newHarness(t)
	ld := b.logs(t, records(
		func(r plog.LogRecord) { r.SetTimestamp(5); r.SetObservedTimestamp(6) },
		func(r plog.LogRecord) { r.SetObservedTimestamp(6) },
		func(plog.LogRecord) {},
	))
	lr := ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
	assert.EqualValues(t, 5, lr.At(0).Timestamp())
	assert.EqualValues(t, 6, lr.At(1).Timestamp())
	assert.Equal(t, pcommon.NewTimestampFromTime(b.clock), lr.At(2).Timestamp())
}

func TestRecordsGetAUID(t *testing.T) {
	same := func(r plog.LogRecord) { r.SetTimestamp(aTime); r.Body().SetStr("x"); r.Attributes().PutStr("a", "1") }
	batch := func() plog.Logs {
		return records(
			same,
			func(r plog.LogRecord) { same(r) },
			func(r plog.LogRecord) { same(r); r.Body().SetStr("y") },
			func(r plog.LogRecord) { same(r); r.SetTimestamp(aTime + 1) },
			func(r plog.LogRecord) { same(r); r.Attributes().PutInt("a", 1) },
			func(r plog.LogRecord) { r.Body().SetStr("no time of its own") },
			func(r plog.LogRecord) { same(r); r.SetTimestamp(pcommon.Timestamp(7 * time.Second)) },
		)
	}
	first, again := uids(t, newHarness(t).logs(t, batch())), uids(t, newHarness(t).logs(t, batch()))
	assert.Equal(t, first[:5], again[:5], "equal if a batch is sent again")
	assert.NotEqual(t, first[5], again[5], "without a time, equal records are distinct")
	assert.NotEqual(t, first[6], again[6], "a whole second does not distinguish records either")
	distinct := map[string]bool{}
	for _, uid := range first {
		distinct[uid] = true
	}
	assert.Len(t, distinct, len(first), "every record has its own")
}

func TestExistingFieldsAreKept(t *testing.T) {
	ld := records(func(r plog.LogRecord) {
		r.SetTimestamp(aTime)
		r.SetSeverityNumber(plog.SeverityNumberWarn)
		r.SetSeverityText("WARN")
		r.Attributes().PutStr(difysemconv.AttrLogRecordUID, "mine")
	})
	want := wireLogs(t, ld)
	assert.JSONEq(t, want, wireLogs(t, newHarness(t).logs(t, ld)))
}
