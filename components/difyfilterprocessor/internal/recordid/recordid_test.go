// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package recordid

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

func stamped(s *Stamper, role string) string {
	res, record := pcommon.NewMap(), plog.NewLogRecord()
	if role != "" {
		res.PutStr(difysemconv.AttrRole, role)
	}
	record.SetTimestamp(pcommon.Timestamp(7*time.Second + 1))
	record.Body().SetStr("x")
	s.Stamp(res, record)
	return attrs.Text(record.Attributes(), difysemconv.AttrLogRecordUID)
}

func TestUIDIsStable(t *testing.T) {
	now := time.Unix(1795426800, 0)
	first, again := NewStamper(now), NewStamper(now.Add(time.Hour))
	a, b := stamped(first, ""), stamped(first, "")
	assert.NotEqual(t, a, b, "equal records of one batch are distinguished by their order")
	assert.Equal(t, a, stamped(again, "api"), "the role is learned over time")
	assert.Equal(t, b, stamped(again, ""))
}

func TestTimestamp(t *testing.T) {
	s := NewStamper(time.Unix(5, 0))
	record := plog.NewLogRecord()
	s.Stamp(pcommon.NewMap(), record)
	assert.Equal(t, time.Unix(5, 0).UTC(), record.Timestamp().AsTime())
	record = plog.NewLogRecord()
	record.SetObservedTimestamp(3)
	s.Stamp(pcommon.NewMap(), record)
	assert.EqualValues(t, 3, record.Timestamp())
}
