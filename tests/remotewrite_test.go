// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// A back end of remote write gets the series that a scrape has, with each sample that was sent while it was away, also
// across a restart of the collector.
func TestRemoteWrite(t *testing.T) {
	back, err := servers.StartPrometheusWith(t.Context(), map[string]string{"prometheus.yaml": "global: {}"},
		"--web.enable-remote-write-receiver")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, back.Stop()) })
	s := newStack(t, stackOptions{
		overlays: []string{
			repo.Path("config", "overlays", "remote-write.yaml"),
			"yaml:exporters::prometheus_remote_write::wal::truncate_frequency: 1s", // of a write
		},
		env: map[string]string{"OTELCOL_REMOTE_WRITE_URL": back.URL + "/api/v1/write"},
	})
	begin, sent := time.Now(), 0
	send := func() {
		t.Helper()
		for range 20 {
			sent++
			require.Equal(t, http.StatusOK, exportHTTP(t, s.Collector, "metrics", "", countOf(begin, sent)))
			time.Sleep(5 * time.Millisecond) // between two samples
		}
	}
	send()
	expectSamples(t, back, sent)

	require.NoError(t, back.Halt(false))
	send()
	s.KillAndRestart(t)
	send()
	s.Terminate(t)
	s.Restart(t)
	send()
	require.NoError(t, back.Resume(t.Context()))
	expectSamples(t, back, sent)
	send()
	expectSamples(t, back, sent)

	wait.For(t, "the series of a scrape", func(ctx context.Context) error {
		scraped, written := series(ctx, s.prometheus), series(ctx, back)
		for name := range scraped {
			if !written[name] {
				return fmt.Errorf("%s is missing among %v", name, slices.Sorted(maps.Keys(written)))
			}
		}
		if len(scraped) < 10 {
			return fmt.Errorf("only %v", slices.Sorted(maps.Keys(scraped)))
		}
		return nil
	})
}

// countOf is an export of a counter with a value.
func countOf(begin time.Time, value int) string {
	return fmt.Sprintf(`{"resourceMetrics":[{"resource":{"attributes":[
		{"key":"service.name","value":{"stringValue":"shop"}},{"key":"service.instance.id","value":{"stringValue":"1"}}]},
		"scopeMetrics":[{"metrics":[{"name":"shop.orders","unit":"{order}","sum":{"aggregationTemporality":2,
		"isMonotonic":true,"dataPoints":[{"startTimeUnixNano":"%d","timeUnixNano":"%d","asInt":"%d"}]}}]}]}]}`,
		begin.UnixNano(), time.Now().UnixNano(), value)
}

// expectSamples waits until the back end has each value of the counter.
func expectSamples(t *testing.T, back *servers.Prometheus, want int) {
	t.Helper()
	wait.For(t, "each sample", func(ctx context.Context) error {
		for expr, want := range map[string]int{
			`shop_orders_total{job="shop",instance="1"}`: want, `count_over_time(shop_orders_total[1h])`: want,
		} {
			got, err := back.Value(ctx, expr)
			if err != nil {
				return err
			}
			if int(got) != want {
				return fmt.Errorf("%s is %v, expected %d", expr, got, want)
			}
		}
		return nil
	})
}

// series returns the names of the series that are not the server's own, with their labels, but not target_info: the
// exporter writes it only for resources with attributes that no label has.
func series(ctx context.Context, server *servers.Prometheus) map[string]bool {
	names := map[string]bool{}
	samples, err := server.Query(ctx, `last_over_time({__name__=~".+",__name__!~"up|scrape_.*|target_info"}[1h])`)
	if err != nil {
		return nil
	}
	for _, sample := range samples {
		names[fmt.Sprint(sample.Labels)] = true
	}
	return names
}
