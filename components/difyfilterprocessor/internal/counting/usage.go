// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package counting

import (
	"math"
	"strconv"

	"github.com/tidwall/gjson"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

const (
	maxUsageText = 4 << 20 // longer outputs are not searched
	maxPrice     = 1e9     // larger numbers are no price
)

// usage is what a use of a model took, as far as an emitter says it somewhere else than in attributes of its own.
type usage struct {
	input, output, total int64
	price                float64
	currency             string
}

// LiftUsage sets tokens, price and currency of a node as attributes, before redaction removes where they are. Dify
// writes prices as numbers and as texts.
func LiftUsage(shape emitter.Shape, span ptrace.Span) {
	attributes := span.Attributes()
	var found usage
	switch shape {
	case emitter.Application:
		found = inText(attributes, "output.value", "usage")
	case emitter.Provider, emitter.OlderProvider:
		if !attrs.Has(attributes, difysemconv.AttrNodeType) {
			return
		}
		found = inText(attributes, emitter.AttrMetadata, "")
		if found.total == 0 {
			agent := inText(attributes, emitter.AttrMetadata, "agent_log.agent_backend.usage")
			found.input, found.output, found.total = agent.input, agent.output, agent.total
		}
	case emitter.ProviderOps:
		if attrs.Text(attributes, "dify.span.type") == "workflow" {
			return // the sum of its nodes
		}
		found = inMap(attributes, "dify.usage")
	default:
		return
	}
	found.put(attributes)
}

func inText(attributes pcommon.Map, key, path string) usage {
	text := attrs.Text(attributes, key)
	if text == "" || len(text) > maxUsageText {
		return usage{}
	}
	from := gjson.Parse(text)
	if path != "" {
		from = from.Get(path)
	}
	number := func(name string) float64 {
		v := from.Get(name)
		if v.Type == gjson.String {
			n, _ := strconv.ParseFloat(v.Str, 64)
			return n
		}
		return v.Num
	}
	return usageFrom(number, from.Get("currency").Str)
}

func inMap(attributes pcommon.Map, key string) usage {
	v, ok := attributes.Get(key)
	if !ok || v.Type() != pcommon.ValueTypeMap {
		return usage{}
	}
	number := func(name string) float64 {
		n, ok := v.Map().Get(name)
		if !ok {
			return 0
		}
		f, _ := strconv.ParseFloat(n.AsString(), 64)
		return f
	}
	return usageFrom(number, attrs.Text(v.Map(), "currency"))
}

func usageFrom(number func(string) float64, currency string) usage {
	u := usage{
		input: whole(number("prompt_tokens")), output: whole(number("completion_tokens")),
		total: whole(number("total_tokens")), price: number("total_price"), currency: currency,
	}
	if u.input == 0 && u.total > u.output {
		u.input = u.total - u.output
	}
	return u
}

// whole returns a number of tokens, and 0 for what is none.
func whole(n float64) int64 {
	if n < 0 || n > math.MaxInt32 || n != math.Trunc(n) {
		return 0
	}
	return int64(n)
}

func (u usage) put(attributes pcommon.Map) {
	for _, n := range [...]struct {
		key string
		n   int64
	}{
		{"gen_ai.usage.input_tokens", u.input},
		{"gen_ai.usage.output_tokens", u.output},
		{"gen_ai.usage.total_tokens", u.total},
	} {
		if v, ok := attributes.Get(n.key); n.n > 0 && (!ok || v.Type() == pcommon.ValueTypeInt && v.Int() == 0) {
			attributes.PutInt(n.key, n.n)
		}
	}
	if !(u.price > 0 && u.price < maxPrice) || attrs.Has(attributes, difysemconv.AttrUsageTotalPrice) {
		return
	}
	attributes.PutDouble(difysemconv.AttrUsageTotalPrice, u.price)
	if u.currency != "" && len(u.currency) <= 8 {
		attrs.PutAbsent(attributes, difysemconv.AttrUsageCurrency, u.currency)
	}
}
