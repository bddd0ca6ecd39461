// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper/xexporterhelper"
	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/otelcol-dify/otelcol-dify/components/internal/storageclient"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
)

// queues are one queue for each project, so that a project which is limited or cannot be reached holds up no other. With
// a storage, the queue of a project that is configured no more is emptied as well: its items go where the rules now say.
type queues struct {
	set      exporter.Settings
	cfg      *Config
	router   *router
	push     xexporterhelper.RequestConsumeFunc
	newQueue newQueueFunc
	kind     string // of what is queued, for the name of the stored list

	byProject map[string]*queue
	former    map[string]*formerQueue
	list      storage.Client // nil: nothing outlives the process
	started   time.Time

	shutdown    sync.Once
	shutdownErr error
}

// Values of queues.kind.
const (
	kindErrors       = "errors"
	kindTransactions = "transactions"
	kindLogs         = "logs"
)

// formerQueue is the queue of a project that is configured no more.
type formerQueue struct {
	*queue
	used atomic.Bool
}

// formerFor is how long an unused queue must have been open to be found empty.
const formerFor = time.Minute

type newQueueFunc func(context.Context, exporter.Settings, *Config, xexporterhelper.RequestConsumeFunc) (*queue, error)

func newQueues(ctx context.Context, set exporter.Settings, h *sharedState, kind string, newQueue newQueueFunc) (*queues, error) {
	q := &queues{
		set: set, cfg: h.cfg, router: h.router, push: h.pusher.push, newQueue: newQueue, kind: kind,
		byProject: map[string]*queue{}, former: map[string]*formerQueue{},
	}
	for _, dest := range h.router.all {
		if q.byProject[dest.project] != nil {
			continue // with another key
		}
		var err error
		if q.byProject[dest.project], err = q.open(ctx, dest.project, q.push); err != nil {
			return nil, err
		}
	}
	return q, nil
}

// open makes the queue of a project. That of `dsn` has the exporter's own name, in telemetry and storage.
func (q *queues) open(ctx context.Context, project string, push xexporterhelper.RequestConsumeFunc) (*queue, error) {
	set := q.set
	set.Logger = quiet(set.Logger, q.cfg.keeps())
	if project != "" {
		set.ID = component.NewIDWithName(set.ID.Type(), set.ID.Name()+"@"+project)
	}
	return q.newQueue(ctx, set, q.cfg, push)
}

// Start starts all of them, or none.
func (q *queues) Start(ctx context.Context, host component.Host) error {
	q.started = time.Now()
	if err := q.openFormer(ctx, host); err != nil {
		return errors.Join(err, q.Shutdown(ctx))
	}
	for _, one := range q.all() {
		if err := one.Start(ctx, host); err != nil {
			return errors.Join(err, q.Shutdown(ctx))
		}
	}
	return nil
}

func (q *queues) all() []*queue {
	var out []*queue
	for _, one := range q.byProject {
		out = append(out, one)
	}
	for _, one := range q.former {
		out = append(out, one.queue)
	}
	return out
}

// put hands each item to the queue of its project. It returns what was not taken and is to be counted, and what the
// sender upstream should send again.
func (q *queues) put(ctx context.Context, items []*item.Item) (dropped, failed []*item.Item, err error) {
	byProject := map[string][]*item.Item{}
	for _, it := range items {
		project := q.router.destination(it.Route).project
		byProject[project] = append(byProject[project], it)
	}
	for project, items := range byProject {
		full, putErr := q.byProject[project].put(ctx, items)
		dropped = append(dropped, full...)
		if putErr != nil {
			failed, err = append(failed, items...), errors.Join(err, putErr)
		}
	}
	return dropped, failed, err
}

// Shutdown ends all at the same time, so that none uses up the time of another. It may be called more than once.
func (q *queues) Shutdown(ctx context.Context) error {
	q.shutdown.Do(func() {
		var done sync.WaitGroup
		all := q.all()
		errs := make([]error, len(all))
		for i, one := range all {
			done.Go(func() { errs[i] = one.Shutdown(ctx) })
		}
		done.Wait()
		q.shutdownErr = errors.Join(errors.Join(errs...), q.closeList(ctx))
	})
	return q.shutdownErr
}

const listKey = "projects"

// openFormer opens the queues that the stored list names and the configuration does not.
func (q *queues) openFormer(ctx context.Context, host component.Host) error {
	if !q.cfg.keeps() {
		return nil
	}
	client, err := storageclient.Open(ctx, host, "sending_queue::storage", *q.cfg.QueueConfig.Get().StorageID,
		storageclient.Owner{Kind: component.KindExporter, ID: q.set.ID, Name: "projects-" + q.kind})
	if err != nil {
		return err
	}
	q.list = client
	names, err := q.storedNames(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		if q.byProject[name] != nil || q.former[name] != nil {
			continue
		}
		f := &formerQueue{}
		f.queue, err = q.open(ctx, name, func(ctx context.Context, r xexporterhelper.Request) error {
			f.used.Store(true)
			return q.push(ctx, r)
		})
		if err != nil {
			return err
		}
		q.former[name] = f
	}
	return q.saveList(ctx, false)
}

func (q *queues) storedNames(ctx context.Context) (names []string, err error) {
	stored, err := q.list.Get(ctx, listKey)
	if err != nil {
		return nil, fmt.Errorf("read the list of queues from `sending_queue::storage`: %w", err)
	}
	if stored != nil && json.Unmarshal(stored, &names) != nil {
		return nil, errors.New("the list of queues in `sending_queue::storage` is damaged: delete this exporter's `projects` files there; the queues of projects that are no longer configured are then not drained")
	}
	return names, nil
}

// saveList stores the names of the queues that may hold something: without those that were found empty.
func (q *queues) saveList(ctx context.Context, closing bool) error {
	names := []string{}
	for name := range q.byProject {
		names = append(names, name)
	}
	for name, f := range q.former {
		if !closing || f.used.Load() || time.Since(q.started) < formerFor {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	b, err := json.Marshal(names)
	if err != nil {
		return fmt.Errorf("encode the list of queues: %w", err)
	}
	return q.list.Set(ctx, listKey, b)
}

func (q *queues) closeList(ctx context.Context) error {
	if q.list == nil {
		return nil
	}
	return errors.Join(q.saveList(ctx, true), q.list.Close(ctx))
}
