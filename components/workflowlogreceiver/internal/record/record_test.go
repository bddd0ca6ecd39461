// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package record

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/outcome"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

func TestUIDIsAUUIDByName(t *testing.T) {
	for _, id := range []string{"", "8c2a3b1e-7a53-4a30-9d3a-0a4f7d1ad1c0", strings.Repeat("long", 100)} {
		assert.Equal(t, uuid.NewSHA1(namespace, []byte("dify.workflow.run/"+id)).String(), UID("dify.workflow.run", id))
	}
	assert.Equal(t, "842bf4ad-61ad-56fb-97fe-5f2886dc97b4", UID("dify.workflow.run", "a"), "it must never change")
}

// The names of the attributes are what users query; they must not change.
func TestUsageAttributes(t *testing.T) {
	b := &Builder{Resource: pcommon.NewResource(), Scope: pcommon.NewInstrumentationScope()}
	logs := b.Build(Events{Ended: []*outcome.Outcome{{
		Run:       source.Run{Key: source.Key{ID: "r"}, Status: "succeeded"},
		Workspace: "Acme",
		Usage:     outcome.Usage{Total: 5, Nested: 3, Prices: []outcome.Price{{Currency: "USD", Amount: 0.5}}},
	}}}, time.Now(), time.Now())
	attrs := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Attributes().AsRaw()
	assert.Equal(t, int64(3), attrs["dify.usage.nested_tokens"])
	assert.InDelta(t, 0.5, attrs["dify.usage.total_price"], 0)
	assert.Equal(t, "USD", attrs["dify.usage.currency"])
	assert.Equal(t, "Acme", attrs["dify.workspace.name"])
}

func TestInvalidTimes(t *testing.T) {
	created := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	observed := created.Add(time.Hour)
	infinity := time.Date(200_000, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		created, finished, timestamp time.Time
		invalid                      any
	}{
		"valid":                {created, created.Add(3 * time.Second), created.Add(3 * time.Second), nil},
		"no end":               {created, time.Time{}, created.Add(2 * time.Second), nil},
		"an infinite end":      {created, infinity, created.Add(2 * time.Second), "finished_at"},
		"both are infinite":    {infinity, infinity, observed, "created_at,finished_at"},
		"infinitely early":     {time.Time{}, created, created, "created_at"},
		"the end of calendars": {created, created.AddDate(7000, 0, 0), created.Add(2 * time.Second), "finished_at"},
	} {
		t.Run(name, func(t *testing.T) {
			b := &Builder{Resource: pcommon.NewResource(), Scope: pcommon.NewInstrumentationScope()}
			run := source.Run{
				Key: source.Key{ID: "r", CreatedAt: test.created}, Status: "succeeded", FinishedAt: test.finished, ElapsedTime: 2,
			}
			logs := b.Build(Events{Ended: []*outcome.Outcome{{Run: run}}}, observed.Add(time.Hour), observed)
			record := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
			assert.Equal(t, test.timestamp, record.Timestamp().AsTime())
			attrs := record.Attributes().AsRaw()
			assert.Equal(t, test.invalid, attrs["dify.workflow_run.invalid_times"])
			for _, key := range []string{"dify.workflow_run.created_at", "dify.workflow_run.finished_at"} {
				text, ok := attrs[key].(string)
				if !ok {
					continue
				}
				at, err := time.Parse(time.RFC3339Nano, text)
				require.NoError(t, err)
				assert.Less(t, at.Year(), 2262)
			}
		})
	}
}
