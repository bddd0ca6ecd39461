// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package celeryqueuereceiver

import (
	"context"
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.opentelemetry.io/collector/scraper/scrapererror"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/otelcol-dify/otelcol-dify/components/celeryqueuereceiver/internal/metadata"
	"github.com/otelcol-dify/otelcol-dify/components/celeryqueuereceiver/internal/metadatatest"
)

func newTestScraper(t *testing.T, endpoint string, change func(*Config)) *queueScraper {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	cfg.Endpoint = configopaque.String(endpoint)
	if change != nil {
		change(cfg)
	}
	require.NoError(t, cfg.Validate())
	s, err := newQueueScraper(cfg, receivertest.NewNopSettings(metadata.Type))
	require.NoError(t, err)
	require.NoError(t, s.start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { assert.NoError(t, s.shutdown(context.Background())) })
	return s
}

func lengths(t *testing.T, md pmetric.Metrics) map[string]int64 {
	t.Helper()
	got := map[string]int64{}
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				require.Equal(t, "{task}", m.Unit())
				if m.Name() == "celery.queue.unacked" {
					got["unacked"] = m.Gauge().DataPoints().At(0).IntValue()
					continue
				}
				require.Equal(t, "celery.queue.length", m.Name())
				for _, p := range m.Gauge().DataPoints().All() {
					queue, ok := p.Attributes().Get("celery.queue")
					require.True(t, ok)
					got[queue.Str()] = p.IntValue()
				}
			}
		}
	}
	return got
}

func TestScrape(t *testing.T) {
	for name, binary := range redisBinaries(t) {
		t.Run(name, func(t *testing.T) { testScrape(t, binary) })
	}
}

func testScrape(t *testing.T, binary string) {
	addr := startRedis(t, binary)
	declare(t, addr, "dataset", "p:dataset")
	reserve(t, addr, map[string]int{"unacked": 2, "p:unacked": 1})
	push(t, addr, map[string]int{
		"dataset": 3, "dataset\x06\x163": 2, "dataset\x06\x169": 1, // three priorities of one queue
		"monitor": 4, "p:mail": 5, "not_a_queue_of_dify": 9,
	})
	endpoint := fmt.Sprintf("redis://:%s@%s/1", testPassword, addr)

	t.Run("every queue of Dify, empty ones as 0", func(t *testing.T) {
		md, err := newTestScraper(t, endpoint, nil).scrape(t.Context())
		require.NoError(t, err)
		want := map[string]int64{}
		for _, queue := range defaultQueues() {
			want[queue] = 0
		}
		want["dataset"], want["monitor"], want["unacked"] = 6, 4, 2
		assert.Equal(t, want, lengths(t, md))
	})
	t.Run("key prefix", func(t *testing.T) {
		s := newTestScraper(t, endpoint, func(c *Config) { c.KeyPrefix, c.Queues = "p", []string{"mail", "dataset"} })
		md, err := s.scrape(t.Context())
		require.NoError(t, err)
		assert.Equal(t, map[string]int64{"mail": 5, "dataset": 0, "unacked": 1}, lengths(t, md))
	})
	t.Run("a key that is not a list is a gap in its own queue only", func(t *testing.T) {
		client := redis.NewClient(&redis.Options{Addr: addr, Password: testPassword, DB: 1})
		require.NoError(t, client.Set(t.Context(), "odd", "text", 0).Err())
		require.NoError(t, client.Close())
		md, err := newTestScraper(t, endpoint, func(c *Config) { c.Queues = []string{"odd", "dataset"} }).scrape(t.Context())
		require.ErrorContains(t, err, "queue odd could not be read: a queue's key is not a list")
		assert.True(t, scrapererror.IsPartialScrapeError(err))
		assert.Equal(t, map[string]int64{"dataset": 6, "unacked": 2}, lengths(t, md))
	})
	t.Run("a wrong password is an error that says so without it", func(t *testing.T) {
		md, err := newTestScraper(t, "redis://:wr-ong@"+addr+"/1", nil).scrape(t.Context())
		require.ErrorContains(t, err, "Redis rejected the credentials in `endpoint`")
		assert.NotContains(t, err.Error(), "wr-ong")
		assert.Zero(t, md.MetricCount())
	})
	t.Run("the wrong database is a gap, not zeros", func(t *testing.T) {
		md, err := newTestScraper(t, fmt.Sprintf("redis://:%s@%s/0", testPassword, addr), nil).scrape(t.Context())
		require.ErrorContains(t, err, "`endpoint` may have the wrong database")
		assert.Zero(t, md.MetricCount())
	})
	t.Run("a wrong prefix is a gap, not zeros", func(t *testing.T) {
		s := newTestScraper(t, endpoint, func(c *Config) { c.KeyPrefix = "q" })
		_, err := s.scrape(t.Context())
		require.ErrorContains(t, err, "`key_prefix` may differ from Dify's REDIS_KEY_PREFIX")
	})
	t.Run("no password", func(t *testing.T) {
		_, err := newTestScraper(t, "redis://"+addr+"/1", nil).scrape(t.Context())
		require.ErrorContains(t, err, "Redis requires credentials")
	})
	t.Run("a database that does not exist", func(t *testing.T) {
		_, err := newTestScraper(t, fmt.Sprintf("redis://:%s@%s/99", testPassword, addr), nil).scrape(t.Context())
		require.ErrorContains(t, err, "does not exist in Redis")
	})
}

func TestScrapeWithoutServer(t *testing.T) {
	md, err := newTestScraper(t, "redis://:"+testPassword+"@127.0.0.1:1/1", nil).scrape(t.Context())
	require.ErrorContains(t, err, "no queue could be read")
	require.ErrorContains(t, err, "Redis at 127.0.0.1:1/1, from `endpoint` (CELERY_BROKER_URL): nothing listens there")
	require.ErrorContains(t, err, "127.0.0.1:1: connect: connection refused")
	assert.NotContains(t, err.Error(), testPassword)
	assert.Zero(t, md.MetricCount(), "an error is a gap, never a number")
}

func TestCollectionsAreCounted(t *testing.T) {
	telemetry := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, telemetry.Shutdown(context.Background())) })
	set := receivertest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = telemetry.NewTelemetrySettings()
	cfg := createDefaultConfig().(*Config)
	cfg.Endpoint = "redis://127.0.0.1:1/1"
	s, err := newQueueScraper(cfg, set)
	require.NoError(t, err)
	require.NoError(t, s.start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { assert.NoError(t, s.shutdown(context.Background())) })
	for range 2 {
		_, err = s.collect(t.Context())
		require.Error(t, err)
	}
	metadatatest.AssertEqualCeleryQueueCollections(t, telemetry, []metricdata.DataPoint[int64]{
		{Attributes: resultOK, Value: 0}, {Attributes: resultFailed, Value: 2},
	}, metricdatatest.IgnoreTimestamp())
}

func TestInstanceID(t *testing.T) {
	id := func(endpoint, prefix string) string {
		b, err := parseBroker(endpoint)
		require.NoError(t, err)
		return instanceID(&Config{Endpoint: configopaque.String(endpoint), KeyPrefix: prefix}, b)
	}
	first := id("redis://:one@redis:6379/1", "")
	assert.Equal(t, first, id("redis://:other@redis/1", ""), "a new password is the same broker")
	assert.NotEqual(t, first, id("redis://:one@redis:6379/2", ""))
	assert.NotEqual(t, first, id("redis://:one@redis:6379/1", "p"))
}
