// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// fakeDatabase is a table of runs in memory, with a clock that the test sets.
type fakeDatabase struct {
	now   time.Time
	runs  []source.Run
	nodes []source.Node
}

func (f *fakeDatabase) sorted() []source.Run {
	slices.SortFunc(f.runs, func(a, b source.Run) int { return order(a.Position(), b.Position()) })
	return f.runs
}

func order(a, b source.Position) int {
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.ID, b.ID))
}

func (*fakeDatabase) Lock(context.Context) (error, error) { return nil, nil }
func (*fakeDatabase) Close(context.Context) error         { return nil }
func (f *fakeDatabase) Now(ctx context.Context, _ time.Duration) (source.Clock, error) {
	return f.clock(), ctx.Err()
}

func (f *fakeDatabase) clock() source.Clock { return source.Clock{UTC: f.now, Local: f.now} }

func (*fakeDatabase) Local(_ context.Context, at time.Time) (time.Time, error) { return at, nil }

func (*fakeDatabase) Inspect(context.Context) (source.Schema, error) {
	return source.Schema{RunsByTime: true, AppLogsByRun: true, NodesByRun: source.NodesByRunID, MessagesByTime: true}, nil
}

func (f *fakeDatabase) RunsAfter(_ context.Context, after source.Position, limit int) ([]source.Run, error) {
	return f.between(after, source.Position{CreatedAt: f.now.AddDate(1, 0, 0)}, limit), nil
}

func (f *fakeDatabase) Keys(
	_ context.Context, table source.Table, after, upTo source.Position, limit int,
) ([]source.Key, error) {
	if table == source.Messages {
		return nil, nil
	}
	var keys []source.Key
	for _, run := range f.between(after, upTo, limit) {
		keys = append(keys, run.Key)
	}
	return keys, nil
}

func (f *fakeDatabase) between(after, upTo source.Position, limit int) []source.Run {
	var runs []source.Run
	for _, run := range f.sorted() {
		if order(run.Position(), after) > 0 && order(run.Position(), upTo) <= 0 && len(runs) < limit {
			runs = append(runs, run)
		}
	}
	return runs
}

func (*fakeDatabase) MessagesAfter(context.Context, source.Position, int) ([]source.Message, error) {
	return nil, nil
}

func (*fakeDatabase) Messages(context.Context, []string) ([]source.Message, error) { return nil, nil }

func (f *fakeDatabase) Runs(_ context.Context, ids []string) ([]source.Run, error) {
	var runs []source.Run
	for _, run := range f.runs {
		if slices.Contains(ids, run.ID) {
			runs = append(runs, run)
		}
	}
	return runs, nil
}

func (f *fakeDatabase) Existing(_ context.Context, ids []string) ([]string, error) {
	var existing []string
	for _, run := range f.runs {
		if slices.Contains(ids, run.ID) {
			existing = append(existing, run.ID)
		}
	}
	return existing, nil
}

func (f *fakeDatabase) Details(_ context.Context, runs []*source.Run) (source.Details, error) {
	var nodes []source.Node
	for _, node := range f.nodes {
		if slices.ContainsFunc(runs, func(run *source.Run) bool { return run.ID == node.RunID }) {
			nodes = append(nodes, node)
		}
	}
	return source.Details{Nodes: nodes}, nil
}

func (f *fakeDatabase) DetailsAndRunsAfter(
	ctx context.Context, runs []*source.Run, after source.Position, limit int,
) (source.Details, []source.Run, error) {
	details, _ := f.Details(ctx, runs)
	next, err := f.RunsAfter(ctx, after, limit)
	return details, next, err
}

func (*fakeDatabase) Pauses(context.Context, []string) ([]source.Pause, error) { return nil, nil }

func (*fakeDatabase) ScanAppLogs(context.Context, string, int) ([]source.AppLog, string, error) {
	return nil, "", nil
}

func (*fakeDatabase) TableSizes(context.Context) ([]source.TableSize, error, error) {
	return nil, nil, nil
}

func (*fakeDatabase) DataSizes(context.Context, []string) (map[string]int64, error, error) {
	return nil, nil, nil
}

func (*fakeDatabase) Count(context.Context, source.Count) ([]source.StatusCount, error, error) {
	return nil, nil, nil
}

func (*fakeDatabase) AppLogsEnd(context.Context) (string, error) { return "0", nil }

func (*fakeDatabase) Apps(_ context.Context, ids []string) ([]source.App, error) {
	apps := make([]source.App, len(ids))
	for i, id := range ids {
		apps[i] = source.App{ID: id, Name: "name of " + id, Mode: "workflow"}
	}
	return apps, nil
}

func (*fakeDatabase) Tenants(_ context.Context, ids []string) ([]source.Tenant, error) {
	tenants := make([]source.Tenant, len(ids))
	for i, id := range ids {
		tenants[i] = source.Tenant{ID: id, Name: "Acme"}
	}
	return tenants, nil
}
