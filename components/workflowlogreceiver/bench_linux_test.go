// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/metadata"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/pdatatest"
)

const (
	// benchRunsEnv names the variable with the number of runs to read, for quick measurements.
	benchRunsEnv = "OTELCOL_BENCH_RUNS"

	benchRuns    = 1_000_000
	benchRounds  = 3
	benchTimeout = 20 * time.Minute
)

// BenchmarkBackfill reads a table of runs, with their app logs and node executions, from its beginning. The peer sends
// the same statements over one bare connection and discards the rows, which is the limit. Both have several
// alternating rounds, of which the fastest counts.
func BenchmarkBackfill(b *testing.B) {
	runs := benchRuns
	if text := os.Getenv(benchRunsEnv); text != "" {
		var err error
		runs, err = strconv.Atoi(text)
		require.NoError(b, err)
	}
	server := startPostgres(b)
	db := server.newDatabase(b)
	fillHistory(b, db, runs)
	recording := filepath.Join(b.TempDir(), "statements")
	cfg := benchConfig(db)
	recorded := benchConfig(db)
	recorded.Port = startRecorder(b, recorded.Host, recorded.Port, recording)
	backfill(b, recorded, runs)

	for b.Loop() {
		ours, peer, memory := time.Duration(0), time.Duration(0), uint64(0)
		for range benchRounds {
			above := memoryAbove(b)
			took := backfill(b, cfg, runs)
			memory = max(memory, above())
			ours = fastest(ours, took)
			peer = fastest(peer, replay(b, server, db.name, recording))
		}
		b.ReportMetric(peer.Seconds()/ours.Seconds(), "ratio")
		b.ReportMetric(float64(runs)/ours.Seconds(), "runs/s")
		b.ReportMetric(float64(runs)/peer.Seconds(), "peer-runs/s")
		b.ReportMetric(float64(memory)/(1<<20), "MiB-above-idle")
	}
}

// benchConfig has an operator's intervals: those of the tests are short.
func benchConfig(db *database) *Config {
	cfg, usual := db.config(), createDefaultConfig().(*Config)
	cfg.PollInterval, cfg.MetricsInterval = usual.PollInterval, usual.MetricsInterval
	return cfg
}

func fastest(known, took time.Duration) time.Duration {
	if known == 0 {
		return took
	}
	return min(known, took)
}

// fillHistory inserts runs that ended long ago.
func fillHistory(tb testing.TB, db *database, runs int) {
	tb.Helper()
	script, err := os.ReadFile(filepath.Join("testdata", "history.sql"))
	require.NoError(tb, err)
	require.NoError(tb, db.run(strings.ReplaceAll(string(script), "{runs}", strconv.Itoa(runs))))
	require.NoError(tb, db.run("VACUUM ANALYZE"))
}

// backfill reads everything into a consumer that counts, and returns how long it took.
func backfill(b *testing.B, cfg *Config, runs int) time.Duration {
	b.Helper()
	received := make(chan struct{})
	counted := 0
	next, err := consumer.NewLogs(func(_ context.Context, logs plog.Logs) error {
		before := counted
		if counted += logs.LogRecordCount(); before < runs && counted >= runs {
			close(received)
		}
		return nil
	})
	require.NoError(b, err)
	start := time.Now()
	stop := startBare(b, cfg, next)
	defer stop()
	select {
	case <-received:
	case <-time.After(benchTimeout):
		require.FailNow(b, "the backfill does not end")
	}
	took := time.Since(start)
	require.Equal(b, runs, counted)
	return took
}

// startBare starts a receiver with both of its pipelines and a storage on disk, without anything that observes it.
func startBare(b *testing.B, cfg *Config, next consumer.Logs) (stop func()) {
	b.Helper()
	ctx := context.WithoutCancel(b.Context())
	storages := filestorage.NewFactory()
	storageConfig := storages.CreateDefaultConfig().(*filestorage.Config)
	storageConfig.Directory, storageConfig.FSync = b.TempDir(), true
	extension, err := storages.Create(ctx, extensiontest.NewNopSettings(storages.Type()), storageConfig)
	require.NoError(b, err)
	require.NoError(b, extension.Start(ctx, nil))

	settings := receivertest.NewNopSettings(metadata.Type)
	factory := NewFactory()
	logs, err := factory.CreateLogs(ctx, settings, cfg, next)
	require.NoError(b, err)
	metrics, err := factory.CreateMetrics(ctx, settings, cfg, consumertest.NewNop())
	require.NoError(b, err)
	started := []component.Component{logs, metrics}
	host := newHost(extension)
	for _, c := range started {
		require.NoError(b, c.Start(ctx, host))
	}
	return func() {
		for _, c := range append(started, extension) {
			require.NoError(b, c.Shutdown(ctx))
		}
	}
}

// BenchmarkLatency starts and ends 200 runs per second, as Dify does, and reports the time from the commit of a run's
// end to its arrival in the pipeline.
func BenchmarkLatency(b *testing.B) {
	const rate, seconds = 200, 30
	db := startPostgres(b).newDatabase(b)
	cfg := benchConfig(db)
	arrived := &arrivals{at: map[string]time.Time{}}
	defer startBare(b, cfg, arrived)()

	for b.Loop() {
		delays := arrived.after(b, endRuns(b, db, rate, seconds))
		b.ReportMetric(float64(delays[len(delays)/2].Milliseconds()), "p50-ms")
		b.ReportMetric(float64(delays[len(delays)*99/100].Milliseconds()), "p99-ms")
		b.ReportMetric(float64((cfg.PollInterval + 300*time.Millisecond).Milliseconds()), "allowed-p99-ms")
	}
}

// endRuns returns when the commit of each run's end was sent. A run lasts one second.
func endRuns(b *testing.B, db *database, rate, seconds int) map[string]time.Time {
	b.Helper()
	ended := map[string]time.Time{}
	ticker := time.NewTicker(time.Second / time.Duration(rate))
	defer ticker.Stop()
	var running []runRow
	for range rate * seconds {
		<-ticker.C
		run := newRun().as(difysemconv.StatusRunning)
		require.NoError(b, db.run(run.insertSQL()))
		running = append(running, run)
		if len(running) > rate {
			ended[running[0].id] = time.Now()
			db.end(b, running[0], difysemconv.StatusSucceeded)
			running = running[1:]
		}
	}
	return ended
}

// arrivals records when runs arrive.
type arrivals struct {
	mu sync.Mutex // guards at
	at map[string]time.Time
}

func (*arrivals) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (a *arrivals) ConsumeLogs(_ context.Context, logs plog.Logs) error {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	for record := range values(logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()) {
		a.at[pdatatest.Str(record.Attributes(), difysemconv.AttrWorkflowRunID)] = now
	}
	return nil
}

// after waits for the runs, and returns their delays in ascending order.
func (a *arrivals) after(b *testing.B, runs map[string]time.Time) []time.Duration {
	b.Helper()
	var delays []time.Duration
	require.Eventually(b, func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		delays = delays[:0]
		for id, sent := range runs {
			if at, ok := a.at[id]; ok {
				delays = append(delays, at.Sub(sent))
			}
		}
		return len(delays) == len(runs)
	}, waitFor, tick)
	slices.Sort(delays)
	return delays
}
