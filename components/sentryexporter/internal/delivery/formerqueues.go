// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter/exporterhelper/xexporterhelper"
	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/otelcol-dify/otelcol-dify/components/internal/storageclient"
)

const (
	// projectsKey is the storage key of the list of projects.
	projectsKey = "projects"
	// formerUnused is how long an unused queue must have been open to be considered empty.
	formerUnused = time.Minute
)

// formerQueues are the queues of projects that are no longer configured. A list in the storage names the projects whose
// queues may contain something. It is written before a queue is used, and a name is removed from it only when its queue
// was found empty: a crash never leaves a queue that no list names.
type formerQueues struct {
	set     QueuesSettings
	open    func(ctx context.Context, project string, push xexporterhelper.RequestConsumeFunc) (*Queue, error)
	queues  map[string]*formerQueue
	client  storage.Client // nil without a storage
	started time.Time
}

type formerQueue struct {
	*Queue
	used atomic.Bool
}

// start opens the queues that the stored list names and the configuration does not. If it fails, the list stays as it
// is.
func (f *formerQueues) start(ctx context.Context, host component.Host, configured map[string]*Queue) error {
	f.started = time.Now()
	if f.set.Storage == nil {
		return nil
	}
	client, err := storageclient.Open(ctx, host, "sending_queue::storage", *f.set.Storage,
		storageclient.Owner{Kind: component.KindExporter, ID: f.set.ID, Name: "projects-" + f.set.Kind})
	if err != nil {
		return err
	}
	if err := f.load(ctx, client, configured); err != nil {
		return errors.Join(err, client.Close(ctx))
	}
	f.client = client
	return f.saveNames(ctx, configured, false)
}

func (f *formerQueues) load(ctx context.Context, client storage.Client, configured map[string]*Queue) error {
	names, err := storedNames(ctx, client)
	if err != nil {
		return err
	}
	f.queues = map[string]*formerQueue{}
	for _, name := range names {
		if configured[name] != nil || f.queues[name] != nil {
			continue
		}
		former, err := f.openFormer(ctx, name)
		if err != nil {
			return err
		}
		f.queues[name] = former
	}
	return nil
}

func (f *formerQueues) openFormer(ctx context.Context, name string) (*formerQueue, error) {
	former := &formerQueue{}
	queue, err := f.open(ctx, name, func(ctx context.Context, r xexporterhelper.Request) error {
		former.used.Store(true)
		return f.set.Push(ctx, r)
	})
	if err != nil {
		return nil, err
	}
	former.Queue = queue
	return former, nil
}

func storedNames(ctx context.Context, client storage.Client) (names []string, err error) {
	stored, err := client.Get(ctx, projectsKey)
	if err != nil {
		return nil, fmt.Errorf("read the list of queues from `sending_queue::storage`: %w", err)
	}
	if stored != nil && json.Unmarshal(stored, &names) != nil {
		return nil, errors.New("the list of queues in `sending_queue::storage` is damaged: delete this exporter's " +
			"`projects` files there; the queues of projects that are no longer configured are then not drained")
	}
	return names, nil
}

// saveNames stores the names of the queues that may contain something. When closing, that excludes those that were
// found empty.
func (f *formerQueues) saveNames(ctx context.Context, configured map[string]*Queue, closing bool) error {
	names := []string{}
	for name := range configured {
		names = append(names, name)
	}
	for name, former := range f.queues {
		if !closing || former.used.Load() || time.Since(f.started) < formerUnused {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	b, err := json.Marshal(names)
	if err != nil {
		return fmt.Errorf("encode the list of queues: %w", err)
	}
	return f.client.Set(ctx, projectsKey, b)
}

func (f *formerQueues) shutdown(ctx context.Context, configured map[string]*Queue) error {
	if f.client == nil {
		return nil
	}
	return errors.Join(f.saveNames(ctx, configured, true), f.client.Close(ctx))
}
