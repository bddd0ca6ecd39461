// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// Permanently rejected documents are kept in the dead-letter index, or in storage if they are rejected there, too.
// Once the cause is fixed, the documented command writes each to its index.
func testRefusedDocumentsCanBeReplayed(t *testing.T, at *site) {
	s := newStand(t, at, standOptions{
		tenants: 3,
		random:  newRandom(t),
		before:  func(s *stand) { s.createMisfitIndex(t) },
	})
	body, err := s.load.request(spansPerRequest, nil)
	require.NoError(t, err)
	require.NoError(t, s.load.send(t.Context(), body))
	s.expectEveryDocumentOnce(t)

	body, err = s.load.request(refused, misfit)
	require.NoError(t, err)
	for round := 1; round <= 2; round++ { // the second time changes nothing
		require.NoError(t, s.load.send(t.Context(), body))
		s.waitForItems(t, "dead_letter", round*refused)
	}
	s.checkLetters(t)
	body, err = s.load.request(1, big(1<<21)) // too large for the node, both alone and as a dead letter
	require.NoError(t, err)
	require.NoError(t, s.load.send(t.Context(), body))
	s.waitForItems(t, "dead_letter_stored", 1)
	assert.InDelta(t, 1, s.metric(t.Context(), "stored_items"), 0)

	// The operator raises the node's limit, and deletes the index that rejects all spans.
	require.NoError(t, s.node.Restart(t.Context(), "http.max_content_length=100mb"))
	s.Terminate(t)
	s.Restart(t)
	s.waitForDocuments(t, deadLetters, refused+1)
	output, err := s.replay(t, "status:400")
	require.Error(t, err, "the index is still the same")
	assert.Contains(t, output, "nothing was deleted")
	s.waitForDocuments(t, deadLetters, refused+1)
	s.api(t, http.MethodDelete, "/"+s.misfitIndex(), nil)

	output, err = s.replay(t, "status:400 AND index:"+s.misfitIndex())
	require.NoError(t, err, output)
	assert.Contains(
		t, output, fmt.Sprintf("replayed %d, already present 0, deleted from %s %d", refused, deadLetters, refused),
	)
	output, err = s.replay(t)
	require.NoError(t, err, output)
	s.waitForDocuments(t, deadLetters, 0)
	s.expectEveryDocumentOnce(t)
}

// waitForItems waits until that many documents had an outcome since the collector's start.
func (s *stand) waitForItems(t *testing.T, outcome string, want int) {
	t.Helper()
	wait.For(t, "documents that are "+outcome, func(ctx context.Context) error {
		if got := s.metric(ctx, "items_total", `outcome="`+outcome+`"`); int(got) != want {
			return fmt.Errorf("%v, expected %d", got, want)
		}
		return nil
	})
}

const deadLetters = "otelcol-dify-dead-letter"

// checkLetters checks the dead letters that an operator finds.
func (s *stand) checkLetters(t *testing.T) {
	t.Helper()
	letters, err := s.node.Search(t.Context(), deadLetters, servers.All())
	require.NoError(t, err)
	require.Len(t, letters, refused)
	for _, letter := range letters {
		assert.InDelta(t, http.StatusBadRequest, letter.Source["status"], 0)
		assert.Equal(t, "mapper_parsing_exception", letter.Source["type"])
		assert.Contains(t, letter.Source["reason"], "failed to parse field [name] of type [integer]")
		assert.Equal(t, s.misfitIndex(), letter.Source["index"])
		assert.Contains(t, s.load.expectations(), fmt.Sprintf("%s/%v", eventSpan, letter.Source["id"]))
		assert.Contains(t, letter.Source["document"], `"name":"GET /orders"`)
		assert.NotEmpty(t, letter.Source["@timestamp"])
	}
	assert.NotContains(t, s.Log(), "GET /orders", "the log reports dead letters without their content")
	assert.Contains(t, s.Log(), "OpenSearch permanently rejected documents")
}
