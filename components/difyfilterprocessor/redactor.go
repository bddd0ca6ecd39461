// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/redaction"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
)

// Redaction is a change that a Redactor makes.
type Redaction struct {
	// Reason and Place have the values of the attributes of otelcol_dify_filter_redacted_values.
	Reason, Place string
	// Key is the key of the attribute, if it is one.
	Key string
}

// Redactor redacts as the processor does, without its other passes: for programs that show what would be redacted.
type Redactor struct{ redactor *redaction.Redactor }

// NewRedactor returns a redactor that always enforces, and reports each change. It returns all errors of the
// configuration.
func NewRedactor(cfg *Config, report func(Redaction)) (*Redactor, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	set := redactionSettings(&cfg.Redaction)
	set.Audit = false
	set.Report = func(by tally.Reason, in tally.Place, key string) {
		report(Redaction{Reason: by.String(), Place: in.String(), Key: key})
	}
	return &Redactor{redaction.NewRedactor(set)}, nil
}

// Traces redacts td.
func (r *Redactor) Traces(td ptrace.Traces) { r.redactor.Traces(td, &tally.Tally{}) }

// Metrics redacts md. Points that become equal are added up if possible.
func (r *Redactor) Metrics(md pmetric.Metrics) { r.redactor.Metrics(md, &tally.Tally{}) }

// Logs redacts ld.
func (r *Redactor) Logs(ld plog.Logs) { r.redactor.Logs(ld, &tally.Tally{}) }
