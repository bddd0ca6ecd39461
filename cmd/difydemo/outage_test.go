// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestOutageIsShown(t *testing.T) {
	for running, want := range map[time.Duration]string{
		time.Second:      "; OpenSearch and Sentry go down in 4s",
		6 * time.Second:  "\nOpenSearch and Sentry are DOWN for another 9s: what is emitted waits on disk, nothing is lost",
		15 * time.Second: "\nOpenSearch and Sentry are back: what waited arrives now, each item once",
	} {
		assert.Equal(t, want, outageText(running, 10*time.Second))
	}
	assert.Empty(t, outageText(time.Minute, 0))
}

func TestPictureFitsTheTerminal(t *testing.T) {
	rows := make([]row, 30)
	lines := picture("emitting"+outageText(6*time.Second, 10*time.Second), rows)
	assert.Len(t, lines, 35)
	fitted := fit(lines, 24)
	assert.Len(t, fitted, 23)
	assert.Contains(t, fitted[22], "13 more lines")
	assert.Equal(t, lines, fit(lines, 80))
}
