// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"context"
	"maps"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fluent/fluent-logger-golang/fluent"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/proc"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/recordings"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
)

// A day of a topic that is replayed into an emptied OpenSearch produces the same documents, except for their observed
// time.
func TestReplayGivesTheSameDocuments(t *testing.T) {
	ports, err := proc.FreePorts(1)
	require.NoError(t, err)
	r := newRigWith(
		t, rigOptions{env: map[string]string{"OTELCOL_FLUENT_ENDPOINT": "127.0.0.1:" + strconv.Itoa(ports[0])}},
	)
	r.opts.env["OTELCOL_SENTRY_DSN"] = "" // off while replaying
	r.recordDay(t, ports[0])
	r.assertNoContentInKafka(t)

	writer := r.start(t, "", "writer.yaml")
	first := r.written(t, writer)
	writer.Terminate(t)
	require.NoError(t, r.search.Reset(t.Context()))
	for _, topic := range []string{"traces", "logs", "workflow-logs"} {
		require.NoError(t, r.kafka.Rewind(t.Context(), r.group(topic), r.topic(topic), 0))
	}
	again := r.written(t, r.start(t, "", "writer.yaml"))

	assert.Len(t, again, len(first))
	perIndex := map[string]int{}
	for id, document := range first {
		kind, _, _ := strings.Cut(id, "-20")
		perIndex[kind]++
		require.Equal(t, document, again[id], id)
	}
	assert.Equal(t, 22, perIndex["workflow-logs"])
	assert.Greater(t, perIndex["dify-traces"], 5000)
	assert.Greater(t, perIndex["dify-logs"], 450) // what a worker prints at its start is one record
}

// recordDay sends all recordings to Kafka: spans, log lines of containers, and the runs of a database.
func (r *rig) recordDay(t *testing.T, fluentPort int) {
	t.Helper()
	postgres := servers.SharedPostgres(t)
	dify := postgres.NewDify(t, func(ctx context.Context, database string) error {
		return postgres.Restore(ctx, database, recordings.Unzipped(t, recordings.Rows))
	})
	maps.Copy(r.opts.env, dify.Env)
	r.opts.overlays = []string{"yaml:receivers::workflow_log::start_at: beginning"}
	gateway := r.start(t, "", "gateway.yaml", "reader.yaml")
	r.opts.overlays = nil
	for _, request := range recordings.Lines(t, recordings.Traces) {
		require.Equal(t, http.StatusOK, export(t, gateway.OTLPHTTP, "traces", jsonFormat, []byte(request)))
	}
	lines := sendLines(t, fluentPort, "api") + sendLines(t, fluentPort, "worker")
	gateway.expectMetric(t, float64(lines), "otelcol_receiver_accepted_log_records_total", `receiver="fluent_forward"`)
	gateway.expectMetric(t, 22, "otelcol_exporter_sent_log_records_total", `exporter="kafka/workflow_logs"`)
	gateway.expectMetric(t, 0, "otelcol_exporter_queue_size")
	gateway.Terminate(t)
}

// assertNoContentInKafka searches for what the user and the application wrote in the recordings.
func (r *rig) assertNoContentInKafka(t *testing.T) {
	t.Helper()
	recorded := strings.ReplaceAll(
		strings.Join(recordings.Lines(t, recordings.Traces), "\n"),
		`\"`,
		`"`,
	) + recordedLines(
		t, "worker",
	)
	var kept strings.Builder
	for _, topic := range []string{"traces", "logs", "workflow-logs", "metrics"} {
		messages, err := r.kafka.Messages(t.Context(), r.topic(topic))
		require.NoError(t, err)
		for _, message := range messages {
			kept.Write(message.Value)
		}
	}
	for _, content := range []string{`"hello`, `'hello'`, "echo hi", "sys.user_id"} {
		assert.Contains(t, recorded, content)
		assert.NotContains(t, kept.String(), content)
	}
}

func recordedLines(t *testing.T, container string) string {
	t.Helper()
	text, err := os.ReadFile(recordings.Unzipped(t, "recordings/"+container+".log.gz"))
	require.NoError(t, err)
	return string(text)
}

// sendLines sends what a container wrote, as Docker does, and returns the number of lines.
func sendLines(t *testing.T, port int, container string) int {
	t.Helper()
	client, err := fluent.New(fluent.Config{FluentHost: "127.0.0.1", FluentPort: port, SubSecondPrecision: true})
	require.NoError(t, err)
	n := 0
	for line := range strings.Lines(recordedLines(t, container)) {
		require.NoError(t, client.PostWithTime(container, time.Now(), map[string]string{
			"container_id": container, "container_name": "/docker-" + container + "-1", "source": "stderr",
			"log": strings.TrimSuffix(line, "\n"),
		}))
		n++
	}
	require.NoError(t, client.Close())
	return n
}

// written returns the documents by index and id, after a writer has written everything in Kafka.
func (r *rig) written(t *testing.T, writer *instance) map[string]map[string]any {
	t.Helper()
	r.expectConsumed(t, "traces", "logs", "workflow-logs")
	for _, waiting := range []string{
		"otelcol_exporter_queue_size", "otelcol_opensearch_bulk_blocked_requests", "otelcol_opensearch_bulk_stored_items",
	} {
		writer.expectMetric(t, 0, waiting)
	}
	documents := map[string]map[string]any{}
	for _, pattern := range []string{spanIndices, runIndices, lineIndices} {
		require.NoError(t, r.search.Walk(t.Context(), pattern, []string{"*"}, func(hit servers.Hit) {
			delete(hit.Source, "observedTimestamp")
			documents[hit.Index+"/"+hit.ID] = hit.Source
		}))
	}
	return documents
}
