// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/resource"
)

// conversion makes items of one push. It decides nothing about delivery.
type conversion struct {
	ctx    context.Context
	shared *sharedState
	cfg    *Config
	now    time.Time

	events []*item.Item // error events
	runs   []*item.Item // failed runs, which may have to wait
	rest   []*item.Item // transactions or logs

	pushed     []item.ID // by which a redelivery of the same spans is recognized
	superseded []string  // runs of which an exception was left out by sample_rate
}

func newConversion(ctx context.Context, h *sharedState) *conversion {
	return &conversion{ctx: ctx, shared: h, cfg: h.cfg, now: h.now()}
}

func (c *conversion) identity(res pcommon.Resource) *resource.Identity {
	return c.shared.identities.Identity(res)
}

// discard counts what is left out.
func (c *conversion) discard(why item.Reason, route item.Route, category protocol.Category, n int) {
	if n > 0 {
		c.shared.counters.discard(c.ctx, why, route, category, int64(n))
	}
}

func (c *conversion) logs(ld plog.Logs) {
	batches := newLogBatches()
	for _, rl := range ld.ResourceLogs().All() {
		id := c.identity(rl.Resource())
		for _, sl := range rl.ScopeLogs().All() {
			for _, rec := range sl.LogRecords().All() {
				c.record(id, sl.Scope().Name(), rec, batches)
			}
		}
	}
	c.rest = append(c.rest, batches.items(c)...)
}
