// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// A writer that is removed while OpenSearch is unavailable delivers its queue with drain.yaml, which consumes nothing
// more.
func TestLeavingWriterDrains(t *testing.T) {
	r := newRigWith(t, rigOptions{env: map[string]string{"OTELCOL_OPENSEARCH_URL": "http://127.0.0.1:1"}})
	produce := func(n uint64) {
		log := record(t, fmt.Sprint("record ", n))
		for topic, message := range map[string][]byte{"traces": span(t, n), "logs": log, "workflow-logs": log} {
			_, err := r.kafka.Produce(t.Context(), r.topic(topic), int32(n%partitions), message)
			require.NoError(t, err)
		}
	}
	taken := []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	for _, n := range taken {
		produce(n)
	}
	leaving := r.addWriter(t)
	r.expectConsumed(t, "traces", "logs", "workflow-logs")
	waiting, err := leaving.OwnMetric(
		t.Context(),
		"otelcol_exporter_queue_size",
		`exporter="opensearch"`,
		`data_type="traces"`,
	)
	require.NoError(t, err)
	assert.InDelta(t, len(taken), waiting, 0, "traces in the queue")

	r.opts.env["OTELCOL_OPENSEARCH_URL"] = r.search.URL // it is back
	leaving.Terminate(t)
	produce(11)
	draining := r.start(t, leaving.storage, "writer.yaml", "drain.yaml")
	assert.ElementsMatch(t, spanIDs(taken...), documentIDs(r.expectDocuments(t, len(taken), spanIndices)))
	r.expectDocuments(t, len(taken), lineIndices)
	r.expectDocuments(t, len(taken), runIndices)
	require.NoError(t, untilNone(t.Context(), wait.Deadline, draining.waiting))
	for _, topic := range []string{"traces", "logs", "workflow-logs"} {
		lag, err := r.kafka.Lag(t.Context(), r.group(topic), r.topic(topic))
		require.NoError(t, err)
		assert.EqualValues(t, 1, lag, "messages of %s that a writer has still to take", topic)
	}
	draining.Terminate(t)
}
