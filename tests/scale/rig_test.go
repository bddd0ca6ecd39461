// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/otelcol-dify/otelcol-dify/testkit/sink"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/proc"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// partitions is the number of partitions of each topic, except for metrics.
const partitions = 6

// rig is all of config/scale between real servers, with a strict test double of Sentry's Relay.
type rig struct {
	kafka      *servers.Kafka
	search     *servers.OpenSearch
	prometheus *servers.Prometheus // scrapes the metrics collector alone
	sentry     *sink.Sentry
	dify       *servers.Dify

	balancer *balancer // of OTLP over HTTP, in front of the gateways
	gateways []*instance
	reader   *instance // a gateway that reads Dify's database, not in the balancer
	writers  []*instance
	metrics  *instance

	prefix string // of the topics
	opts   rigOptions
}

// rigOptions are the differences from the shipped files and from the shared servers.
type rigOptions struct {
	gateways, writers int
	reader, metrics   bool // whether there is one

	kafka         *servers.Kafka      // default: the shared one
	search        *servers.OpenSearch // default: the shared one
	overlays      []string            // over every file, as --config takes them
	writerOverlay []string            // over writer.yaml
	env           map[string]string   // of every collector
}

// instance is a collector with its own storage.
type instance struct {
	*collector.Collector
	storage string
}

var rigs atomic.Int32

// newRigWith starts what the options ask for.
func newRigWith(t *testing.T, opts rigOptions) *rig {
	t.Helper()
	r := &rig{opts: opts, prefix: fmt.Sprintf("test%d", rigs.Add(1)), kafka: opts.kafka, search: opts.search}
	if r.kafka == nil {
		r.kafka = servers.SharedKafka(t)
	}
	if r.search == nil {
		r.search = servers.SharedOpenSearch(t)
	}
	require.NoError(t, r.search.Reset(t.Context()))
	r.createTopics(t)
	r.listenSentry(t)

	for range opts.gateways {
		r.gateways = append(r.gateways, r.start(t, "", "gateway.yaml"))
	}
	for range opts.writers {
		r.addWriter(t)
	}
	if opts.reader {
		r.startReader(t)
	}
	if opts.metrics {
		r.metrics = r.start(t, "", "metrics.yaml")
		var err error
		r.prometheus, err = servers.StartPrometheus(t.Context(), r.metrics.Prometheus)
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, r.prometheus.Stop()) })
	}
	addresses := make([]string, 0, opts.gateways)
	for _, g := range r.gateways {
		addresses = append(addresses, g.OTLPHTTP)
	}
	r.balancer = newBalancer(t, addresses...)
	return r
}

// topic returns the name of a topic, by its content.
func (r *rig) topic(content string) string { return r.prefix + "-" + content }

// group returns the name of the consumer group that reads a topic.
func (r *rig) group(content string) string { return "otelcol-" + r.topic(content) }

func (r *rig) createTopics(t *testing.T) {
	t.Helper()
	many := []string{r.topic("traces"), r.topic("logs"), r.topic("workflow-logs")}
	require.NoError(t, r.kafka.CreateTopics(t.Context(), partitions, many...))
	require.NoError(t, r.kafka.CreateTopics(t.Context(), 1, r.topic("metrics")))
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		assert.NoError(t, r.kafka.DeleteTopics(ctx, append(many, r.topic("metrics"))...))
	})
}

func (r *rig) listenSentry(t *testing.T) {
	t.Helper()
	r.sentry = sink.NewSentry()
	server, err := sink.Listen(t.Context(), "127.0.0.1:0", r.sentry)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Close(context.WithoutCancel(t.Context()))) })
	if r.opts.env == nil {
		r.opts.env = map[string]string{}
	}
	r.opts.env["OTELCOL_SENTRY_DSN"] = sink.SentryDSN(server.URL())
}

func (r *rig) addWriter(t *testing.T) *instance {
	t.Helper()
	w := r.start(t, "", "writer.yaml")
	r.writers = append(r.writers, w)
	return w
}

func (r *rig) startReader(t *testing.T) {
	t.Helper()
	redis := servers.SharedRedis(t)
	require.NoError(t, redis.Reset(t.Context()))
	r.dify = servers.SharedPostgres(t).NewDify(t, nil)
	maps.Copy(r.opts.env, r.dify.Env)
	r.opts.env["CELERY_BROKER_URL"] = redis.URL(1)
	r.reader = r.start(t, "", "gateway.yaml", "reader.yaml")
	wait.For(t, "workflow_log reads the database", func(ctx context.Context) error {
		_, err := r.reader.OwnMetric(ctx, "otelcol_workflow_log_polls_total", `result="ok"`)
		return err
	})
}

// start runs a collector with files of config/scale. Without a given storage it gets a new one.
func (r *rig) start(t *testing.T, storage string, files ...string) *instance {
	t.Helper()
	if storage == "" {
		storage = t.TempDir()
	}
	ports, err := proc.FreePorts(1)
	require.NoError(t, err)
	env := map[string]string{
		"OTELCOL_KAFKA_BROKERS":      r.kafka.Brokers,
		"OTELCOL_KAFKA_TOPIC_PREFIX": r.prefix,
		"OTELCOL_FLUENT_ENDPOINT":    "127.0.0.1:" + strconv.Itoa(ports[0]),
		"OTELCOL_OPENSEARCH_URL":     r.search.URL,
		"OTELCOL_STORAGE_DIR":        storage,
	}
	maps.Copy(env, r.opts.env)
	configs := make([]string, 0, len(files))
	for _, file := range files {
		configs = append(configs, repo.Path("config", "scale", file))
	}
	if files[0] == "writer.yaml" {
		configs = append(configs, r.opts.writerOverlay...)
	}
	return &instance{
		Collector: collector.Start(t, collector.Options{Configs: append(configs, r.opts.overlays...), Env: env}),
		storage:   storage,
	}
}

// drain removes a writer as described in docs/scale.md: it stops, and its queue is delivered from its storage.
func (r *rig) drain(t *testing.T, w *instance) {
	t.Helper()
	w.Terminate(t)
	rest := r.start(t, w.storage, "writer.yaml", "drain.yaml")
	// OpenSearch may only just have started again.
	require.NoError(
		t, untilNone(t.Context(), 4*wait.Deadline, rest.waiting), "the queues of a writer that has left are not empty",
	)
	rest.Terminate(t)
}

// waiting returns how much has been accepted and not delivered: requests, documents and runs.
func (i *instance) waiting(ctx context.Context) (float64, error) {
	sum := 0.0
	for _, name := range []string{
		"otelcol_exporter_queue_size", "otelcol_opensearch_bulk_blocked_requests", "otelcol_opensearch_bulk_stored_items",
		"otelcol_exporter_sentry_runs_waiting",
	} {
		waiting, err := i.OwnMetric(ctx, name)
		if err != nil {
			return 0, err
		}
		sum += waiting
	}
	return sum, nil
}

// untilNone waits until nothing remains. It gives up only when what remains has not changed for the time that idle
// names: how long all of it takes depends on the machine.
func untilNone(ctx context.Context, idle time.Duration, remaining func(context.Context) (float64, error)) error {
	last := -1.0
	for last != 0 {
		err := wait.Until(ctx, idle, func(ctx context.Context) error {
			n, err := remaining(ctx)
			if err == nil && n > 0 && n == last {
				err = fmt.Errorf("%v remain", n)
			}
			if err == nil {
				last = n
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// expectConsumed waits until the groups have committed everything in their topics.
func (r *rig) expectConsumed(t *testing.T, contents ...string) {
	t.Helper()
	for _, content := range contents {
		require.NoError(t, untilNone(t.Context(), wait.Deadline, func(ctx context.Context) (float64, error) {
			lag, err := r.kafka.Lag(ctx, r.group(content), r.topic(content))
			return float64(lag), err
		}), "messages of %s are not committed", content)
	}
}

// ownServers starts a Kafka and an OpenSearch that the test may halt.
func ownServers(t *testing.T) (kafka *servers.Kafka, search *servers.OpenSearch) {
	t.Helper()
	starting, ctx := errgroup.WithContext(t.Context())
	starting.Go(func() (err error) {
		kafka, err = servers.StartOwnKafka(ctx)
		return err
	})
	starting.Go(func() (err error) {
		search, err = servers.StartOpenSearchNode(ctx, servers.NodeOptions{})
		return err
	})
	err := starting.Wait()
	t.Cleanup(func() {
		if kafka != nil {
			assert.NoError(t, kafka.Stop())
		}
		if search != nil {
			assert.NoError(t, search.Stop())
		}
	})
	require.NoError(t, err)
	return kafka, search
}
