// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// Started before everything else, or while everything is down, the collector runs, and its log names what is missing.
func TestStartsBeforeItsBackEnds(t *testing.T) {
	const secret = "s3cret-of-this-test"
	begin := time.Now()
	c := collector.Start(t, collector.Options{Env: map[string]string{
		"OTELCOL_OPENSEARCH_URL":      "http://127.0.0.1:1",
		"OTELCOL_DASHBOARDS_URL":      "http://127.0.0.1:1",
		"OTELCOL_SENTRY_DSN":          "http://key@127.0.0.1:1/1",
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

	// The same failures go on, and are not repeated.
	time.Sleep(time.Until(begin.Add(2 * time.Minute)))
	assert.Less(t, strings.Count(c.Log(), "\n"), 40, "lines in the first two minutes")
	assert.NotContains(t, c.Log(), "\n\t", "a stack trace")
}

func storageEnv(dir string) map[string]string {
	return map[string]string{
		"OTELCOL_STORAGE_DIR": dir, "OTELCOL_OPENSEARCH_URL": "http://127.0.0.1:1", "DB_HOST": "127.0.0.1", "DB_PORT": "1",
		"CELERY_BROKER_URL": "redis://127.0.0.1:1/1", "OTELCOL_OTLP_GRPC_ENDPOINT": "127.0.0.1:0",
		"OTELCOL_OTLP_HTTP_ENDPOINT": "127.0.0.1:0", "OTELCOL_PROMETHEUS_ENDPOINT": "127.0.0.1:0",
		"OTELCOL_HEALTH_ENDPOINT": "127.0.0.1:0", "OTELCOL_STATUS_ENDPOINT": "127.0.0.1:0", "OTELCOL_TELEMETRY_HOST": "127.0.0.1", "OTELCOL_TELEMETRY_PORT": "0",
	}
}

// A start that its storage prevents names the file, the cause and the command that mends it.
func TestStorageFaultsAreNamed(t *testing.T) {
	dir := t.TempDir()
	c := collector.Start(t, collector.Options{Env: map[string]string{
		"OTELCOL_STORAGE_DIR": dir, "OTELCOL_OPENSEARCH_URL": "http://127.0.0.1:1", "DB_HOST": "127.0.0.1", "DB_PORT": "1",
		"CELERY_BROKER_URL": "redis://127.0.0.1:1/1",
	}})
	start := func() string {
		result := collector.Run(t, storageEnv(dir), "--config", collector.ShippedConfig())
		assert.NotZero(t, result.Code)
		assert.NotContains(t, result.Output, "runtime.main", "a stack trace")
		return result.Output
	}
	bulk := filepath.Join(dir, "queue", "extension_opensearch_bulk_")
	assert.Contains(t, start(), fmt.Sprintf("%s is in use by process %d (", bulk, c.Pid()), "a second collector")
	c.Terminate(t)
	for _, file := range []string{
		filepath.Join(dir, "checkpoint", "receiver_workflow_log_"),
		filepath.Join(dir, "queue", "exporter_opensearch__traces"),
	} {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(file, bytes.Repeat([]byte("x"), len(content)), 0o600))
		assert.Contains(t, start(), file+" is damaged: restore it from a backup or, to start without what it had, stop the "+
			"collector and run `mv "+file+" "+file+".damaged`")
		require.NoError(t, os.WriteFile(file, content, 0o600))
	}
	c.Restart(t)
}
