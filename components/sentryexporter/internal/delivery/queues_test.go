// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper/xexporterhelper"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/metadata"
)

var storageID = component.MustNewIDWithName("file_storage", "queue")

// mapStorage is a storage extension with one client.
type mapStorage struct {
	component.StartFunc
	component.ShutdownFunc
	values map[string][]byte
}

func (m *mapStorage) GetExtensions() map[component.ID]component.Component {
	return map[component.ID]component.Component{storageID: m}
}

func (m *mapStorage) GetClient(context.Context, component.Kind, component.ID, string) (storage.Client, error) {
	return m, nil
}

func (m *mapStorage) Get(_ context.Context, key string) ([]byte, error) { return m.values[key], nil }

func (m *mapStorage) Set(_ context.Context, key string, v []byte) error {
	m.values[key] = v
	return nil
}

func (m *mapStorage) Delete(_ context.Context, key string) error       { delete(m.values, key); return nil }
func (*mapStorage) Batch(context.Context, ...*storage.Operation) error { return nil }
func (*mapStorage) Close(context.Context) error                        { return nil }

// opened are the queues that were created, by component ID.
type opened map[string]xexporterhelper.RequestConsumeFunc

func newTestQueues(t *testing.T, routes ...RouteDSN) (*Queues, opened) {
	t.Helper()
	destinations, err := NewDestinations("https://secretkey@host/1", routes)
	require.NoError(t, err)
	queues := opened{}
	set := exportertest.NewNopSettings(metadata.Type)
	set.ID = component.NewID(metadata.Type)
	q, err := NewQueues(t.Context(), QueuesSettings{
		Settings: set, Kind: KindLogs, Storage: &storageID, Destinations: destinations,
		Push: func(context.Context, xexporterhelper.Request) error { return nil },
		Open: func(_ context.Context, set exporter.Settings, push xexporterhelper.RequestConsumeFunc) (*Queue, error) {
			queues[set.ID.String()] = push
			c := struct {
				component.StartFunc
				component.ShutdownFunc
			}{}
			return NewQueue(c, nil, true), nil
		},
	})
	require.NoError(t, err)
	return q, queues
}

func (m *mapStorage) projects(t *testing.T) (names []string) {
	t.Helper()
	require.NoError(t, json.Unmarshal(m.values[projectsKey], &names))
	return names
}

func TestQueuesAreNamedWithoutTheKey(t *testing.T) {
	_, queues := newTestQueues(
		t,
		RouteDSN{Routes: []item.Route{{Attribute: "a", Value: "b"}}, DSN: "https://secretkey@host:9000/2"},
	)
	require.Len(t, queues, 2)
	assert.Contains(t, queues, "sentry")
	assert.Contains(t, queues, "sentry/@host:9000/2")
}

func TestFormerQueueIsForgottenWhenItIsEmpty(t *testing.T) {
	disk := &mapStorage{values: map[string][]byte{}}
	q, _ := newTestQueues(t, RouteDSN{Routes: []item.Route{{Attribute: "a", Value: "b"}}, DSN: "https://secretkey@host/2"})
	require.NoError(t, q.Start(t.Context(), disk))
	assert.Equal(t, []string{"", "host/2"}, disk.projects(t), "stored before anything is queued")
	require.NoError(t, q.Shutdown(t.Context()))

	q, queues := newTestQueues(t)
	require.NoError(t, q.Start(t.Context(), disk))
	require.Contains(t, queues, "sentry/@host/2", "no longer configured, but it may contain something")
	require.NoError(t, queues["sentry/@host/2"](t.Context(), &request{}))
	q.former.started = time.Now().Add(-2 * formerUnused)
	require.NoError(t, q.Shutdown(t.Context()))
	assert.Contains(t, disk.projects(t), "host/2", "it was used by this process")

	q, _ = newTestQueues(t)
	require.NoError(t, q.Start(t.Context(), disk))
	require.NoError(t, q.Shutdown(t.Context()))
	assert.Contains(t, disk.projects(t), "host/2", "it was not open for long enough")

	q, _ = newTestQueues(t)
	require.NoError(t, q.Start(t.Context(), disk))
	q.former.started = time.Now().Add(-2 * formerUnused)
	require.NoError(t, q.Shutdown(t.Context()))
	assert.Equal(t, []string{""}, disk.projects(t), "it was found empty")
}

func TestDamagedListOfQueuesStaysAsItIs(t *testing.T) {
	disk := &mapStorage{values: map[string][]byte{projectsKey: []byte("{")}}
	q, _ := newTestQueues(t)
	require.ErrorContains(t, q.Start(t.Context(), disk), "the list of queues in `sending_queue::storage` is damaged")
	require.NoError(t, q.Shutdown(t.Context()))
	assert.Equal(t, "{", string(disk.values[projectsKey]))
}
