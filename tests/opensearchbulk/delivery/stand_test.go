// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package delivery runs the built binary with its shipped pipelines through outages of a real OpenSearch: every
// document exists once, in the right index.
package delivery

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/soak"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

func newRandom(t *testing.T) *rand.Rand {
	t.Helper()
	return rand.New(rand.NewPCG(soak.Seed(t), 0))
}

// Formats of spans.
const (
	ss4o   = "ss4o"
	otelV1 = "otel-v1"
)

// The collector's own user on a secure node.
const (
	user     = "otelcol"
	password = "Not-The-Demo-Password-4711" //nolint:gosec // of a node that exists during its test
)

// stand is the collector with its shipped configuration between a PostgreSQL and a proxied OpenSearch.
type stand struct {
	*collector.Collector
	node   *servers.OpenSearch
	proxy  *proxy
	db     *pgxpool.Pool
	load   *load
	secure bool
	format string // of spans
}

// site has the servers that take long to start: the tests use it one after another.
type site struct {
	node   *servers.OpenSearch
	pg     *servers.Postgres
	secure bool
	format string // of spans
}

func newSite(t *testing.T, secure bool, format string) *site {
	t.Helper()
	pg, err := servers.StartPostgres(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, pg.Stop()) })
	node, err := servers.StartOpenSearchNode(
		t.Context(), servers.NodeOptions{Secure: secure, Settings: []string{"http.max_content_length=1mb"}},
	)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, node.Stop()) })
	return &site{node, pg, secure, format}
}

// The slow nodes run in parallel, because they wait more than they work.
func TestPlain(t *testing.T) {
	t.Parallel()
	at := newSite(t, false, ss4o)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *site)
	}{
		{"every document once through all faults", testEveryDocumentOnceThroughAllFaults},
		{"terminated in an outage", testTerminatedInAnOutage},
		{"full queue pushes back", testFullQueuePushesBack},
		// The last one: it changes the node's settings.
		{"refused documents can be replayed", testRefusedDocumentsCanBeReplayed},
	} {
		require.True(t, t.Run(test.name, func(t *testing.T) { test.run(t, at) }), "the node may be left in any state")
	}
}

// The secure node gets the other format, so that the faults are tried with both.
func TestSecure(t *testing.T) {
	t.Parallel()
	at := newSite(t, true, otelV1)
	t.Run("every document once through all faults", func(t *testing.T) { testEveryDocumentOnceThroughAllFaults(t, at) })
}

type standOptions struct {
	config  []string // over the shipped one
	tenants int
	random  *rand.Rand
	before  func(s *stand) // the collector starts
}

// Faults of a minute last seconds here; not less, since a timeout that a busy node can't meet makes it even busier.
// Rows that exist before the collector's start are part of the load.
var quick = []string{
	"yaml:extensions::opensearch_bulk::attempt_timeout: 10s",
	"yaml:extensions::opensearch_bulk::retry::max_interval: 2s",
	"yaml:receivers::workflow_log::start_at: beginning",
}

func newStand(t *testing.T, at *site, opts standOptions) *stand {
	t.Helper()
	s := &stand{node: at.node, secure: at.secure, format: at.format}
	require.NoError(t, s.node.Reset(t.Context()))
	s.api(t, http.MethodDelete, "/_index_template/*", nil)
	env := s.openDatabase(t, at.pg)
	s.proxy = startProxy(t, s.node)
	env["OTELCOL_OPENSEARCH_URL"], env["OTELCOL_OPENSEARCH_FORMAT"] = s.proxy.URL, s.format
	if s.secure {
		env["OTELCOL_OPENSEARCH_CA_FILE"] = s.node.CAFile
		env["OTELCOL_OPENSEARCH_USERNAME"], env["OTELCOL_OPENSEARCH_PASSWORD"] = user, password
		s.setUser(t, password, "all_access")
	}
	s.load = newLoad(t, s.db, opts.random, opts.tenants, s.spanIndex())
	if opts.before != nil {
		opts.before(s)
	}
	s.Collector = collector.Start(t, collector.Options{
		Configs: append(append([]string{collector.ShippedConfig()}, quick...), opts.config...),
		Env:     env,
	})
	s.load.otlp = s.OTLPHTTP
	return s
}

func (s *stand) openDatabase(t *testing.T, pg *servers.Postgres) map[string]string {
	t.Helper()
	dify := pg.NewDify(t, nil)
	s.db = dify.Pool
	return dify.Env
}

// setUser sets the password and the role of the collector's user. Without a role it has no permissions.
func (s *stand) setUser(t *testing.T, secret, role string) {
	t.Helper()
	body := map[string]any{"password": secret, "opendistro_security_roles": []string{role}}
	s.api(t, http.MethodPut, "/_plugins/_security/api/internalusers/"+user, body)
	// The plugin clears its cache before it applies the change, so a request in between would cache the old state.
	s.api(t, http.MethodDelete, "/_plugins/_security/api/cache", nil)
}

// spanIndex is the beginning of the names of the indices with spans.
func (s *stand) spanIndex() string {
	if s.format == otelV1 {
		return "otel-v1-apm-span"
	}
	return "dify-traces"
}

// indices is the pattern of the documents that are expected.
func (s *stand) indices() string { return "workflow-logs-*," + s.spanIndex() + "-*" }

var misfitDay = time.Now().UTC().AddDate(0, 0, -10)

// misfitIndex is created before the templates, and rejects names that are not numbers. Nothing else has its day.
func (s *stand) misfitIndex() string { return s.spanIndex() + "-" + misfitDay.Format(dayLayout) }

func (s *stand) createMisfitIndex(t *testing.T) {
	t.Helper()
	s.api(t, http.MethodPut, "/"+s.misfitIndex(), map[string]any{
		"mappings": map[string]any{"properties": map[string]any{"name": map[string]any{"type": "integer"}}},
	})
}

// replay runs the documented command.
func (s *stand) replay(t *testing.T, query ...string) (output string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), repo.Path("config", "opensearch", "replay-dead-letters.sh"), query...)
	cmd.Env = append(os.Environ(), "OTELCOL_OPENSEARCH_URL="+s.node.URL)
	text, err := cmd.CombinedOutput()
	return string(text), err
}

// set changes a setting of the whole cluster; nil resets it.
func (s *stand) set(t *testing.T, name string, value any) {
	t.Helper()
	s.api(t, http.MethodPut, "/_cluster/settings", map[string]any{"persistent": map[string]any{name: value}})
}

// setIndices changes a setting of the existing indices.
func (s *stand) setIndices(t *testing.T, name string, value any) {
	t.Helper()
	s.api(t, http.MethodPut, "/"+s.indices()+"/_settings", map[string]any{name: value})
}

func (s *stand) api(t *testing.T, method, path string, body any) {
	t.Helper()
	require.NoError(t, s.node.Send(t.Context(), method, path, body, &struct{}{}))
}

// metric returns the value of one of the extension's metrics, or 0 if it does not exist yet.
func (s *stand) metric(ctx context.Context, name string, labels ...string) float64 {
	value, err := s.OwnMetric(ctx, "otelcol_opensearch_bulk_"+name, labels...)
	if err != nil {
		return 0
	}
	return value
}

// waitRetried waits until the collector has retried a request for a reason.
func (s *stand) waitRetried(t *testing.T, reason string) {
	t.Helper()
	// A collector that has just been killed encounters the fault in its setup.
	attempts := func(ctx context.Context) float64 {
		return s.metric(ctx, "retries_total", `reason="`+reason) + s.metric(ctx, "retries_total", `reason="setup"`)
	}
	before := attempts(t.Context())
	wait.For(t, "another attempt because of "+reason, func(ctx context.Context) error {
		if now := attempts(ctx); now <= before {
			return fmt.Errorf("%v attempts", now)
		}
		return nil
	})
}

// waitIdle waits until nothing is queued anywhere.
func (s *stand) waitIdle(t *testing.T) {
	t.Helper()
	wait.For(t, "empty queues", func(ctx context.Context) error {
		queued, err := s.OwnMetric(ctx, "otelcol_exporter_queue_size", `exporter="opensearch"`)
		if err != nil {
			return err
		}
		held, stored := s.metric(ctx, "blocked_requests"), s.metric(ctx, "stored_items")
		if queued+held+stored > 0 {
			return fmt.Errorf("%v requests are queued, %v held, %v documents stored", queued, held, stored)
		}
		return nil
	})
}
