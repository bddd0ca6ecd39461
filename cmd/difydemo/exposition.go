// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// sample is one line of Prometheus' text format.
type sample struct {
	name   string
	labels map[string]string
	value  float64
}

// scrape reads a metrics endpoint.
func scrape(ctx context.Context, url string) ([]sample, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/plain;version=0.0.4")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("scrape %s: %s", url, res.Status)
	}
	return parseExposition(res.Body)
}

func parseExposition(r io.Reader) ([]sample, error) {
	var out []sample
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		line := sc.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		s, err := parseSample(line)
		if err != nil {
			return nil, fmt.Errorf("%w: %q", err, line)
		}
		out = append(out, s)
	}
	return out, sc.Err()
}

func parseSample(line string) (s sample, err error) {
	end := strings.IndexAny(line, "{ ")
	if end < 0 {
		return s, strconv.ErrSyntax
	}
	s.name = line[:end]
	rest := line[end:]
	if rest[0] == '{' {
		if s.labels, rest, err = parseLabels(rest[1:]); err != nil {
			return s, err
		}
	}
	fields := strings.Fields(rest) // value, perhaps a timestamp
	if len(fields) == 0 {
		return s, strconv.ErrSyntax
	}
	s.value, err = strconv.ParseFloat(fields[0], 64)
	return s, err
}

// parseLabels reads `key="value",…}` and returns what follows it.
func parseLabels(text string) (labels map[string]string, rest string, err error) {
	labels = map[string]string{}
	for !strings.HasPrefix(text, "}") {
		key, quoted, found := strings.Cut(text, "=")
		if !found {
			return nil, "", strconv.ErrSyntax
		}
		literal, err := strconv.QuotedPrefix(quoted)
		if err != nil {
			return nil, "", err
		}
		if labels[key], err = strconv.Unquote(literal); err != nil {
			return nil, "", err
		}
		text = strings.TrimPrefix(quoted[len(literal):], ",")
	}
	return labels, text[1:], nil
}

// sumOf returns the sum of all series of a name that have the given labels.
func sumOf(samples []sample, name string, labels map[string]string) float64 {
	total := 0.0
next:
	for _, s := range samples {
		if s.name != name {
			continue
		}
		for k, v := range labels {
			if s.labels[k] != v {
				continue next
			}
		}
		total += s.value
	}
	return total
}
