// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package celeryqueuereceiver

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDiscovery(t *testing.T) {
	addr := startRedis(t, redis7(t))
	endpoint := fmt.Sprintf("redis://:%s@%s/1", testPassword, addr)
	declare(t, addr, "dataset", "my_own", "other:theirs")
	push(t, addr, map[string]int{"my_own": 2})
	s := newTestScraper(t, endpoint, func(c *Config) {
		onlyDataset(c)
		c.Discovery = DiscoveryConfig{Enabled: true, Interval: time.Second, MaxQueues: 3}
	})
	s.cfg.Discovery.Interval = time.Nanosecond // each collection looks
	scrape := func() map[string]int64 {
		md, err := s.scrape(t.Context())
		require.NoError(t, err)
		return lengths(t, md)
	}
	assert.Equal(t, map[string]int64{"dataset": 0, "my_own": 2, "unacked": 0}, scrape())

	admin(t, addr, func(client *redis.Client) {
		require.NoError(t, client.Del(t.Context(), "my_own", "_kombu.binding.my_own").Err())
	})
	assert.Equal(t, map[string]int64{"dataset": 0, "my_own": 0, "unacked": 0}, scrape(), "once found a queue stays")

	declare(t, addr, "third", "too_many")
	assert.Equal(
		t,
		map[string]int64{"dataset": 0, "my_own": 0, "third": 0, "unacked": 0},
		scrape(),
		"max_queues bounds the series",
	)
}

func TestDiscoveryFailureLeavesTheKnownQueues(t *testing.T) {
	addr := startRedis(t, redis7(t))
	declare(t, addr, "dataset")
	admin(t, addr, func(client *redis.Client) {
		require.NoError(
			t,
			client.Do(t.Context(), "ACL", "SETUSER", "w", "on", ">w", "~*", "-@all", "+select", "+llen", "+hlen", "+exists").
				Err(),
		)
	})
	s := newTestScraper(t, "redis://w:w@"+addr+"/1", func(c *Config) { onlyDataset(c); c.Discovery.Enabled = true })
	md, err := s.scrape(t.Context())
	require.ErrorContains(t, err, "discovery: the Redis user lacks permission to read the queues")
	assert.Equal(t, map[string]int64{"dataset": 0, "unacked": 0}, lengths(t, md))
}

func TestBoundQueue(t *testing.T) {
	for member, want := range map[string]string{
		"dataset\x06\x16\x06\x16dataset":                              "dataset",
		"\x06\x16\x06\x16celery@host.celery.pidbox":                   "", // a worker's mailbox
		"worker.#\x06\x16^worker\\..*?$\x06\x16celeryev.8f0d":         "", // a watcher's
		"text of another make":                                        "",
		"key\x06\x16pattern\x06\x16queue\x06\x16and something behind": "",
	} {
		assert.Equal(t, want, boundQueue(member), "%q", member)
	}
}

func TestGlobQuoted(t *testing.T) {
	assert.Equal(t, `a\*b\?c\[d\]e\\f`, globQuoted(`a*b?c[d]e\f`))
}
