// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// Started before everything else, or while everything is down, the collector runs, and its log names what is missing.
func TestStartsBeforeItsBackEnds(t *testing.T) {
	const secret = "s3cret-of-this-test"
	c := collector.Start(t, collector.Options{Env: map[string]string{
		"OTELCOL_OPENSEARCH_URL":      "http://127.0.0.1:1",
		"OTELCOL_OPENSEARCH_PASSWORD": secret,
		"DB_HOST":                     "127.0.0.1",
		"DB_PORT":                     "1",
		"DB_PASSWORD":                 secret,
		"CELERY_BROKER_URL":           "redis://:" + secret + "@127.0.0.1:1/1",
	}})
	for _, component := range []string{"workflow_log", "celery_queue", "opensearch_bulk"} {
		wait.For(t, component+" says why it can't work", func(context.Context) error {
			for line := range strings.Lines(c.Log()) {
				if strings.Contains(line, `"otelcol.component.id": "`+component+`"`) &&
					strings.Contains(line, "127.0.0.1:1: connect: connection refused") {
					return nil
				}
			}
			return fmt.Errorf("no line of %s tells of the refused connection", component)
		})
	}
	assert.NotContains(t, c.Log(), secret)
}
