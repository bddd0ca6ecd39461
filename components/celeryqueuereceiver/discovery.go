// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package celeryqueuereceiver

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// scanStep is how many keys Redis examines per round trip of a search, which takes it some 100 microseconds.
const scanStep = 1000

// finder searches for the queues that Celery's workers and senders have declared, by the bindings that kombu stores.
type finder struct {
	cfg  *Config
	next time.Time
}

// due reports whether a search should begin, and sets the time of the next one.
func (f *finder) due(now time.Time) bool {
	if now.Before(f.next) {
		return false
	}
	f.next = now.Add(f.cfg.Discovery.Interval)
	return true
}

// find returns the names in order, including those found before an error.
func (f *finder) find(ctx context.Context, client redis.UniversalClient) ([]string, error) {
	var queues []string
	pattern := globQuoted(prefixed(f.cfg.KeyPrefix, bindingKey(""))) + "*"
	keys := client.ScanType(ctx, 0, pattern, scanStep, "set").Iterator()
	for keys.Next(ctx) {
		members, err := client.SMembers(ctx, keys.Val()).Result()
		if err != nil {
			return ordered(queues), err
		}
		for _, member := range members {
			if queue := boundQueue(member); queue != "" {
				queues = append(queues, queue)
			}
		}
	}
	return ordered(queues), keys.Err()
}

func ordered(queues []string) []string {
	slices.Sort(queues)
	return slices.Compact(queues)
}

// boundQueue parses kombu's form of a binding: routing key, pattern and queue. It returns "" for mailboxes of workers,
// which are not queues of tasks.
func boundQueue(member string) string {
	parts := strings.Split(member, separator)
	if len(parts) != 3 {
		return ""
	}
	queue := parts[2]
	if strings.HasSuffix(queue, workerMailbox) || strings.HasPrefix(queue, "celeryev.") {
		return ""
	}
	return queue
}

// globQuoted escapes a key for use in a Redis pattern.
func globQuoted(key string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(key)
}
