// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package convert

import (
	"encoding/binary"
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/tracetree"
)

// SampledOut returns the discards of a segment that is not sent because of TracesSampleRate; false if it is sent.
func (c *Converter) SampledOut(s *tracetree.Segment) (Result, bool) {
	var r Result
	if sampled(s.Root.Part.Trace, c.TracesSampleRate) {
		return r, false
	}
	if s.Complete {
		r.Discard(item.ReasonSampled, s.Route, protocol.CategoryTransaction, 1)
	}
	r.Discard(item.ReasonSampled, s.Route, protocol.CategorySpan, len(s.Nodes))
	return r, true
}

// sampled decides by trace ID, so that all parts of a trace are sent or none. The ID is mixed first: samplers before
// this exporter may have decided by its bits.
func sampled(trace pcommon.TraceID, rate float64) bool {
	if rate >= 1 {
		return true
	}
	x := binary.BigEndian.Uint64(trace[:8]) ^ mix(binary.BigEndian.Uint64(trace[8:]))
	return float64(mix(x)) < rate*math.MaxUint64
}

// mix is the finalizer of splitmix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb
	return x ^ (x >> 31)
}
