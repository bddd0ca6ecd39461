// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package exposition reads metrics in Prometheus' text format.
package exposition

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// Sample is one value of a series.
type Sample struct {
	Labels map[string]string
	Value  float64
}

// Metrics are samples by name, as it is written.
type Metrics map[string][]Sample

// maxSize bounds what is read of a response.
const maxSize = 64 << 20

var label = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"`)

// Fetch returns what an address such as http://127.0.0.1:8888/metrics serves.
func Fetch(ctx context.Context, address string) (Metrics, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: HTTP %d", address, resp.StatusCode)
	}
	return Parse(io.LimitReader(resp.Body, maxSize))
}

// Parse reads samples. Lines that are none are left out.
func Parse(r io.Reader) (Metrics, error) {
	metrics := Metrics{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, sample, ok := parseLine(lines.Text())
		if ok {
			metrics[name] = append(metrics[name], sample)
		}
	}
	return metrics, lines.Err()
}

func parseLine(line string) (string, Sample, bool) {
	if line == "" || line[0] == '#' {
		return "", Sample{}, false
	}
	var name, rest, labels string
	if begin := strings.IndexByte(line, '{'); begin >= 0 {
		end := strings.LastIndex(line, "} ")
		if end < begin {
			return "", Sample{}, false
		}
		name, labels, rest = line[:begin], line[begin+1:end], line[end+2:]
	} else {
		name, rest, _ = strings.Cut(line, " ")
	}
	number, _, _ := strings.Cut(strings.TrimSpace(rest), " ") // a timestamp may follow
	value, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return "", Sample{}, false
	}
	sample := Sample{Labels: map[string]string{}, Value: value}
	for _, match := range label.FindAllStringSubmatch(labels, -1) {
		sample.Labels[match[1]] = unescape.Replace(match[2])
	}
	return name, sample, true
}

var unescape = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n")

// Sum returns the sum of a metric's samples whose labels have the values of pairs, and whether there is any.
func (m Metrics) Sum(name string, pairs ...string) (sum float64, found bool) {
	for _, sample := range m[name] {
		if sample.has(pairs) {
			sum, found = sum+sample.Value, true
		}
	}
	return sum, found
}

func (s Sample) has(pairs []string) bool {
	for i := 0; i+1 < len(pairs); i += 2 {
		if s.Labels[pairs[i]] != pairs[i+1] {
			return false
		}
	}
	return true
}
