// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// expectEveryDocumentOnce waits until there are as many documents as were emitted and nothing is queued, and then
// checks each.
func (s *stand) expectEveryDocumentOnce(t *testing.T) {
	t.Helper()
	want := s.load.expectations()
	s.waitForDocuments(t, s.indices(), len(want))
	s.waitIdle(t)

	found, wrong := 0, 0
	require.NoError(
		t,
		s.node.Walk(t.Context(), s.indices(), []string{"@timestamp", "startTime", "attributes"}, func(hit servers.Hit) {
			found++
			key, err := check(hit, want)
			if err != nil {
				wrong++
				if wrong < 10 {
					t.Error(err)
				}
			}
			delete(want, key)
		}),
	)
	assert.Empty(t, want, "emitted, and not there")
	assert.Zero(t, wrong, "documents that are wrong, of %d", found)
}

func (s *stand) waitForDocuments(t *testing.T, pattern string, want int) {
	t.Helper()
	last, progress := -1, time.Now()
	// As long as documents arrive, the test keeps waiting, for slow machines.
	for {
		got := -1
		err := wait.Until(t.Context(), wait.Deadline, func(ctx context.Context) (err error) {
			got, err = s.node.Count(ctx, pattern)
			if err == nil && got != want && got == last {
				err = fmt.Errorf("%d documents in %s, expected %d", got, pattern, want)
			}
			return err
		})
		require.NoError(t, err, "no progress since %s", progress)
		if got == want {
			return
		}
		last, progress = got, time.Now()
	}
}

// check compares a document with what is expected, and returns the key of the expectation.
func check(hit servers.Hit, all map[string]expected) (key string, err error) {
	attributes, _ := hit.Source["attributes"].(map[string]any)
	event, at := eventSpan, "startTime"
	key = event + "/" + hit.ID
	if name, ok := attributes["event.name"]; ok {
		event, at = fmt.Sprint(name), "@timestamp"
		key = fmt.Sprintf("%s/%v", event, attributes["dify.workflow_run_id"])
		if hit.ID != attributes["log.record.uid"] {
			return key, fmt.Errorf("%s has the id %s, and the uid %v", key, hit.ID, attributes["log.record.uid"])
		}
	}
	want, ok := all[key]
	if !ok {
		return key, fmt.Errorf("%s is there twice, or was never emitted", key)
	}
	if hit.Source["@timestamp"] != hit.Source[at] {
		return key, fmt.Errorf("%s is of %v, and began at %v", key, hit.Source["@timestamp"], hit.Source[at])
	}
	got, err := time.Parse(time.RFC3339Nano, fmt.Sprint(hit.Source["@timestamp"]))
	if err != nil {
		return key, fmt.Errorf("%s: %w", key, err)
	}
	if event != eventStuck && !got.Equal(want.at) {
		return key, fmt.Errorf("%s is of %s, expected %s", key, got, want.at)
	}
	if day := got.UTC().Format(dayLayout); hit.Index[len(hit.Index)-len(day):] != day {
		return key, fmt.Errorf("%s of %s is in %s", key, got, hit.Index)
	}
	if event != eventStuck && hit.Index != want.index {
		return key, fmt.Errorf("%s is in %s, expected %s", key, hit.Index, want.index)
	}
	if attributes["dify.tenant_id"] != want.tenant {
		return key, fmt.Errorf("%s says tenant %v, expected %s", key, attributes["dify.tenant_id"], want.tenant)
	}
	return key, nil
}
