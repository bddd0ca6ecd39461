// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package servers

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/proc"
)

// Prometheus is a Prometheus that scrapes the given targets every second.
type Prometheus struct {
	server
	URL string
}

// honor_labels: Prometheus keeps job and instance as the collector's exporter wrote them.
const prometheusConfig = `global:
  scrape_interval: 1s
scrape_configs:
  - job_name: otelcol-dify
    honor_labels: true
    static_configs:
      - targets: [%s]
`

// StartPrometheus starts one that scrapes host:port targets every second, and keeps their own job and instance
// labels.
func StartPrometheus(ctx context.Context, targets ...string) (*Prometheus, error) {
	return StartPrometheusWith(ctx, map[string]string{
		"prometheus.yaml": fmt.Sprintf(prometheusConfig, strings.Join(targets, ", ")),
	})
}

// StartPrometheusWith starts one with the caller's files: prometheus.yaml and the files that it refers to.
func StartPrometheusWith(ctx context.Context, files map[string]string, flags ...string) (*Prometheus, error) {
	p := &Prometheus{}
	if err := p.boot(ctx, files, flags); err != nil {
		_ = p.Stop()
		return nil, err
	}
	return p, nil
}

func (p *Prometheus) boot(ctx context.Context, files map[string]string, flags []string) error {
	path, err := program("prometheus", []string{"prometheus"})
	if err != nil {
		return err
	}
	ports, err := proc.FreePorts(1)
	if err != nil {
		return err
	}
	if p.dir, err = proc.NewDir("prometheus"); err != nil {
		return err
	}
	if err := writeFiles(p.dir, files); err != nil {
		return err
	}
	address := "127.0.0.1:" + strconv.Itoa(ports[0])
	p.URL = "http://" + address
	return p.start(ctx, proc.Spec{
		Name: "prometheus",
		Path: path,
		Args: append([]string{
			"--config.file=" + filepath.Join(p.dir, "prometheus.yaml"), "--storage.tsdb.path=" + filepath.Join(p.dir, "data"),
			"--web.listen-address=" + address, "--log.level=warn",
		}, flags...),
		Unprivileged: true,
	}, func(ctx context.Context) error {
		_, err := getJSON[any](ctx, p.URL+"/api/v1/status/runtimeinfo")
		return err
	})
}

// Sample is one element of an instant vector.
type Sample struct {
	Labels map[string]string
	Value  float64
}

// Query evaluates a PromQL expression now.
func (p *Prometheus) Query(ctx context.Context, expr string) ([]Sample, error) {
	return p.query(ctx, expr, url.Values{})
}

// QueryAt evaluates a PromQL expression at a time.
func (p *Prometheus) QueryAt(ctx context.Context, expr string, at time.Time) ([]Sample, error) {
	return p.query(ctx, expr, url.Values{"time": {at.UTC().Format(time.RFC3339Nano)}})
}

func (p *Prometheus) query(ctx context.Context, expr string, parameters url.Values) ([]Sample, error) {
	parameters.Set("query", expr)
	answer, err := getJSON[struct {
		Data struct {
			Result []struct {
				Metric map[string]string  `json:"metric"`
				Value  [2]json.RawMessage `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}](ctx, p.URL+"/api/v1/query?"+parameters.Encode())
	if err != nil {
		return nil, fmt.Errorf("query %s: %w", expr, err)
	}
	samples := make([]Sample, 0, len(answer.Data.Result))
	for _, r := range answer.Data.Result {
		var text string
		if err := json.Unmarshal(r.Value[1], &text); err != nil {
			return nil, err
		}
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, err
		}
		samples = append(samples, Sample{Labels: r.Metric, Value: value})
	}
	return samples, nil
}

// Value evaluates an expression that has exactly one element.
func (p *Prometheus) Value(ctx context.Context, expr string) (float64, error) {
	samples, err := p.Query(ctx, expr)
	if err != nil {
		return 0, err
	}
	if len(samples) != 1 {
		return 0, fmt.Errorf("query %s: %d elements, expected one", expr, len(samples))
	}
	return samples[0].Value, nil
}
