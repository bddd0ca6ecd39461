// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/bulkapi"
)

func TestWaitingIndices(t *testing.T) {
	item := func(index string) chunk { return chunk{bulkapi.NewItem(index, "1", []byte("{}"))} }
	w := newWaitingIndices()
	woken := func() bool {
		select {
		case <-w.changed:
			return true
		default:
			return false
		}
	}
	w.remove(item("a"))
	assert.False(t, woken(), "nothing waits")
	w.add(item("a"))
	assert.True(t, woken(), "an index begins to wait")
	w.add(item("a"))
	w.remove(item("b"))
	assert.False(t, woken(), "nothing has changed")
	assert.True(t, w.contains("a"))
	w.remove(item("a"))
	assert.True(t, woken(), "the index accepts documents again")
	assert.False(t, w.any())

	w.add(item("a"))
	w.add(item("b"))
	w.beginPass()
	w.add(item("a"))
	w.endPass()
	assert.True(t, w.contains("a"))
	assert.False(t, w.contains("b"), "it was not among the failures of the pass")
}
