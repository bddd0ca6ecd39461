// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/storagetest"
)

// headerKey is the key of the checkpoint's header.
const headerKey = "checkpoint"

func checkpointConfig() *Config {
	cfg := createDefaultConfig().(*Config)
	cfg.Storage = &storageID
	return cfg
}

// A checkpoint that cannot be used is an error at the start, which closes the storage.
func TestCheckpointThatCannotBeUsed(t *testing.T) {
	stored := newMemory()
	require.NoError(t, stored.Set(t.Context(), headerKey, []byte("torn")))
	r := newHarness(t, checkpointConfig(), stored, &sink{})
	err := r.start(t.Context(), r.host)
	require.ErrorContains(t, err, `the checkpoint in storage "file_storage/checkpoint" cannot be read`)
	assert.Equal(t, 1, stored.Closed())
	assert.Equal(t, "torn", string(stored.Value(headerKey)))
}

// brokenStorage fails to read.
type brokenStorage struct{ *storagetest.Memory }

func (b brokenStorage) GetClient(context.Context, component.Kind, component.ID, string) (storage.Client, error) {
	return b, nil
}

func (brokenStorage) Get(context.Context, string) ([]byte, error) {
	return nil, errors.New("disk error")
}

func TestStorageThatCannotBeUsed(t *testing.T) {
	for name, test := range map[string]struct {
		extension component.Component
		want      string
	}{
		"cannot be read": {
			brokenStorage{newMemory()}, `read the checkpoint from storage "file_storage/checkpoint": disk error`,
		},
		"is not a storage": {
			struct{ component.Component }{}, `the extension "file_storage/checkpoint" is not a storage extension`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newHarness(t, checkpointConfig(), test.extension, &sink{})
			require.ErrorContains(t, r.start(t.Context(), r.host), test.want)
		})
	}
	r := newHarness(t, checkpointConfig(), nil, &sink{})
	require.ErrorContains(
		t, r.start(t.Context(), componenttest.NewNopHost()), `there is no extension "file_storage/checkpoint"`,
	)
}
