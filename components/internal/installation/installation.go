// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package installation names one of several Difys that a collector serves.
package installation

import (
	"fmt"
	"regexp"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Label is the attribute of data points, and of the scope of a component's own metrics, that has the name.
const Label = "installation"

// valid excludes what would have to be quoted in a query, or looks like content to redaction.
var valid = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9._-]{0,62})?$`)

// Validate returns an error if a name, the value of `installation`, is not allowed.
func Validate(name string) error {
	if valid.MatchString(name) {
		return nil
	}
	return fmt.Errorf("`installation` is %q: must be at most 63 letters, digits, dots, dashes and underscores, and "+
		"begin with a letter or digit; leave it empty for the only Dify", name)
}

// Telemetry returns the settings with which a component's own metrics have the name as an attribute of their scope:
// otherwise the metrics of two instances of a component add up.
func Telemetry(set component.TelemetrySettings, name string) component.TelemetrySettings {
	if name != "" {
		set.MeterProvider = meterProvider{MeterProvider: set.MeterProvider, name: name}
	}
	return set
}

type meterProvider struct {
	metric.MeterProvider

	name string
}

// Meter returns a meter whose scope has the name.
func (p meterProvider) Meter(scope string, options ...metric.MeterOption) metric.Meter {
	return p.MeterProvider.Meter(
		scope, append(options, metric.WithInstrumentationAttributes(attribute.String(Label, p.name)))...,
	)
}
