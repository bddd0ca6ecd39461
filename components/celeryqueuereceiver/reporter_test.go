// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package celeryqueuereceiver

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-dify/otelcol-dify/components/celeryqueuereceiver/internal/metadata"
)

func TestReporter(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	r := newReporter(zap.New(core))
	host := &statusHost{Host: componenttest.NewNopHost()}
	r.host = host
	start := time.Now()
	away := func(port string) error { return errors.New("read 127.0.0.1:" + port + ": connection refused") }

	for i := range 481 { // two hours, a collection each 15 s
		r.collected(away([]string{"40001", "40002"}[i%2]), start.Add(time.Duration(i)*15*time.Second))
	}
	require.Len(t, logs.FilterLevelExact(zap.WarnLevel).All(), 3, "when it begins, and each hour")
	r.collected(errors.New("another cause"), start.Add(3*time.Hour))
	require.Len(t, logs.FilterLevelExact(zap.WarnLevel).All(), 4)
	r.collected(nil, start.Add(3*time.Hour))
	r.collected(nil, start.Add(3*time.Hour))
	require.Len(t, logs.FilterMessage("Reading the queues works again").All(), 1)
	assert.Equal(t, []componentstatus.Status{componentstatus.StatusRecoverableError, componentstatus.StatusOK}, host.got)
}

// A receiver that can't work starts, so that the others do, and logs one line without a stack trace.
func TestFailedCollectionsOfTheReceiver(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no server":        func(c *Config) { c.Endpoint = "redis://127.0.0.1:1/1" },
		"no such file":     func(c *Config) { c.Endpoint, c.TLS.CAFile = "rediss://127.0.0.1:1/1", "/does/not/exist" },
		"file of a broker": func(c *Config) { c.Endpoint = "rediss://127.0.0.1:1/1?ssl_ca_certs=/does/not/exist" },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := createDefaultConfig().(*Config)
			cfg.CollectionInterval, cfg.InitialDelay = 5*time.Millisecond, 0
			change(cfg)
			core, logs := observer.New(zap.InfoLevel)
			set := receivertest.NewNopSettings(metadata.Type)
			set.Logger = zap.New(core, zap.AddStacktrace(zap.ErrorLevel))
			r, err := createMetrics(t.Context(), set, cfg, consumertest.NewNop())
			require.NoError(t, err)
			host := &statusHost{Host: componenttest.NewNopHost(), reported: make(chan struct{}, 9)}
			require.NoError(t, r.Start(t.Context(), host))
			<-host.reported
			require.NoError(t, r.Shutdown(context.Background()))
			all := logs.All()
			require.Len(t, all, 1)
			assert.Equal(t, zap.WarnLevel, all[0].Level)
			assert.Empty(t, all[0].Stack)
			assert.Contains(t, all[0].ContextMap()["error"], "no queue could be read")
		})
	}
}

type statusHost struct {
	component.Host
	got      []componentstatus.Status
	reported chan struct{}
}

func (h *statusHost) Report(event *componentstatus.Event) {
	h.got = append(h.got, event.Status())
	if h.reported != nil {
		h.reported <- struct{}{}
	}
}
