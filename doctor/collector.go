// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"

	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-dify/otelcol-dify/doctor/check"
	"github.com/otelcol-dify/otelcol-dify/internal/endpoints"
	"github.com/otelcol-dify/otelcol-dify/internal/exposition"
)

// port is an address that the collector listens on, with the variable of the shipped configuration that sets it.
type port struct{ key, variable string }

var ports = []port{
	{"receivers::otlp::protocols::grpc::endpoint", "OTELCOL_OTLP_GRPC_ENDPOINT"},
	{"receivers::otlp::protocols::http::endpoint", "OTELCOL_OTLP_HTTP_ENDPOINT"},
	{"exporters::prometheus::endpoint", "OTELCOL_PROMETHEUS_ENDPOINT"},
	{"extensions::health_check::endpoint", "OTELCOL_HEALTH_ENDPOINT"},
	{"extensions::dify_status::endpoint", "OTELCOL_STATUS_ENDPOINT"},
}

// collectorState is what the collector that runs here tells of itself.
type collectorState struct {
	running bool
	health  string // its address
	own     exposition.Metrics
	ownErr  error
	dify    exposition.Metrics // what Prometheus scrapes of Dify's metrics
}

const requestTimeout = 2 * time.Second

func observe(ctx context.Context, conf *confmap.Conf) *collectorState {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	s := &collectorState{health: endpoints.Callable(endpoints.Text(conf, "extensions::health_check::endpoint"))}
	if s.health != "" {
		status, err := request(ctx, http.MethodGet, "http://"+s.health+"/", "", "")
		s.running = err == nil && status == http.StatusOK
	}
	s.own, s.ownErr = exposition.Fetch(ctx, "http://"+endpoints.Telemetry(conf)+"/metrics")
	if address := endpoints.Callable(endpoints.Text(conf, "exporters::prometheus::endpoint")); address != "" {
		s.dify, _ = exposition.Fetch(ctx, "http://"+address+"/metrics")
	}
	return s
}

// reads reports whether workflow_log reads the database.
func (s *collectorState) reads() bool {
	reading, _ := s.own.Sum("otelcol_workflow_log_reading")
	return s.running && reading > 0
}

func (s *collectorState) checks(ctx context.Context, conf *confmap.Conf) []check.Result {
	results := []check.Result{s.alive(), s.listens(ctx, conf)}
	return append(results, s.otlp(ctx, conf), s.telemetry(), s.versions(), s.queues(), s.discarded())
}

func (s *collectorState) alive() check.Result {
	const name = "collector: running"
	switch {
	case s.health == "":
		return check.Warning(name, "not known: there is no health_check extension", "`extensions::health_check`")
	case !s.running:
		return check.Warning(name, "no collector responds at "+s.health, "start it, or look why it ended: "+
			"`docker compose logs otelcol-dify`; OTELCOL_HEALTH_ENDPOINT")
	}
	return check.OK(name, s.health)
}

// listens checks that the collector has its ports, or can have them.
func (s *collectorState) listens(ctx context.Context, conf *confmap.Conf) check.Result {
	const name = "collector: ports"
	addresses := map[string]string{} // by variable
	for _, p := range ports {
		if address := endpoints.Text(conf, p.key); address != "" {
			addresses[p.variable] = address
		}
	}
	addresses["OTELCOL_TELEMETRY_PORT"] = endpoints.Telemetry(conf)
	for _, variable := range slices.Sorted(maps.Keys(addresses)) {
		address := addresses[variable]
		var err error
		if s.running {
			err = dial(ctx, endpoints.Callable(address))
		} else {
			err = listen(ctx, address)
		}
		switch {
		case err != nil && s.running:
			return check.Failed(name, "the collector does not listen on "+address, variable+", or restart it with this "+
				"configuration")
		case errors.Is(err, syscall.EADDRINUSE):
			return check.Failed(name, "another program listens on "+address, variable+", or stop that program")
		case err != nil:
			return check.Failed(name, fmt.Sprintf("%s: %v", address, err), variable)
		}
	}
	return check.OK(name, fmt.Sprintf("%d ports", len(addresses)))
}

// otlp sends an empty request as Dify would, with the key that is configured.
func (s *collectorState) otlp(ctx context.Context, conf *confmap.Conf) check.Result {
	const name = "collector: OTLP"
	address := endpoints.Callable(endpoints.Text(conf, "receivers::otlp::protocols::http::endpoint"))
	if !s.running || address == "" {
		return check.Skipped(name, "no collector runs here")
	}
	authenticator := endpoints.Text(conf, "receivers::otlp::protocols::http::auth::authenticator")
	key := endpoints.Text(conf, "extensions::"+authenticator+"::token")
	send := func(key string) (int, error) {
		return request(ctx, http.MethodPost, "http://"+address+"/v1/traces", key, `{"resourceSpans":[]}`)
	}
	status, err := send(key)
	switch {
	case err != nil:
		return check.Failed(name, err.Error(), "OTELCOL_OTLP_HTTP_ENDPOINT")
	case status == http.StatusUnauthorized:
		return check.Failed(name, "the running collector rejects the key of this configuration",
			"OTLP_API_KEY: restart the collector, and Dify with the same key as OTLP_API_KEY and OTEL_API_KEY")
	case status != http.StatusOK:
		return check.Failed(name, fmt.Sprintf("HTTP %d", status), "OTELCOL_OTLP_HTTP_ENDPOINT")
	}
	if status, err = send("wrong"); err == nil && status == http.StatusOK {
		return check.Warning(name, "whoever reaches the port can send: no key is demanded",
			"OTLP_API_KEY and OTEL_API_KEY in Dify's .env: docs/security.md")
	}
	return check.OK(name, "accepts telemetry with the key only")
}

// telemetry checks whether Dify sends, and how.
func (s *collectorState) telemetry() check.Result {
	const name = "dify: telemetry"
	const fix = "ENABLE_OTEL, OTLP_BASE_ENDPOINT and OTLP_API_KEY in Dify's .env: config/dify.env.example"
	if s.ownErr != nil {
		return check.Skipped(name, "the collector's own metrics can't be read")
	}
	var seen []string
	for _, kind := range []string{"spans", "metric_points", "log_records"} {
		for _, transport := range []string{"grpc", "http"} {
			sum, _ := s.own.Sum("otelcol_receiver_accepted_"+kind+"_total", "transport", transport)
			if sum > 0 {
				seen = append(seen, fmt.Sprintf("%.0f %s over %s", sum, strings.ReplaceAll(kind, "_", " "), transport))
			}
		}
	}
	uptime, _ := s.own.Sum("otelcol_process_uptime_seconds_total")
	since := (time.Duration(uptime) * time.Second).String()
	if len(seen) == 0 {
		return check.Warning(name, "Dify has sent nothing in the "+since+" since the collector's start", fix)
	}
	return check.OK(name, strings.Join(seen, ", ")+" in "+since)
}

// versions are what the processes that send metrics say of themselves.
func (s *collectorState) versions() check.Result {
	const name = "dify: versions"
	found := map[string]bool{}
	for _, sample := range s.dify["target_info"] {
		if version := sample.Labels["service_version"]; version != "" {
			found[sample.Labels["job"]+" "+version] = true
		}
	}
	if len(found) == 0 {
		return check.OK(name, "not known: no process of Dify has sent metrics")
	}
	return check.OK(name, strings.Join(slices.Sorted(maps.Keys(found)), ", "))
}

func (s *collectorState) queues() check.Result {
	const name = "delivery: queues"
	if s.ownErr != nil {
		return check.Skipped(name, "the collector's own metrics can't be read")
	}
	if blocked, _ := s.own.Sum("otelcol_opensearch_bulk_blocked_requests"); blocked > 0 {
		return check.Warning(name, fmt.Sprintf("OpenSearch has not accepted %.0f requests, which are retried", blocked),
			"OTELCOL_OPENSEARCH_URL: see the checks of OpenSearch")
	}
	for _, queue := range s.own["otelcol_exporter_queue_size"] {
		exporter, signal := queue.Labels["exporter"], queue.Labels["data_type"]
		capacity, _ := s.own.Sum("otelcol_exporter_queue_capacity", "exporter", exporter, "data_type", signal)
		if capacity > 0 && queue.Value > capacity/2 {
			return check.Warning(name, fmt.Sprintf("%.0f of %.0f places of the queue of %s (%s) are taken", queue.Value,
				capacity, exporter, signal), "the back end of "+exporter+", or `sending_queue::queue_size`")
		}
	}
	return check.OK(name, "nothing waits for long")
}

func (s *collectorState) discarded() check.Result {
	const name = "delivery: rejected"
	if dead, _ := s.own.Sum("otelcol_opensearch_bulk_items_total", "outcome", "dead_letter"); dead > 0 {
		return check.Warning(name, fmt.Sprintf("OpenSearch rejected %.0f documents since the start", dead),
			"the index otelcol-dify-dead-letter has them with the reason: docs/opensearch.md")
	}
	if rejected, _ := s.own.Sum("otelcol_otlp_guard_rejected_requests_total"); rejected > 0 {
		return check.Warning(name, fmt.Sprintf("%.0f requests of OTLP clients were rejected", rejected),
			"`extensions::otlp_guard`: the label reason of otelcol_otlp_guard_rejected_requests_total")
	}
	return check.OK(name, "nothing")
}
