// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package growth measures how Dify's tables grow.
package growth

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/health"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

const (
	attrTable = "db.collection.name"
	attrState = "state"
)

// Reader reads the sizes of the tables, and keeps them until the next time. It is not safe for concurrent use.
type Reader struct {
	interval time.Duration // 0: off
	failures *health.FailureLog

	read  time.Time
	sizes []source.TableSize
	at    source.Clock // of sizes
}

// NewReader returns a Reader that reads once per interval, or never if the interval is 0.
func NewReader(interval time.Duration, logger *zap.Logger) *Reader {
	return &Reader{interval: interval, failures: health.NewFailureLog(logger,
		"The sizes of Dify's tables cannot be read; nothing else depends on them",
		"The sizes of Dify's tables can be read again",
	)}
}

// ReadIfDue reports whether there are new sizes. An error is one of the connection: what the database refuses is
// logged.
func (r *Reader) ReadIfDue(ctx context.Context, conn source.Conn, clock source.Clock) (changed bool, err error) {
	if r.interval == 0 || time.Since(r.read) < r.interval {
		return false, nil
	}
	r.read = time.Now()
	sizes, fault, err := conn.TableSizes(ctx)
	if err != nil {
		return false, err
	}
	if fault != nil {
		r.failures.Failed(fault)
		sizes = nil
	} else {
		r.failures.Ended()
	}
	r.sizes, r.at = sizes, clock
	return true, nil
}

// AppendTo adds the metrics to those of the runs, in the scope that all share.
func (r *Reader) AppendTo(md pmetric.Metrics) {
	if len(r.sizes) == 0 {
		return
	}
	metrics := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics()
	bytes := newGauge(metrics, difysemconv.MetricTableSize,
		"Size of a table of Dify's database, with its indexes.", "By")
	rows := newGauge(metrics, difysemconv.MetricTableRows,
		"Rows of a table of Dify's database, as the database estimates them: live, and dead ones that are not yet removed.",
		"{row}")
	age := newGauge(metrics, difysemconv.MetricTableAge,
		"Age of the oldest row of a table of Dify's database.", "s")
	for _, size := range r.sizes {
		point(bytes, size.Name, "").SetIntValue(size.Bytes)
		point(rows, size.Name, "live").SetIntValue(size.Live)
		if size.Dead != source.NoDeadRows {
			point(rows, size.Name, "dead").SetIntValue(size.Dead)
		}
		if !size.Oldest.IsZero() {
			point(age, size.Name, "").SetDoubleValue(r.age(size).Seconds())
		}
	}
	metrics.RemoveIf(func(m pmetric.Metric) bool {
		return m.Type() == pmetric.MetricTypeGauge && m.Gauge().DataPoints().Len() == 0
	})
}

// age compares the oldest row with the clock that its column follows.
func (r *Reader) age(size source.TableSize) time.Duration {
	now := r.at.UTC
	if size.Name == string(source.Messages) {
		now = r.at.Local
	}
	return max(0, now.Sub(size.Oldest))
}

func newGauge(metrics pmetric.MetricSlice, name, description, unit string) pmetric.NumberDataPointSlice {
	metric := metrics.AppendEmpty()
	metric.SetName(name)
	metric.SetDescription(description)
	metric.SetUnit(unit)
	return metric.SetEmptyGauge().DataPoints()
}

func point(points pmetric.NumberDataPointSlice, table, state string) pmetric.NumberDataPoint {
	p := points.AppendEmpty()
	p.Attributes().PutStr(attrTable, table)
	if state != "" {
		p.Attributes().PutStr(attrState, state)
	}
	return p
}
