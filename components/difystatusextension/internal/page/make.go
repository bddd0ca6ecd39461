// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/difystatusextension/internal/history"
	"github.com/otelcol-dify/otelcol-dify/internal/exposition"
)

// Input is what a status is made from.
type Input struct {
	Version    string
	Now        time.Time
	Own, Dify  exposition.Metrics
	Warnings   []string // of the configuration
	Components []Component
	History    *history.History
}

var signals = map[string]string{"spans": "traces", "metric_points": "metrics", "log_records": "logs"}

// Observe adds the counters whose growth the status shows.
func Observe(h *history.History, own exposition.Metrics, at time.Time) {
	for name := range own {
		if !strings.HasPrefix(name, "otelcol_receiver_accepted_") && !strings.HasPrefix(name, "otelcol_exporter_sent_") &&
			name != "otelcol_opensearch_bulk_items_total" {
			continue
		}
		sums := map[string]float64{}
		for _, sample := range own[name] {
			sums[counterName(name, sample.Labels)] += sample.Value
		}
		for counter, sum := range sums {
			h.Observe(counter, sum, at)
		}
	}
}

func counterName(name string, labels map[string]string) string {
	return strings.Join([]string{
		name, labels["receiver"], labels["exporter"], labels["transport"], labels["outcome"],
	}, "\x00")
}

// New returns the status.
func New(in *Input) *Status {
	s := &Status{
		Version: in.Version, Now: in.Now, Components: in.Components, Sources: sources(in.Dify), Receivers: receivers(in),
		Tails: tails(in.Own), Queues: queues(in.Dify), Destinations: destinations(in), Removed: removed(in.Own),
	}
	s.Uptime, _ = in.Own.Sum("otelcol_process_uptime_seconds_total")
	s.Hints = hints(in, s)
	return s
}

func sources(dify exposition.Metrics) []Source {
	found := map[Source]int{}
	for _, sample := range dify["target_info"] {
		l := sample.Labels
		found[Source{Service: l["job"], Version: l["service_version"], Emitter: l["telemetry_sdk_language"]}]++
	}
	list := []Source{}
	for source, processes := range found {
		source.Processes = processes
		list = append(list, source)
	}
	slices.SortFunc(list, func(a, b Source) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Emitter, b.Emitter))
	})
	return list
}

func receivers(in *Input) []Receiver {
	list := []Receiver{}
	for _, kind := range slices.Sorted(maps.Keys(signals)) {
		name := "otelcol_receiver_accepted_" + kind + "_total"
		for _, sample := range in.Own[name] {
			id, transport := sample.Labels["receiver"], sample.Labels["transport"]
			refused, _ := in.Own.Sum("otelcol_receiver_refused_"+kind+"_total", "receiver", id, "transport", transport)
			counter := counterName(name, sample.Labels)
			list = append(list, Receiver{
				ID: id, Transport: transport, Signal: signals[kind], Accepted: sample.Value, Refused: refused,
				Rate: in.History.Rate(counter), LastSeen: in.History.Grown(counter),
			})
		}
	}
	return list
}

func tails(own exposition.Metrics) []Tail {
	list := []Tail{}
	for _, sample := range own["otelcol_workflow_log_reading"] {
		installation := sample.Labels["otel_scope_installation"]
		sum := func(name string, pairs ...string) float64 {
			value, _ := own.Sum("otelcol_workflow_log_"+name, append(pairs, "otel_scope_installation", installation)...)
			return value
		}
		list = append(list, Tail{
			Installation: installation, Reading: sample.Value > 0,
			Lag: sum("checkpoint_age_seconds"), OpenRuns: sum("open_runs"),
			StuckRuns: sum("runs_total", "outcome", "stuck"), Delivered: sum("runs_total", "outcome", "delivered"),
			FailedPolls: sum("polls_total", "result", "failed"),
		})
	}
	return list
}

func queues(dify exposition.Metrics) []Queue {
	list := []Queue{}
	for _, sample := range dify["celery_queue_length"] {
		if sample.Value > 0 {
			list = append(list, Queue{Name: cmp.Or(sample.Labels["celery_queue"], sample.Labels["queue"]), Length: sample.Value})
		}
	}
	slices.SortFunc(list, func(a, b Queue) int {
		return cmp.Or(cmp.Compare(b.Length, a.Length), cmp.Compare(a.Name, b.Name))
	})
	return list
}

func destinations(in *Input) []Destination {
	faults := map[string]string{}
	for _, c := range in.Components {
		if c.Error != "" {
			faults[c.ID] = c.Error
		}
	}
	list := []Destination{}
	for kind, signal := range signals {
		name := "otelcol_exporter_sent_" + kind + "_total"
		found := map[string]map[string]string{} // labels by exporter
		for _, sample := range in.Own[name] {
			found[sample.Labels["exporter"]] = sample.Labels
		}
		for _, sample := range in.Own["otelcol_exporter_queue_size"] {
			if sample.Labels["data_type"] == signal && found[sample.Labels["exporter"]] == nil {
				found[sample.Labels["exporter"]] = map[string]string{"exporter": sample.Labels["exporter"]}
			}
		}
		for exporter, labels := range found {
			d := Destination{Exporter: exporter, Signal: signal, Error: faults[exporter]}
			d.Sent, _ = in.Own.Sum(name, "exporter", exporter)
			d.Failed, _ = in.Own.Sum("otelcol_exporter_send_failed_"+kind+"_total", "exporter", exporter)
			d.Waiting, _ = in.Own.Sum("otelcol_exporter_queue_size", "exporter", exporter, "data_type", signal)
			d.Capacity, _ = in.Own.Sum("otelcol_exporter_queue_capacity", "exporter", exporter, "data_type", signal)
			d.LastSuccess = in.History.Grown(counterName(name, labels))
			if typ, _, _ := strings.Cut(exporter, "/"); typ == "opensearch" && d.Error == "" {
				d.Error = faults["opensearch_bulk"] // which delivers for it
			}
			list = append(list, d)
		}
	}
	slices.SortFunc(list, func(a, b Destination) int {
		return cmp.Or(cmp.Compare(a.Exporter, b.Exporter), cmp.Compare(a.Signal, b.Signal))
	})
	return list
}

// removals are the metrics of what is dropped, cut or redacted, with the labels that name the rule.
var removals = []struct {
	what, metric string
	labels       []string
}{
	{"dropped", "otelcol_dify_filter_dropped_items_total", []string{"rule", "kind"}},
	{"limited", "otelcol_dify_filter_limited_values_total", []string{"limit"}},
	{"redacted", "otelcol_dify_filter_redacted_values_total", []string{"reason"}},
	{"rejected", "otelcol_otlp_guard_rejected_requests_total", []string{"reason"}},
	{"discarded", "otelcol_exporter_sentry_discarded_total", []string{"category", "reason"}},
}

func removed(own exposition.Metrics) []Removal {
	list := []Removal{}
	for _, r := range removals {
		counts := map[string]float64{}
		for _, sample := range own[r.metric] {
			var rule []string
			for _, label := range r.labels {
				rule = append(rule, sample.Labels[label])
			}
			counts[strings.Join(rule, ", ")] += sample.Value
		}
		for _, rule := range slices.Sorted(maps.Keys(counts)) {
			if counts[rule] > 0 {
				list = append(list, Removal{What: r.what, Rule: rule, Count: counts[rule]})
			}
		}
	}
	return list
}

// hints are sentences about what is wrong, with what to do.
func hints(in *Input, s *Status) []string {
	list := slices.Clone(in.Warnings)
	for _, c := range in.Components {
		if c.Error != "" {
			list = append(list, fmt.Sprintf("%s %s: %s", c.Kind, c.ID, c.Error))
		}
	}
	if len(s.Receivers) == 0 {
		list = append(list, "Nothing was received since the start: ENABLE_OTEL and OTLP_BASE_ENDPOINT in Dify's .env")
	}
	for _, d := range s.Destinations {
		if d.Capacity > 0 && d.Waiting > d.Capacity/2 {
			list = append(list, fmt.Sprintf("The queue of %s (%s) is more than half full", d.Exporter, d.Signal))
		}
	}
	for _, t := range s.Tails {
		if !t.Reading {
			list = append(list, "Dify's database is not read: it is unavailable, or another collector reads it")
		}
	}
	if len(list) > 0 {
		list = append(list, "`difyctl doctor` checks everything, and names the variable or file to change")
	}
	return list
}
