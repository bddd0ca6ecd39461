// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package tenantqueue reads the queues that Dify keeps for each tenant. They are lists in Dify's own database, not in
// Celery's broker: tasks wait there until the tenant has fewer running than TENANT_ISOLATED_TASK_CONCURRENCY.
package tenantqueue

import (
	"context"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

const (
	before = "tenant_self_"
	after  = "_task_queue:"
	// scanStep is how many keys Redis examines per round trip.
	scanStep = 1000
)

// Other is the kind of queues that later versions of Dify may add, so that the number of kinds is bounded.
const Other = "other"

// Backlog is what waits in the queues of one kind. Tenants are counted, never named.
type Backlog struct {
	Queues  int64 // that are not empty
	Tasks   int64
	Longest int64
}

// Read returns the backlog by kind; the known kinds are always present. Keys are searched by a scan of the database.
// More than limit queues are an error, because a part of them would be a wrong number.
func Read(ctx context.Context, client redis.UniversalClient, pattern string, limit int) (map[string]Backlog, error) {
	backlogs := map[string]Backlog{"document_indexing": {}, "pipeline": {}}
	seen := map[string]bool{} // a scan may return a key twice
	for cursor := uint64(0); ; {
		keys, next, err := client.ScanType(ctx, cursor, pattern, scanStep, "list").Result()
		if err != nil {
			return nil, err
		}
		var unseen []string
		for _, key := range keys {
			if !seen[key] {
				seen[key] = true
				unseen = append(unseen, key)
			}
		}
		if len(seen) > limit {
			return nil, fmt.Errorf("more than %d queues of tenants; raise `tenant_queues::max_queues`", limit)
		}
		if err := add(ctx, client, unseen, backlogs); err != nil {
			return nil, err
		}
		if cursor = next; cursor == 0 {
			return backlogs, nil
		}
	}
}

// Pattern matches the keys of all kinds and tenants; the prefix must be quoted.
func Pattern(prefix string) string {
	return prefix + before + "*" + after + "*"
}

// add adds the lengths of queues to the backlogs of their kinds.
func add(ctx context.Context, client redis.UniversalClient, keys []string, to map[string]Backlog) error {
	if len(keys) == 0 {
		return nil
	}
	lengths := make([]*redis.IntCmd, len(keys))
	if _, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, key := range keys {
			lengths[i] = p.LLen(ctx, key)
		}
		return nil
	}); err != nil {
		return err
	}
	for i, key := range keys {
		n := lengths[i].Val()
		if n == 0 { // taken since the scan
			continue
		}
		kind := kindOf(key)
		if _, known := to[kind]; !known {
			kind = Other
		}
		backlog := to[kind]
		backlog.Queues++
		backlog.Tasks += n
		backlog.Longest = max(backlog.Longest, n)
		to[kind] = backlog
	}
	return nil
}

// kindOf returns the part of a key between the fixed parts.
func kindOf(key string) string {
	_, rest, _ := strings.Cut(key, before)
	kind, _, _ := strings.Cut(rest, after)
	return kind
}
