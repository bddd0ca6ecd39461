// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-dify/otelcol-dify/testkit/schema"
)

// Files of a fixture, a folder of testdata that has the name of the collector's version that wrote it.
const (
	rowsFile    = "rows.json"      // what is in Dify's tables
	storageFile = "storage.tar.gz" // the collector's storage directory
	configFile  = "collector.yaml" // the configuration with which the old version wrote it
)

const (
	tenant = "11111111-1111-4111-8111-111111111111"
	app    = "22222222-2222-4222-8222-222222222222"

	// traces is the number of requests with spans. It is greater than the number of the exporter's consumers, so
	// that some requests are in flight when the collector stops, and others in the queue.
	traces = 25
	// rejected is the request whose root span OpenSearch rejected permanently, so that a dead letter is stored.
	rejected = 0

	rootSpan, childSpan = 1, 2
)

// rows are Dify's rows, in the order in which the runs started.
type rows struct {
	Database string `json:"database"` // address in the checkpoint
	Runs     []run  `json:"runs"`
}

type run struct {
	ID         string    `json:"id"`
	AppLogID   string    `json:"app_log_id"`
	CreatedAt  time.Time `json:"created_at"`
	FinishedAt time.Time `json:"finished_at"`
	Status     string    `json:"status"`
	// Open runs had not ended when the old collector stopped.
	Open bool `json:"open,omitempty"`
}

func readRows(folder string) (*rows, error) {
	text, err := os.ReadFile(filepath.Join(folder, rowsFile))
	if err != nil {
		return nil, err
	}
	r := &rows{}
	return r, json.Unmarshal(text, r)
}

func createApp(ctx context.Context, w *schema.Writer) error {
	if err := w.CreateTenant(ctx, schema.Tenant{ID: tenant, Name: "Acme"}); err != nil {
		return err
	}
	return w.CreateApp(ctx, schema.App{ID: app, TenantID: tenant, Name: "Translate", Mode: "workflow"})
}

func (r *run) start(ctx context.Context, w *schema.Writer) error {
	err := w.StartRun(ctx, schema.Run{
		ID: r.ID, TenantID: tenant, AppID: app, WorkflowID: app, CreatedBy: tenant, CreatedAt: r.CreatedAt,
	})
	if err != nil {
		return err
	}
	return w.AppendLog(ctx, schema.AppLog{
		ID: r.AppLogID, TenantID: tenant, AppID: app, WorkflowID: app, RunID: r.ID, CreatedBy: tenant,
		CreatedAt: r.CreatedAt,
	})
}

func (r *run) end(ctx context.Context, w *schema.Writer) error {
	outcome := schema.Outcome{
		Status: r.Status, FinishedAt: r.FinishedAt, Elapsed: r.FinishedAt.Sub(r.CreatedAt), TotalSteps: 2,
	}
	if r.Status == "failed" {
		outcome.Error = "model refused run " + r.ID
	}
	return w.EndRun(ctx, r.ID, outcome)
}

func traceOf(request int) (id pcommon.TraceID) {
	binary.BigEndian.PutUint64(id[:8], 0x0bad)
	binary.BigEndian.PutUint64(id[8:], uint64(request+1))
	return id
}
