// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// A message that is not telemetry is skipped and logged without its content. The messages around it arrive.
func TestPoisonMessageIsSkipped(t *testing.T) {
	r := newRigWith(t, rigOptions{writers: 1, metrics: true})
	const content = "poison-of-this-test"
	const poison = "\x0a\x7f" + content // it declares a resource of 127 bytes
	good := map[string][2][]byte{
		"traces":        {span(t, 1), span(t, 2)},
		"logs":          {record(t, "line 1"), record(t, "line 2")},
		"workflow-logs": {record(t, "run 1"), record(t, "run 2")},
		"metrics":       {gauge(t, "poison.before", 1), gauge(t, "poison.after", 2)},
	}
	offsets := map[string]int64{}
	for topic, around := range good {
		for _, message := range [][]byte{around[0], []byte(poison), nil, {}, around[1]} { // nil is a tombstone
			offset, err := r.kafka.Produce(t.Context(), r.topic(topic), 0, message)
			require.NoError(t, err)
			if string(message) == poison {
				offsets[topic] = offset
			}
		}
	}

	assert.ElementsMatch(t, spanIDs(1, 2), documentIDs(r.expectDocuments(t, 2, spanIndices)))
	assert.ElementsMatch(t, []string{"line 1", "line 2"}, documentIDs(r.expectDocuments(t, 2, lineIndices)))
	assert.ElementsMatch(t, []string{"run 1", "run 2"}, documentIDs(r.expectDocuments(t, 2, runIndices)))
	wait.For(t, "the metrics", func(ctx context.Context) error {
		return shows(ctx, r.metrics.Prometheus, "poison_before", "poison_after")
	})

	counters := map[string]string{
		"traces": "spans", "logs": "log_records", "workflow-logs": "log_records",
		"metrics": "metric_points",
	}
	for topic, items := range counters {
		reads := r.writers[0]
		if topic == "metrics" {
			reads = r.metrics
		}
		r.expectConsumed(t, topic)
		reads.expectMetric(t, 1, "otelcol_kafka_receiver_unmarshal_failed_"+items+"_total", `topic="`+r.topic(topic)+`"`)
		place := []string{
			fmt.Sprintf(`"topic": %q`, r.topic(topic)),
			`"partition": 0`,
			fmt.Sprintf(`"offset": %d`, offsets[topic]),
		}
		assert.Len(t, reads.logLines(append(place, "skipping")...), 1, "log lines about %s", topic)
		assert.NotContains(t, reads.Log(), content)
	}
}

// shows reports whether Prometheus would find series of these names.
func shows(ctx context.Context, address string, names ...string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !strings.Contains(string(text), "\n"+name) {
			return fmt.Errorf("no series %s", name)
		}
	}
	return nil
}
