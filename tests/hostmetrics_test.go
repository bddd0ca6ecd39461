// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// The description of each ratio of overlays/host.yaml has the range of its values: the stock receiver's is in percent.
func TestHostRatiosAreDescribed(t *testing.T) {
	c := collector.Start(t, collector.Options{
		Configs: []string{
			collector.ShippedConfig(), repo.Path("config", "overlays", "host.yaml"),
			"yaml:receivers::host_metrics::collection_interval: 1s",
		},
		Env: map[string]string{"OTELCOL_HOST_PROCESSES": "test"},
	})
	ratios := []string{"process_cpu_usage_ratio", "process_memory_utilization_ratio", "system_disk_usage_ratio"}
	var text string
	wait.For(t, "the ratios", func(ctx context.Context) (err error) {
		if text, err = collector.Fetch(ctx, "http://"+c.Prometheus+"/metrics"); err != nil {
			return err
		}
		for _, name := range ratios {
			if !strings.Contains(text, "\n"+name+"{") {
				return fmt.Errorf("no %s yet", name)
			}
		}
		return nil
	})
	for _, name := range ratios {
		_, help, found := strings.Cut(text, "# HELP "+name+" ")
		require.True(t, found, name)
		help, _, _ = strings.Cut(help, "\n")
		assert.Contains(t, help, "0 to 1", name)
		assert.NotContains(t, strings.ToLower(help), "percent", name)
	}
}
