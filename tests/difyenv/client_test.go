// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyenv

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/pyenv"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

const (
	rightKey = "0a5d6f37c2b94e18"
	wrongKey = "f1e2d3c4b5a69788"
	requests = 3
	// Above gRPC's default limit of 4 MiB per message.
	bigPrompt = 5 << 20
)

// protocols are the two protocols, each with the optional lines of the example that it needs.
var protocols = []struct {
	name    string
	choices []string
	refusal string // the text in the client's log for a wrong key
}{
	{name: "HTTP", refusal: "code: 401"},
	{
		name:    "gRPC",
		choices: []string{"OTLP_BASE_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTLP_TRACE_ENDPOINT", "OTLP_METRIC_ENDPOINT"},
		refusal: "StatusCode.UNAUTHENTICATED",
	},
}

// back is the receiving side: the collector with real back ends.
type back struct {
	*collector.Collector
	search     *servers.OpenSearch
	prometheus *servers.Prometheus
}

// away are unreachable addresses for Dify's own servers, where none is needed.
var away = map[string]string{"DB_HOST": "127.0.0.1", "DB_PORT": "1", "CELERY_BROKER_URL": "redis://127.0.0.1:1/1"}

// start runs the shipped configuration with further files.
func start(t *testing.T, search *servers.OpenSearch, env map[string]string, configs ...string) *back {
	t.Helper()
	all := map[string]string{"OTELCOL_OPENSEARCH_URL": search.URL}
	maps.Copy(all, away)
	maps.Copy(all, env)
	b := &back{search: search}
	b.Collector = collector.Start(
		t, collector.Options{Configs: append([]string{collector.ShippedConfig()}, configs...), Env: all},
	)
	var err error
	b.prometheus, err = servers.StartPrometheus(t.Context(), b.Prometheus)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, b.prometheus.Stop()) })
	return b
}

func startOpenSearch(t *testing.T) *servers.OpenSearch {
	t.Helper()
	search, err := servers.StartOpenSearch(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, search.Stop()) })
	return search
}

func TestKeyIsRightWrongOrMissing(t *testing.T) {
	e := readExample(t)
	b := start(t, startOpenSearch(t), map[string]string{"OTLP_API_KEY": rightKey},
		repo.Path("config", "overlays", "auth.yaml"), "yaml:service::telemetry::logs::level: debug")
	for _, protocol := range protocols {
		t.Run(protocol.name, func(t *testing.T) {
			refused := map[string]string{"wrong": uuid.NewString(), "empty": uuid.NewString()}
			for key, app := range map[string]string{wrongKey: refused["wrong"], "": refused["empty"]} {
				log := b.run(t, app, 0, e.environment(t, key, protocol.choices...))
				assert.Contains(t, log, protocol.refusal, "the client's log must say so")
			}
			app := uuid.NewString()
			log := b.run(t, app, 0, e.environment(t, rightKey, protocol.choices...))
			assert.NotContains(t, log, "Failed to export")
			b.expect(t, app)
			for key, app := range refused {
				b.expectNothing(t, key, app)
			}
		})
	}
	assert.NotContains(t, b.Log(), wrongKey)
	assert.NotContains(t, b.Log(), rightKey)
}

func TestBigPromptArrivesWhole(t *testing.T) {
	e := readExample(t)
	b := start(
		t, startOpenSearch(t), nil, "yaml:processors::dify_filter::redaction::keys: {gen_ai.prompt: keep}",
		fmt.Sprintf("yaml:processors::dify_filter::limits: {max_string_length: %d, max_item_size: %[1]d}", 2*bigPrompt),
	)
	for _, protocol := range protocols {
		t.Run(protocol.name, func(t *testing.T) {
			app := uuid.NewString()
			log := b.run(t, app, bigPrompt, e.environment(t, "", protocol.choices...)) // no key on either side
			assert.NotContains(t, log, "Failed to export")
			for _, hit := range b.expect(t, app) {
				prompt := hit.Source["attributes"].(map[string]any)["gen_ai.prompt"]
				assert.Len(t, prompt, bigPrompt)
			}
		})
	}
}

// run runs the client once, with the collector's real addresses in place of the host names, and returns its log.
func (b *back) run(t *testing.T, app string, promptBytes int, env map[string]string) string {
	t.Helper()
	hosts := strings.NewReplacer("otelcol-dify:4317", b.OTLPGRPC, "otelcol-dify:4318", b.OTLPHTTP)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, pyenv.Program(t, "python"), repo.Path("tests", "difyenv", "client.py"),
		app, strconv.Itoa(requests), strconv.Itoa(promptBytes))
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "PYTHONDONTWRITEBYTECODE=1", "PYTHONPATH=" + repo.Path("tests", "python"),
	}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+hosts.Replace(value))
	}
	out, err := cmd.CombinedOutput()
	require.NoErrorf(t, err, "the client:\n%s", out)
	return string(out)
}

// expect waits for the app's spans in OpenSearch, which it returns, and for its requests in Prometheus.
func (b *back) expect(t *testing.T, app string) []servers.Hit {
	t.Helper()
	var hits []servers.Hit
	wait.For(t, "the app's spans", func(ctx context.Context) (err error) {
		if hits, err = b.spans(ctx, app); err == nil && len(hits) != requests {
			err = fmt.Errorf("%d spans, expected %d", len(hits), requests)
		}
		return err
	})
	wait.For(t, "the app's requests", func(ctx context.Context) error {
		count, err := b.prometheus.Value(ctx, requestsOf(app))
		if err == nil && count != requests {
			err = fmt.Errorf("%v requests, expected %d", count, requests)
		}
		return err
	})
	return hits
}

// expectNothing is called after a later client's telemetry has arrived.
func (b *back) expectNothing(t *testing.T, key, app string) {
	t.Helper()
	hits, err := b.spans(t.Context(), app)
	require.NoError(t, err)
	assert.Emptyf(t, hits, "%s key", key)
	samples, err := b.prometheus.Query(t.Context(), requestsOf(app))
	require.NoError(t, err)
	assert.Emptyf(t, samples, "%s key", key)
}

func (b *back) spans(ctx context.Context, app string) ([]servers.Hit, error) {
	return b.search.Search(ctx, "dify-traces-*", map[string]any{"bool": map[string]any{"filter": []any{
		map[string]any{"term": map[string]any{"attributes.dify.app_id": app}},
		map[string]any{"term": map[string]any{"attributes.node.type": "llm"}},
	}}})
}

func requestsOf(app string) string {
	return fmt.Sprintf(`sum(http_server_duration_milliseconds_count{http_route="/v1/apps/%s"})`, app)
}
