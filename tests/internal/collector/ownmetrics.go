// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// OwnMetric returns the sum of a metric's series in the collector's own telemetry whose labels contain all of the
// given texts, such as kind="span". A missing metric is an error.
func (c *Collector) OwnMetric(ctx context.Context, name string, labels ...string) (float64, error) {
	text, err := Fetch(ctx, "http://"+c.Telemetry+"/metrics")
	if err != nil {
		return 0, err
	}
	return sumSeries(strings.NewReader(text), name, labels)
}

// Fetch returns what a URL serves, such as an exposition of metrics.
func Fetch(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

func sumSeries(exposition io.Reader, name string, labels []string) (float64, error) {
	sum, found := 0.0, false
	lines := bufio.NewScanner(exposition)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		rest, ok := strings.CutPrefix(line, name+"{")
		if !ok {
			continue
		}
		end := strings.LastIndex(rest, "} ")
		if end < 0 || slices.ContainsFunc(labels, func(l string) bool { return !strings.Contains(rest[:end], l) }) {
			continue
		}
		value, err := strconv.ParseFloat(rest[end+2:], 64)
		if err != nil {
			return 0, fmt.Errorf("own metric %q: %w", line, err)
		}
		sum, found = sum+value, true
	}
	if !found {
		return 0, fmt.Errorf("own metric %s %v is not there", name, labels)
	}
	return sum, lines.Err()
}
