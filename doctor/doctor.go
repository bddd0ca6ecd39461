// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package doctor finds what is wrong with an installation of otelcol-dify. Each component has the checks of what it
// depends on; this package reads the configuration, runs them, and adds those of the collector itself.
package doctor

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-dify/otelcol-dify/components/celeryqueuereceiver"
	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver"
	"github.com/otelcol-dify/otelcol-dify/doctor/check"
)

// Timeout is how long all checks may take together.
const Timeout = 9 * time.Second

// Options choose what is checked.
type Options struct {
	Configs    []string // files of the collector, merged in this order
	Collector  string   // its binary, for validating all components; empty: only ours are validated
	DifyEnv    string   // Dify's .env; empty: not checked
	Prometheus string   // URL of Prometheus; empty: not checked
	// SentryTest sends an event to Sentry.
	SentryTest bool
}

// Run runs all checks. The order of the results does not depend on how long they take.
func Run(ctx context.Context, opts *Options) []check.Result {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	conf, err := resolve(ctx, opts.Configs)
	if err != nil {
		return []check.Result{check.Failed("configuration: files", err.Error(), "the file in the message")}
	}
	state := observe(ctx, conf)
	groups := []func(context.Context) []check.Result{
		func(ctx context.Context) []check.Result { return validate(ctx, conf, opts) },
		func(context.Context) []check.Result { return opensearchbulkextension.DiagnosePipelines(conf) },
		func(ctx context.Context) []check.Result { return state.checks(ctx, conf) },
		func(context.Context) []check.Result { return storage(conf) },
	}
	groups = append(groups, components(conf, state, opts.SentryTest)...)
	groups = append(groups,
		func(ctx context.Context) []check.Result { return prometheus(ctx, opts.Prometheus) },
		func(context.Context) []check.Result { return difyEnv(conf, opts.DifyEnv) },
	)
	return concurrently(ctx, groups)
}

// concurrently runs the groups at the same time. One that does not end in time is reported as failed.
func concurrently(ctx context.Context, groups []func(context.Context) []check.Result) []check.Result {
	results := make([][]check.Result, len(groups))
	var mu sync.Mutex // guards results
	var running sync.WaitGroup
	for i, group := range groups {
		running.Go(func() {
			found := group(ctx)
			mu.Lock()
			defer mu.Unlock()
			results[i] = found
		})
	}
	done := make(chan struct{})
	go func() {
		running.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(Timeout + time.Second/2): // for what does not heed its context
	}
	mu.Lock()
	defer mu.Unlock()
	for i, found := range results {
		if found == nil {
			results[i] = []check.Result{check.Failed("doctor", "a check did not end in time", "run it again")}
		}
	}
	return slices.Concat(results...)
}

// components returns the checks of each component that a configuration has.
func components(conf *confmap.Conf, state *collectorState, sentryTest bool) []func(context.Context) []check.Result {
	var groups []func(context.Context) []check.Result
	for _, id := range ids(conf, "receivers", "workflow_log") {
		cfg := workflowlogreceiver.NewFactory().CreateDefaultConfig().(*workflowlogreceiver.Config)
		groups = append(groups, section(conf, "receivers", id, cfg, "database: connection",
			func(ctx context.Context) []check.Result { return workflowlogreceiver.Diagnose(ctx, cfg, state.reads()) }))
	}
	for _, id := range ids(conf, "receivers", "celery_queue") {
		cfg := celeryqueuereceiver.NewFactory().CreateDefaultConfig().(*celeryqueuereceiver.Config)
		groups = append(groups, section(conf, "receivers", id, cfg, "redis: connection",
			func(ctx context.Context) []check.Result { return celeryqueuereceiver.Diagnose(ctx, cfg) }))
	}
	for _, id := range ids(conf, "extensions", "opensearch_bulk") {
		cfg := opensearchbulkextension.NewFactory().CreateDefaultConfig().(*opensearchbulkextension.Config)
		groups = append(groups, section(conf, "extensions", id, cfg, "opensearch: connection",
			func(ctx context.Context) []check.Result {
				return opensearchbulkextension.Diagnose(ctx, cfg, loginOf(conf, "extensions::"+id+"::http"))
			}))
	}
	for _, id := range ids(conf, "exporters", "sentry") {
		cfg := sentryexporter.NewFactory().CreateDefaultConfig().(*sentryexporter.Config)
		groups = append(groups, section(conf, "exporters", id, cfg, "sentry: DSN",
			func(ctx context.Context) []check.Result { return sentryexporter.Diagnose(ctx, cfg, sentryTest) }))
	}
	return groups
}

// section returns a check that runs if the section of a component can be used; the configuration's own check has what
// is wrong with it.
func section(
	conf *confmap.Conf, kind, id string, cfg any, name string, run func(context.Context) []check.Result,
) func(context.Context) []check.Result {
	if err := decode(conf, kind, id, cfg); err != nil {
		return func(context.Context) []check.Result {
			return []check.Result{check.Skipped(name, "see the configuration of "+kind+"::"+id)}
		}
	}
	return run
}

func storage(conf *confmap.Conf) []check.Result {
	results := []check.Result{}
	for _, id := range ids(conf, "extensions", "file_storage") {
		directory, _ := conf.Get("extensions::" + id + "::directory").(string)
		results = append(results, opensearchbulkextension.DiagnoseStorage(id, directory))
	}
	return results
}
