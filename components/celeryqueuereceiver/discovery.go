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

// scanStep is how many keys Redis looks at per round trip of a search: some 100 microseconds of its time.
const scanStep = 1000

// finder looks for the queues that Celery's workers and senders have declared, by the bindings that kombu keeps.
type finder struct {
	cfg  *Config
	next time.Time
}

// due tells whether a search should begin, and sets the time of the next one.
func (f *finder) due(now time.Time) bool {
	if now.Before(f.next) {
		return false
	}
	f.next = now.Add(f.cfg.Discovery.Interval)
	return true
}

// find gives the names in order, also those found before an error.
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

// boundQueue reads kombu's form of a binding: routing key, pattern and queue. Mailboxes of workers, which have a
// process in their name, are not queues of tasks.
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

// globQuoted makes Redis take each character of a key for itself.
func globQuoted(key string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(key)
}
