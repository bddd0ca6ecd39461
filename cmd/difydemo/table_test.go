// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestRows(t *testing.T) {
	rows := []row{
		count("spans", "OpenSearch", 3, 3).as("spans"),
		{name: "cost", where: "Prometheus", emitted: 0.1 + 0.2, arrived: 0.3, digits: 4},
		count("failures", "Sentry", 2, 1).as("failures"),
	}
	assert.Equal(t, rows[2:], unequal(rows), "0.1+0.2 is 0.3")
	assert.Equal(t, "0.3000", rows[1].format(rows[1].emitted))
	assert.Equal(t, "phase: spans 3/3, failures 2/1", plain("phase", rows))

	lines := picture("phase", rows)
	assert.Contains(t, lines[1], "phase")
	assert.True(t, strings.HasSuffix(lines[5], "1  <"), lines[5])
}

func TestScreenRedrawsInPlace(t *testing.T) {
	var out bytes.Buffer
	s := &screen{out: &out, terminal: true}
	rows := []row{count("spans", "OpenSearch", 3, 3)}
	s.update("first", rows)
	assert.NotContains(t, out.String(), "\x1b")
	out.Reset()
	s.update("second", rows)
	assert.True(t, strings.HasPrefix(out.String(), "\x1b[5A\x1b[J\nsecond\n"), "%q", out.String())
}

func TestPlainScreenHasNoEscapes(t *testing.T) {
	var out bytes.Buffer
	s := &screen{out: &out}
	rows := []row{count("spans", "OpenSearch", 3, 3).as("spans")}
	s.update("first", rows)
	s.update("second", rows) // too early to print
	s.last("last", rows)
	assert.NotContains(t, out.String(), "\x1b")
	assert.Contains(t, out.String(), "first: spans 3/3\n")
	assert.NotContains(t, out.String(), "second")
	assert.Contains(t, out.String(), "last\n")
}
