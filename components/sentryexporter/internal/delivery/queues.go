// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"errors"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper/xexporterhelper"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
)

// OpenFunc creates the queue of one project, whose consumers call push.
type OpenFunc func(ctx context.Context, set exporter.Settings, push xexporterhelper.RequestConsumeFunc) (*Queue, error)

// Kinds of queues, which are part of the name of the stored list of projects.
const (
	KindErrors       = "errors"
	KindTransactions = "transactions"
	KindLogs         = "logs"
)

// QueuesSettings are the settings of Queues.
type QueuesSettings struct {
	exporter.Settings

	Kind         string
	Open         OpenFunc
	Push         xexporterhelper.RequestConsumeFunc
	Destinations *Destinations
	// Storage is the ID of the storage extension of the queues; nil if they are in memory.
	Storage *component.ID
}

// Queues are one queue for each project, so that a project that is limited or cannot be reached does not block the
// others. With a storage, the queue of a project that is no longer configured is drained too: its items go where the
// routes lead now.
type Queues struct {
	set       QueuesSettings
	byProject map[string]*Queue
	former    *formerQueues

	shutdown    sync.Once
	shutdownErr error
}

// NewQueues creates the queues of all configured projects.
func NewQueues(ctx context.Context, set QueuesSettings) (*Queues, error) {
	q := &Queues{set: set, byProject: map[string]*Queue{}}
	q.former = &formerQueues{set: set, open: q.open}
	for _, project := range set.Destinations.projects() {
		var err error
		if q.byProject[project], err = q.open(ctx, project, set.Push); err != nil {
			return nil, err
		}
	}
	return q, nil
}

// Kind returns the kind of items in the queues.
func (q *Queues) Kind() string { return q.set.Kind }

// open creates the queue of a project. That of the default project has the exporter's own name, in telemetry and
// storage.
func (q *Queues) open(ctx context.Context, project string, push xexporterhelper.RequestConsumeFunc) (*Queue, error) {
	set := q.set.Settings
	set.Logger = filterLog(set.Logger, q.set.Storage != nil)
	if project != "" {
		set.ID = component.NewIDWithName(set.ID.Type(), set.ID.Name()+"@"+project)
	}
	return q.set.Open(ctx, set, push)
}

// Start starts all queues, or none.
func (q *Queues) Start(ctx context.Context, host component.Host) error {
	if err := q.former.start(ctx, host, q.byProject); err != nil {
		return errors.Join(err, q.Shutdown(ctx))
	}
	for _, one := range q.all() {
		if err := one.Start(ctx, host); err != nil {
			return errors.Join(err, q.Shutdown(ctx))
		}
	}
	return nil
}

func (q *Queues) all() []*Queue {
	var out []*Queue
	for _, one := range q.byProject {
		out = append(out, one)
	}
	for _, one := range q.former.queues {
		out = append(out, one.Queue)
	}
	return out
}

// Queue puts each item into the queue of its project. It returns the items that found no room, which the caller
// counts, and the items that failed, which the client should send again because of err. The destination of each item
// must exist.
func (q *Queues) Queue(ctx context.Context, items []*item.Item) (dropped, failed []*item.Item, err error) {
	byProject := map[string][]*item.Item{}
	for _, it := range items {
		project := q.set.Destinations.Of(it.Route).Project
		byProject[project] = append(byProject[project], it)
	}
	for project, items := range byProject {
		noRoom, queueErr := q.byProject[project].queue(ctx, items)
		dropped = append(dropped, noRoom...)
		if queueErr != nil {
			failed, err = append(failed, items...), errors.Join(err, queueErr)
		}
	}
	return dropped, failed, err
}

// Shutdown ends all queues at the same time, so that none uses up the time of another. It may be called more than once.
func (q *Queues) Shutdown(ctx context.Context) error {
	q.shutdown.Do(func() {
		var done sync.WaitGroup
		all := q.all()
		errs := make([]error, len(all))
		for i, one := range all {
			done.Go(func() { errs[i] = one.Shutdown(ctx) })
		}
		done.Wait()
		q.shutdownErr = errors.Join(errors.Join(errs...), q.former.shutdown(ctx, q.byProject))
	})
	return q.shutdownErr
}
