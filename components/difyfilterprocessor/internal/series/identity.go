// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package series

import (
	"hash/maphash"
	"strings"

	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
)

// A hash of several parts is their sum, so that the order of attributes does not matter.

func (b *Bound) hash(text string) uint64 { return maphash.String(b.seed, text) }

func (b *Bound) pair(key, value string) uint64 {
	var h maphash.Hash
	h.SetSeed(b.seed)
	_, _ = h.WriteString(key) // never fails
	_ = h.WriteByte(0)
	_, _ = h.WriteString(value)
	return h.Sum64()
}

// process is what the exporter makes the labels job and instance of.
func (b *Bound) process(res pcommon.Map) uint64 {
	var sum uint64
	for _, key := range [...]string{attrs.ServiceNamespace, attrs.ServiceName, attrs.ServiceInstanceID} {
		if v, ok := res.Get(key); ok {
			sum += b.pair(key, v.AsString())
		}
	}
	return sum
}

func (b *Bound) scope(sm pmetric.ScopeMetrics) uint64 {
	scope := sm.Scope()
	sum := b.pair("name", scope.Name()) + b.pair("version", scope.Version()) + b.pair("schema_url", sm.SchemaUrl())
	for key, v := range scope.Attributes().All() {
		sum += b.pair("otel_scope_"+b.label(key), v.AsString())
	}
	return sum
}

// label returns the label of an attribute, as the exporter names it.
func (b *Bound) label(key string) string {
	label, ok := b.labels[key]
	if !ok {
		namer := otlptranslator.LabelNamer{PreserveMultipleUnderscores: true}
		var err error
		if label, err = namer.Build(key); err != nil {
			label = key // can't be: the limits have repaired it
		}
		if len(key) <= bytesPerSeries && len(b.labels) < b.maxSeries {
			b.labels[strings.Clone(key)] = label
		}
	}
	return label
}

// family is what the exporter exposes under one name.
type family struct{ kind, description string }

// name returns the name under which the exporter exposes a metric. It returns false if the name, or that of a series of
// it such as x_count of a histogram x, belongs to a metric of another type: the exporter exposes only one of the two,
// and logs the other on every scrape. The metric gets the description that the family had first, since the exporter
// keeps that one and logs every other, which a client has written.
func (b *Bound) name(m pmetric.Metric) (string, family, bool) {
	kind, suffixes := kindOf(m)
	name, err := b.namer.Build(otlptranslator.Metric{Name: m.Name(), Unit: m.Unit(), Type: kind})
	if err != nil || name == targetInfo {
		return "", family{}, false
	}
	owner := family{kind: name + " " + m.Type().String(), description: m.Description()}
	if kind == otlptranslator.MetricTypeMonotonicCounter {
		owner.kind += " counter"
	}
	for _, suffix := range suffixes {
		other, ok := b.names.get(name + suffix)
		if ok && other.kind != owner.kind {
			return "", family{}, false
		}
		if ok && suffix == "" {
			owner.description = other.description
		}
	}
	m.SetDescription(owner.description)
	return name, owner, true
}

// own notes whose the name is. A metric without a series that is kept owns none, so that names are bounded as series
// are.
func (b *Bound) own(m pmetric.Metric, name string, owner family) {
	_, suffixes := kindOf(m)
	for _, suffix := range suffixes {
		if !b.names.promote(name + suffix) {
			b.names.put(name+suffix, owner)
		}
	}
}

// targetInfo is a metric that the exporter adds.
const targetInfo = "target_info"

func kindOf(m pmetric.Metric) (kind otlptranslator.MetricType, suffixes []string) {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		return otlptranslator.MetricTypeGauge, []string{""}
	case pmetric.MetricTypeSum:
		if m.Sum().IsMonotonic() {
			return otlptranslator.MetricTypeMonotonicCounter, []string{""}
		}
		return otlptranslator.MetricTypeNonMonotonicCounter, []string{""}
	case pmetric.MetricTypeHistogram:
		return otlptranslator.MetricTypeHistogram, []string{"", "_count", "_sum", "_bucket"}
	case pmetric.MetricTypeExponentialHistogram:
		return otlptranslator.MetricTypeExponentialHistogram, []string{"", "_count", "_sum", "_bucket"}
	case pmetric.MetricTypeSummary:
		return otlptranslator.MetricTypeSummary, []string{"", "_count", "_sum"}
	default:
		return otlptranslator.MetricTypeUnknown, []string{""}
	}
}
