// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// exitLimit is the guaranteed time for a shutdown. Only a hung shutdown takes longer: it would last as long as the
// outage.
const exitLimit = 5 * time.Second

// Each tenant has its own index here, so that a batch of many tenants shows where its records go.
var indexPerTenant = []string{
	"yaml:exporters::opensearch::logs_index: workflow-logs-{dify.tenant_id}",
	"yaml:exporters::opensearch::traces_index: dify-traces-{dify.tenant_id}",
}

// Stopped during an outage of any kind, the collector exits in time, and nothing is lost or duplicated.
func testTerminatedInAnOutage(t *testing.T, at *site) {
	s := newStand(t, at, standOptions{tenants: 3, random: newRandom(t), config: indexPerTenant})
	s.load.perTenant = true
	for _, outage := range []struct {
		name, reason string
		begin, end   func(t *testing.T)
	}{
		{"connections refused", "unreachable", func(*testing.T) { s.proxy.refuse() }, s.proxy.accept},
		{
			"node hangs", "timeout",
			func(t *testing.T) { require.NoError(t, s.node.Pause()) },
			func(t *testing.T) { require.NoError(t, s.node.Unpause()) },
		},
	} {
		t.Run(outage.name, func(t *testing.T) {
			outage.begin(t)
			s.emit(t, portion{runs: 1000, spans: 2000})
			for range 2 { // several separate requests of the exporter
				body, err := s.load.request(100, big(120_000))
				require.NoError(t, err)
				require.NoError(t, s.load.send(t.Context(), body))
			}
			s.waitRetried(t, outage.reason)
			took := s.Terminate(t)
			t.Logf("exit after %s", took)
			assert.Less(t, took, exitLimit)
			assert.Contains(t, s.Log(), "Documents are in storage and are delivered after the next start")
			outage.end(t)
			s.Restart(t)
			s.expectEveryDocumentOnce(t)
		})
	}
}

// When the queue is full, requests are refused with a retryable error, and runs wait in Dify's tables.
func testFullQueuePushesBack(t *testing.T, at *site) {
	s := newStand(t, at, standOptions{
		tenants: 3,
		random:  newRandom(t),
		config: []string{
			"yaml:exporters::opensearch::sending_queue::queue_size: 2",
			"yaml:exporters::opensearch::sending_queue::num_consumers: 1",
			"yaml:receivers::workflow_log::page_size: 10",
		},
	})
	s.proxy.refuse()
	require.NoError(t, s.load.runs(t.Context(), 200, false))
	var refused []byte
	wait.For(t, "the collector to refuse spans", func(ctx context.Context) error {
		body, err := s.load.request(spansPerRequest, nil)
		if err != nil {
			return err
		}
		status, err := s.load.post(ctx, body)
		if err == nil && status == http.StatusOK {
			err = fmt.Errorf("status %d", status)
		}
		refused = body
		return err
	})
	wait.For(t, "workflow_log to be refused", func(ctx context.Context) error {
		full, err := s.OwnMetric(ctx, "otelcol_exporter_enqueue_failed_log_records_total", `exporter="opensearch"`)
		if err == nil && full == 0 {
			err = fmt.Errorf("%v records", full)
		}
		return err
	})
	s.proxy.accept(t)
	require.NoError(t, s.load.send(t.Context(), refused))
	s.expectEveryDocumentOnce(t)
}
