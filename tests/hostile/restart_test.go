// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestQueuedInputStopsNoStart kills the collector while large and odd input is in its queues and in flight: it starts
// again each time, with little memory, and delivers the rest when OpenSearch is there.
func TestQueuedInputStopsNoStart(t *testing.T) {
	r := newBackEndRig(t)
	peaks := []func() int64{watchMemory(t, r.Collector)}
	require.NoError(t, r.search.Pause())
	queued := [][]byte{
		inSpan(text(60 << 20)),
		inSpan(wrap(9, wrap(2, wrap(1, repeat("\x01", 20<<20))))),
		inSpan(nested(30, false)),
		inScope(repeat(string(wrap(2, wrap(5, []byte("x")))), 100_000)),
	}
	for _, body := range queued {
		assert.Equal(t, http.StatusOK, post(t, r.Collector, "/v1/traces", protobuf, body))
	}
	id, now := fmt.Sprintf("%032x", 7), time.Now().UnixNano()
	good := fmt.Appendf(nil, `"traceId":"%s","spanId":"%016x","name":"good","startTimeUnixNano":"%d","endTimeUnixNano":"%[3]d"`,
		id, 7, now)
	require.Equal(t, http.StatusOK, post(t, r.Collector, "/v1/traces", json, spanJSON(string(good))))
	for range 2 {
		r.Kill(t)
		require.NoError(t, os.Remove(r.socket)) // as the volume of the compose file does
		r.Restart(t)
		peaks = append(peaks, watchMemory(t, r.Collector))
		checkGood(t, r.Collector, 0)
	}
	require.NoError(t, r.search.Unpause())
	eventually(t, "the good span behind them", func() error {
		hits, err := r.search.Search(t.Context(), "dify-traces-*", map[string]any{"term": map[string]any{"traceId": id}})
		if err == nil && len(hits) != 1 {
			err = fmt.Errorf("%d documents", len(hits))
		}
		return err
	})
	r.settle(t, 1)
	require.NoError(t, r.Alive())
	for _, peak := range peaks {
		t.Logf("peak %d MiB", peak()>>20)
		assert.Positive(t, peak())
		assert.Less(t, peak(), int64(memoryLimit))
	}
	assert.NotContains(t, r.Log(), "panic")
}
