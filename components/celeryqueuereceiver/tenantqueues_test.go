// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package celeryqueuereceiver

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// waitOfTenants fills lists of tenants as Dify does in its own database.
func waitOfTenants(t *testing.T, addr string, lengths map[string]int) {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr, Password: testPassword})
	defer func() { assert.NoError(t, client.Close()) }()
	for key, n := range lengths {
		for range n {
			require.NoError(t, client.LPush(t.Context(), key, "task").Err())
		}
	}
}

// tenantPoints returns the values of a kind's points by the last part of the metric's name.
func tenantPoints(t *testing.T, md pmetric.Metrics) map[string]int64 {
	t.Helper()
	got := map[string]int64{}
	for _, rm := range md.ResourceMetrics().All() {
		for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
			name, ok := strings.CutPrefix(m.Name(), "celery.tenant_queue.")
			if !ok {
				continue
			}
			for _, p := range m.Gauge().DataPoints().All() {
				require.Equal(t, 1, p.Attributes().Len(), "no label but the kind")
				kind, found := p.Attributes().Get("celery.tenant_queue.kind")
				require.True(t, found)
				got[kind.Str()+" "+name] = p.IntValue()
			}
		}
	}
	return got
}

func TestQueuesOfTenants(t *testing.T) {
	for _, prefix := range []string{"", "pr[o]d"} {
		t.Run("prefix "+prefix, func(t *testing.T) {
			addr := startRedis(t, redis7(t))
			admin(t, addr, func(client *redis.Client) {
				key := prefixed(prefix, "_kombu.binding.dataset")
				require.NoError(t, client.SAdd(t.Context(), key, "dataset\x06\x16\x06\x16dataset").Err())
			})
			s := newTestScraper(t, fmt.Sprintf("redis://:%s@%s/1", testPassword, addr), func(c *Config) {
				onlyDataset(c)
				c.KeyPrefix = prefix
				c.TenantQueues.Enabled = true
			})
			s.cfg.TenantQueues.Interval = time.Nanosecond // each collection searches
			scrape := func() map[string]int64 {
				md, err := s.scrape(t.Context())
				require.NoError(t, err)
				return tenantPoints(t, md)
			}
			assert.Equal(t, map[string]int64{
				"document_indexing count": 0, "document_indexing length": 0, "document_indexing longest": 0,
				"pipeline count": 0, "pipeline length": 0, "pipeline longest": 0,
			}, scrape(), "no queue is 0, not a gap")

			waiting := map[string]int{"tenant_self_pipeline_task_queue:a": 1, "unrelated": 9}
			for i := range 1500 { // more than one step of the scan
				waiting[fmt.Sprintf("tenant_self_document_indexing_task_queue:%d", i)] = 1
			}
			waiting["tenant_self_document_indexing_task_queue:busy"] = 50
			waiting["tenant_self_later_task_queue:a"] = 2
			waiting["tenant_self_latest_task_queue:a"] = 3
			keys := map[string]int{"elsewhere:tenant_self_pipeline_task_queue:a": 7} // another installation's
			for key, n := range waiting {
				keys[prefixed(prefix, key)] = n
			}
			waitOfTenants(t, addr, keys)
			assert.Equal(t, map[string]int64{
				"document_indexing count": 1501, "document_indexing length": 1550, "document_indexing longest": 50,
				"pipeline count": 1, "pipeline length": 1, "pipeline longest": 1,
				"other count": 2, "other length": 5, "other longest": 3,
			}, scrape())

			s.cfg.TenantQueues.MaxQueues = 100
			md, err := s.scrape(t.Context())
			require.ErrorContains(t, err, "more than 100 queues of tenants")
			assert.Empty(t, tenantPoints(t, md), "a part would be a wrong number")
			assert.Equal(t, 2, md.DataPointCount(), "the broker's queues are reported")
		})
	}
}

func TestQueuesOfTenantsWithLeastPrivilege(t *testing.T) {
	addr := startRedis(t, redis7(t))
	declare(t, addr, "dataset")
	waitOfTenants(t, addr, map[string]int{"tenant_self_pipeline_task_queue:a": 2})
	enable := func(c *Config) { onlyDataset(c); c.TenantQueues.Enabled = true }
	for permission, want := range map[string]int64{"+scan": 2, "-scan": 0} {
		admin(t, addr, func(client *redis.Client) {
			require.NoError(t, client.Do(t.Context(), "ACL", "SETUSER", "w", "reset", "on", ">w", "-@all", "+select", "+llen",
				"+hlen", "+exists", "~unacked", "~_kombu.binding.*", "~dataset*", "~tenant_self_*", permission).Err())
		})
		md, err := newTestScraper(t, "redis://w:w@"+addr+"/1", enable).scrape(t.Context())
		assert.Equal(t, want, tenantPoints(t, md)["pipeline length"], permission)
		if want == 0 {
			require.ErrorContains(t, err, "queues of tenants: the Redis user lacks permission")
			assert.Equal(t, 2, md.DataPointCount(), "the broker's queues are reported")
			continue
		}
		require.NoError(t, err)
	}
}
