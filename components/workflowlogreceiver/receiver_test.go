// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Until every pipeline has started, the exporters of one may not be ready.
func TestWorkBeginsWithTheLastPipeline(t *testing.T) {
	r := newHarness(t, checkpointConfig(), newMemory(), &sink{})
	shared := r.receiver.(*workflowLogReceiver)
	require.NoError(t, r.receiver.Start(t.Context(), r.host))
	assert.Nil(t, shared.client)
	require.NoError(t, r.receiver.Start(t.Context(), r.host))
	assert.NotNil(t, shared.client)
}
