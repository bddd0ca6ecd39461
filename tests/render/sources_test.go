// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
)

// demo has the addresses that Prometheus scrapes.
type demo struct{ dify, own string }

var metricsLine = regexp.MustCompile(`metrics\s+http://(\S+)/metrics|metrics for Prometheus\s+http://(\S+)/metrics`)

// startDemo runs the demo until the end of the test.
func startDemo(t *testing.T) demo {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "difydemo")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".")
	build.Dir = repo.Path("cmd", "difydemo")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	command := exec.Command( //nolint:noctx // it is stopped by a signal, so that it removes its database
		binary, "--collector", repo.Path("bin", "otelcol-dify"), "--config", repo.Path("config", "demo.yaml"),
	)
	stdout, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	addresses := make(chan string, 2)
	read := make(chan struct{})
	go func() { // until its end, so that it can write
		defer close(read)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			if match := metricsLine.FindStringSubmatch(lines.Text()); match != nil && len(addresses) < cap(addresses) {
				addresses <- match[1] + match[2]
			}
		}
	}()
	t.Cleanup(func() {
		assert.NoError(t, command.Process.Signal(os.Interrupt))
		<-read
		_ = command.Wait() // not all has arrived when it is interrupted
	})
	var d demo
	for _, address := range []*string{&d.dify, &d.own} {
		select {
		case *address = <-addresses:
		case <-read:
			require.Fail(t, "the demo ended")
		}
	}
	return d
}

// startPrometheus starts a Prometheus with the shipped files. It scrapes more often, so that a minute shows something.
func startPrometheus(t *testing.T, d demo, others string) *servers.Prometheus {
	t.Helper()
	read := func(path string) string {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		return strings.ReplaceAll(string(text), "_interval: 15s", "_interval: 5s")
	}
	files := map[string]string{"prometheus.yaml": strings.NewReplacer(
		"otelcol-dify:8889", d.dify+", "+others, "otelcol-dify:8888", d.own, "plugin_daemon:5002", others,
	).Replace(read(repo.Path("config", "prometheus", "prometheus.yaml")))}
	rules, err := filepath.Glob(repo.Path("config", "prometheus", "rules", "*.yaml"))
	require.NoError(t, err)
	for _, rule := range rules {
		files["rules/"+filepath.Base(rule)] = read(rule)
	}
	return servers.Run(t, func(ctx context.Context) (*servers.Prometheus, error) {
		return servers.StartPrometheusWith(ctx, files)
	})
}

// others are the series that the demo does not have: of workers, containers, a host, the plugin daemon, messages and
// documents.
var others = []struct {
	name, labels  string
	start, growth float64 // growth per second
}{
	{"flower_task_runtime_seconds_count", worker + `document_indexing_task.document_indexing_task"`, 10, 0.4},
	{"flower_task_runtime_seconds_bucket", worker + `document_indexing_task.document_indexing_task",le="5"`, 5, 0.3},
	{"flower_task_runtime_seconds_bucket", worker + `document_indexing_task.document_indexing_task",le="+Inf"`, 10, 0.4},
	{"flower_task_runtime_seconds_count", worker + `mail_task.send_mail"`, 10, 0.1},
	{"flower_task_runtime_seconds_bucket", worker + `mail_task.send_mail",le="0.5"`, 10, 0.1},
	{"flower_task_runtime_seconds_bucket", worker + `mail_task.send_mail",le="+Inf"`, 10, 0.1},
	{"target_info", `dify_role="worker",host_name="docker-worker-1",process_pid="1"`, 1, 0},
	{"process_cpu_usage_ratio", `dify_role="api",container_name="docker-api-1"`, 0.35, 0.001},
	{"process_cpu_usage_ratio", `dify_role="worker",container_name="docker-worker-1"`, 0.6, 0},
	{"process_cpu_usage_ratio", `container_name="docker-db_postgres-1"`, 0.12, 0},
	{"process_memory_utilization_ratio", `dify_role="api",container_name="docker-api-1"`, 0.45, 0},
	{"process_memory_utilization_ratio", `dify_role="worker",container_name="docker-worker-1"`, 0.62, 0.0005},
	{"process_memory_usage_bytes", `dify_role="api",container_name="docker-api-1"`, 900e6, 0},
	{"process_memory_usage_bytes", `dify_role="worker",container_name="docker-worker-1"`, 1.3e9, 1e6},
	{"system_disk_usage_ratio", `mountpoint="/"`, 0.71, 0},
	{"system_network_io_bytes_total", `device="eth0",direction="receive"`, 0, 2e6},
	{"system_network_io_bytes_total", `device="eth0",direction="transmit"`, 0, 8e5},
	{"app_message_total", `dify_message_status="normal"`, 30, 0.8},
	{"app_message_total", `dify_message_status="error"`, 2, 0.1},
	{"app_workflow_run_waiting", `dify_workflow_pause_reason="human_input_required"`, 2, 0},
	{"dify_document_count", `dify_document_indexing_status="indexing"`, 14, 0.1},
	{"dify_document_count", `dify_document_indexing_status="error"`, 3, 0},
	{"dify_document_oldest_age_seconds", `dify_document_indexing_status="indexing"`, 90, 1},
	{"plugin_invocations_total", model + `invoke_llm",status="success"`, 20, 2},
	{"plugin_invocations_total", model + `invoke_llm",status="error"`, 0, 0.1},
	{"plugin_invocation_duration_seconds_bucket", model + `invoke_text_embedding",le="0.5"`, 10, 1},
	{"plugin_invocation_duration_seconds_bucket", model + `invoke_text_embedding",le="1"`, 10, 1.3},
	{"plugin_invocation_duration_seconds_bucket", model + `invoke_text_embedding",le="+Inf"`, 10, 1.4},
	{"plugin_invocation_duration_seconds_count", model + `invoke_text_embedding"`, 10, 1.4},
	{"plugin_invocation_duration_seconds_sum", model + `invoke_text_embedding"`, 4, 0.5},
}

const (
	worker = `dify_role="worker",task="tasks.`
	model  = `plugin_id="langgenius/openai",plugin_type="model",operation="`
)

// startOthers serves the other series: the plugin daemon's at its path, the rest as the collector would.
func startOthers(t *testing.T) string {
	t.Helper()
	begin := time.Now()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		for _, s := range others {
			if strings.HasPrefix(s.name, "plugin_") == (r.URL.Path == "/metrics/") {
				value := s.start + s.growth*time.Since(begin).Seconds()
				fmt.Fprintf(w, "%s{job=\"dify\",instance=\"x\",%s} %g\n", s.name, s.labels, value)
			}
		}
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}
