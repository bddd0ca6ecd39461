// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/metadata"
)

func TestPushLeavesExactlyTheRest(t *testing.T) {
	var accepted []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		header, _ := bufio.NewReader(req.Body).ReadString('\n')
		switch {
		case strings.Contains(header, strings.Repeat("b", 32)):
			w.WriteHeader(http.StatusBadRequest)
		case strings.Contains(header, strings.Repeat("c", 32)):
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			accepted = append(accepted, header)
		}
	}))
	t.Cleanup(server.Close)
	telemetry, err := metadata.NewTelemetryBuilder(componenttest.NewNopTelemetrySettings())
	require.NoError(t, err)
	destinations, err := NewDestinations("http://key@"+strings.TrimPrefix(server.URL, "http://")+"/1", nil)
	require.NoError(t, err)
	p := NewPusher(t.Context(), PusherSettings{
		Destinations: destinations, Counters: NewCounters(telemetry, destinations, false), Logger: zap.NewNop(),
		Retry: configretry.NewDefaultBackOffConfig(), Now: time.Now,
	})
	p.SetClient(server.Client())
	req := &request{}
	for _, id := range []string{"a", "b", "c", "d"} {
		id = strings.Repeat(id, 32)
		payload := []byte(`{"event_id":"` + id + `"}`)
		req.items = append(req.items, &item.Item{
			Category: "error", EventID: id, Time: time.Now(), Count: 1, Size: len(payload), Payload: payload,
		})
	}
	err = p.Push(t.Context(), req)
	require.Error(t, err)
	assert.False(t, consumererror.IsPermanent(err))
	left := req.OnError(err).(*request)
	require.Len(t, left.items, 2, "the server is not asked again after it failed")
	assert.Same(t, req.items[2], left.items[0])
	assert.Same(t, req.items[3], left.items[1])
	assert.Equal(t, req.firstTry, left.firstTry)
	require.Len(t, accepted, 1)
	assert.Contains(t, accepted[0], strings.Repeat("a", 32))
	p.Shutdown(t.Context())
	assert.Empty(t, p.backedOff, "counted as lost")
}
