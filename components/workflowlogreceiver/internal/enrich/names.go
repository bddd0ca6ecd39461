// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package enrich

import (
	"context"
	"time"
)

const (
	// nameAge is how long a name from the database is used, and therefore how late a rename is noticed.
	nameAge = 5 * time.Minute
	// maxNames bounds a cache. A full cache is emptied; it fills again at the cost of one lookup per page.
	maxNames = 20_000
)

// names caches rows of apps or tenants by ID, including the fact that a row does not exist.
type names[T any] struct {
	id    func(T) string
	cache map[string]cachedName[T]
}

type cachedName[T any] struct {
	row  T
	read time.Time
}

func newNames[T any](id func(T) string) *names[T] {
	return &names[T]{id: id, cache: map[string]cachedName[T]{}}
}

// load ensures that the cache contains the IDs. There are at most as many as a page has rows.
func (n *names[T]) load(
	ctx context.Context, ids []string, now time.Time, lookUp func(context.Context, []string) ([]T, error),
) error {
	if len(n.cache)+len(ids) > maxNames {
		clear(n.cache)
	}
	missing := n.missing(ids, now)
	if len(missing) == 0 {
		return nil
	}
	rows, err := lookUp(ctx, missing)
	if err != nil {
		return err
	}
	for _, id := range missing {
		n.cache[id] = cachedName[T]{read: now}
	}
	for _, row := range rows {
		n.cache[n.id(row)] = cachedName[T]{row: row, read: now}
	}
	return nil
}

func (n *names[T]) missing(ids []string, now time.Time) []string {
	var missing []string
	asked := map[string]bool{"": true}
	for _, id := range ids {
		if cached, ok := n.cache[id]; ok && now.Sub(cached.read) < nameAge || asked[id] {
			continue
		}
		asked[id] = true
		missing = append(missing, id)
	}
	return missing
}

// get returns the row, or an empty one if it does not exist.
func (n *names[T]) get(id string) T {
	return n.cache[id].row
}
