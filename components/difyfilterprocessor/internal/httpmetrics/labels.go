// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package httpmetrics corrects Dify's HTTP metrics: it renames labels, removes the host labels, and derives counters
// of responses and errors from the duration histogram.
package httpmetrics

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
)

// hostLabels are derived from the Host header of the request, so that clients decide on the number of series. In
// OpenTelemetry's current conventions they are opt-in.
var hostLabels = map[string]bool{
	"http.host": true, "http.server_name": true, "net.host.name": true, "net.host.port": true,
}

// UpdateLabels renames the labels of Dify's HTTP metrics to the current names and removes the host labels. Series that
// differ in nothing else are added up, so that no request is lost. It returns the number of points that it removed.
func UpdateLabels(m pmetric.Metric) int {
	if !strings.HasPrefix(m.Name(), "http.") {
		return 0
	}
	wide := false
	attrs.EachPointOf(m, func(p attrs.Point) {
		renameLabels(p.Attributes(), m.Name())
		wide = wide || hasAny(p.Attributes(), hostLabels)
	})
	if !wide {
		return 0
	}
	return attrs.Narrow(m, hostLabels)
}

func hasAny(attributes pcommon.Map, labels map[string]bool) bool {
	for key := range attributes.All() {
		if labels[key] {
			return true
		}
	}
	return false
}

// updateStatusCode renames the status code, and makes one that is a text a number.
func updateStatusCode(attributes pcommon.Map) {
	if status, ok := attributes.Get(attrs.HTTPStatusCode); ok {
		if code, ok := attrs.ReadStatusCode(status); ok {
			status.SetInt(code)
			attributes.Remove(attrs.OldHTTPStatusCode)
		}
		return
	}
	if status, ok := attributes.Get(attrs.OldHTTPStatusCode); ok {
		if code, ok := attrs.ReadStatusCode(status); ok {
			attributes.Remove(attrs.OldHTTPStatusCode)
			attributes.PutInt(attrs.HTTPStatusCode, code)
		}
	}
}

func renameLabels(attributes pcommon.Map, metric string) {
	attrs.Rename(attributes, attrs.OldHTTPMethod, attrs.HTTPMethod)
	attrs.Rename(attributes, attrs.OldHTTPScheme, attrs.URLScheme)
	attrs.Rename(attributes, attrs.OldHTTPFlavor, attrs.ProtocolVersion)
	updateStatusCode(attributes)
	if strings.HasPrefix(metric, "http.server.") {
		attrs.Rename(attributes, attrs.OldHTTPTarget, attrs.HTTPRoute) // on metrics, it is the template of the route
	}
}
