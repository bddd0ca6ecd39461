// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestClockOfTheServer(t *testing.T) {
	for name, c := range map[string]struct {
		off   time.Duration
		lines int
	}{"alike": {20 * time.Second, 0}, "behind": {-time.Hour, 1}, "ahead": {10 * time.Minute, 1}} {
		t.Run(name, func(t *testing.T) {
			r := newRelay(t)
			r.respond = func(w http.ResponseWriter, _ *envelope) int {
				w.Header().Set("Date", time.Now().Add(c.off).UTC().Format(http.TimeFormat))
				return 0
			}
			h := startAt(t, r, nil, nil)
			for i := range uint64(5) {
				require.NoError(t, h.traces.ConsumeTraces(t.Context(), failing(time.Now(), i+1)))
			}
			h.stop(t)
			logged := h.messages.FilterMessageSnippet("synchronize this host's clock (NTP)").All()
			require.Len(t, logged, c.lines)
			if c.lines > 0 {
				assert.InDelta(t, -c.off, logged[0].ContextMap()["ahead"], float64(30*time.Second))
				requireNoSecret(t, h)
			}
		})
	}
}

func TestClockOfTheOrigin(t *testing.T) {
	r := newRelay(t)
	h := startAt(t, r, nil, nil)
	for i := range uint64(5) {
		require.NoError(t, h.traces.ConsumeTraces(t.Context(), failing(time.Now().Add(5*time.Minute), i+1)))
	}
	h.stop(t)
	require.Len(t, h.messages.FilterMessageSnippet("Telemetry has timestamps in the future").All(), 1)
	assert.Len(t, r.raw("event"), 5, "sent all the same")
}
