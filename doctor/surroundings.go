// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-dify/otelcol-dify/doctor/check"
	"github.com/otelcol-dify/otelcol-dify/internal/endpoints"
)

// prometheus checks that the collector's two ports are scraped.
func prometheus(ctx context.Context, address string) []check.Result {
	const name, fix = "prometheus: scrapes", "OTELCOL_PROMETHEUS_URL, and config/prometheus/prometheus.yaml"
	if address == "" {
		return []check.Result{check.Skipped(name, "give --prometheus or OTELCOL_PROMETHEUS_URL")}
	}
	parsed, err := url.Parse(address)
	if err != nil {
		return []check.Result{check.Failed(name, "it is not a URL", "OTELCOL_PROMETHEUS_URL")}
	}
	var found struct {
		Data struct {
			Active []struct {
				Labels    map[string]string `json:"labels"`
				Health    string            `json:"health"`
				LastError string            `json:"lastError"`
			} `json:"activeTargets"`
		}
	}
	if err := fetchJSON(ctx, parsed.JoinPath("/api/v1/targets").String()+"?state=active", &found); err != nil {
		return []check.Result{check.Failed(name, strings.ReplaceAll(err.Error(), parsed.User.String(), "***"), fix)}
	}
	var results []check.Result
	for _, target := range found.Data.Active {
		if target.Health == "down" {
			results = append(results, check.Failed(name, fmt.Sprintf("%s (job %s) is down: %s", target.Labels["instance"],
				target.Labels["job"], target.LastError), "the address in config/prometheus/prometheus.yaml, and the networks"))
		}
	}
	switch {
	case len(found.Data.Active) == 0:
		return []check.Result{check.Failed(name, "Prometheus scrapes nothing", fix)}
	case len(results) == 0:
		return []check.Result{check.OK(name, fmt.Sprintf("%d targets are up", len(found.Data.Active)))}
	}
	return results
}

func fetchJSON(ctx context.Context, address string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		return json.NewDecoder(resp.Body).Decode(into)
	case http.StatusUnauthorized:
		return errors.New("the login is rejected (HTTP 401): it is part of the URL")
	}
	return fmt.Errorf("HTTP %d", resp.StatusCode)
}

// difyEnv checks what Dify's .env lacks for sending telemetry to this collector.
func difyEnv(conf *confmap.Conf, file string) []check.Result {
	const name = "dify: .env"
	if file == "" {
		return []check.Result{check.Skipped(name, "give --dify-env /path/to/dify/docker/.env")}
	}
	env, err := readEnv(file)
	if err != nil {
		return []check.Result{check.Failed(name, err.Error(), "--dify-env")}
	}
	var results []check.Result
	lacks := func(detail, fix string) { results = append(results, check.Failed(name, detail, fix+" in "+file)) }
	if !strings.EqualFold(env["ENABLE_OTEL"], "true") {
		lacks("Dify sends no telemetry", "ENABLE_OTEL=true")
	}
	if endpoint, err := url.Parse(env["OTLP_BASE_ENDPOINT"]); err != nil || endpoint.Host == "" ||
		strings.HasPrefix(endpoint.Host, "localhost") {
		lacks("Dify does not send to the collector", "OTLP_BASE_ENDPOINT=http://otelcol-dify:4318")
	} else if grpc := env["OTEL_EXPORTER_OTLP_PROTOCOL"] == "grpc"; grpc && endpoint.Port() == "4318" {
		lacks("Dify sends gRPC to the port for HTTP", "OTLP_BASE_ENDPOINT with port 4317, or OTEL_EXPORTER_OTLP_PROTOCOL")
	} else if !grpc && endpoint.Port() == "4317" {
		lacks("Dify sends HTTP to the port for gRPC", "OTLP_BASE_ENDPOINT with port 4318, or OTEL_EXPORTER_OTLP_PROTOCOL")
	}
	if exporter := env["OTEL_EXPORTER_TYPE"]; exporter != "otlp" {
		lacks("Dify prints its telemetry to its log", "OTEL_EXPORTER_TYPE=otlp")
	}
	authenticator := endpoints.Text(conf, "receivers::otlp::protocols::http::auth::authenticator")
	if authenticator != "" {
		key := endpoints.Text(conf, "extensions::"+authenticator+"::token")
		for _, variable := range []string{"OTLP_API_KEY", "OTEL_API_KEY"} {
			if env[variable] != key {
				lacks("Dify does not send the key that the collector demands", variable)
			}
		}
	}
	results = append(results, sampling(env["OTEL_SAMPLING_RATE"]))
	if env["API_SENTRY_DSN"] != "" && os.Getenv("OTELCOL_SENTRY_DSN") != "" {
		results = append(results, check.Warning("dify: Sentry", "Dify and the collector both report to Sentry: each error "+
			"is reported twice", "API_SENTRY_DSN in "+file+", or OTELCOL_SENTRY_DSN: docs/sentry.md"))
	}
	if len(results) == 1 {
		results = append([]check.Result{check.OK(name, file)}, results...)
	}
	return results
}

func sampling(rate string) check.Result {
	const name = "dify: sampling"
	if rate == "" {
		rate = "0.1"
	}
	var share float64
	if _, err := fmt.Sscan(rate, &share); err != nil || share < 0 || share > 1 {
		return check.Failed(name, "the rate is not a number from 0 to 1", "OTEL_SAMPLING_RATE in Dify's .env")
	}
	if share < 1 {
		return check.Warning(name, fmt.Sprintf("%.0f %% of the traces are sent: the others' errors reach neither OpenSearch "+
			"nor Sentry", 100*share), "OTEL_SAMPLING_RATE=1.0 in Dify's .env")
	}
	return check.OK(name, "every trace is sent")
}

// readEnv reads NAME=value lines; quotes around a value are removed.
func readEnv(file string) (map[string]string, error) {
	content, err := os.ReadFile(file) //nolint:gosec // the operator's file
	if err != nil {
		return nil, err
	}
	env := map[string]string{}
	for line := range strings.Lines(string(content)) {
		name, value, found := strings.Cut(strings.TrimSpace(line), "=")
		if found && !strings.HasPrefix(name, "#") {
			value, _, _ = strings.Cut(value, " #")
			env[strings.TrimSpace(name)] = strings.Trim(strings.TrimSpace(value), `"'`)
		}
	}
	return env, nil
}
