// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// sample is a value in Prometheus' text format.
type sample struct {
	name   string
	labels map[string]string
	value  float64
}

// scrape reads a metrics endpoint.
func scrape(ctx context.Context, url string) ([]sample, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/plain;version=0.0.4")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("scrape %s: %s", url, res.Status)
	}
	return parseExposition(res.Body)
}

// parseExposition reads counters, gauges, values without a type, and the counts of histograms.
func parseExposition(r io.Reader) ([]sample, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(r)
	var out []sample
	for name, family := range families {
		for _, metric := range family.GetMetric() {
			labels := make(map[string]string, len(metric.GetLabel()))
			for _, label := range metric.GetLabel() {
				labels[label.GetName()] = label.GetValue()
			}
			if histogram := metric.GetHistogram(); histogram != nil {
				out = append(out, sample{name: name + "_count", labels: labels, value: float64(histogram.GetSampleCount())})
				continue
			}
			// An absent value is 0.
			value := metric.GetCounter().GetValue() + metric.GetGauge().GetValue() + metric.GetUntyped().GetValue()
			out = append(out, sample{name: name, labels: labels, value: value})
		}
	}
	return out, err
}

// sumOf returns the sum of all series of a name that have the given labels.
func sumOf(samples []sample, name string, labels map[string]string) float64 {
	total := 0.0
next:
	for _, s := range samples {
		if s.name != name {
			continue
		}
		for k, v := range labels {
			if s.labels[k] != v {
				continue next
			}
		}
		total += s.value
	}
	return total
}
