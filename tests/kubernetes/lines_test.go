// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/otelcol-dify/otelcol-dify/testkit/sink"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// The only pod that may see something of its node sees the folder of the lines, read-only, and a folder of its own.
func TestPodOfLines(t *testing.T) {
	m := valueSet(t, "existing-secrets")
	require.NotNil(t, m.lines)
	spec := m.lines.Spec.Template.Spec
	container := spec.Containers[0]
	paths := map[string]string{}
	for _, volume := range spec.Volumes {
		if volume.HostPath != nil {
			paths[volume.Name] = volume.HostPath.Path
		}
	}
	assert.Equal(t, map[string]string{
		"logs": "/var/log/pods", "storage": "/var/lib/dify-otelcol-dify-lines",
	}, paths)
	for _, mount := range container.VolumeMounts {
		if mount.Name == "logs" {
			assert.True(t, mount.ReadOnly)
			assert.Equal(t, "/var/log/pods", mount.MountPath)
		}
	}
	assert.Equal(t, []corev1.Capability{"ALL"}, container.SecurityContext.Capabilities.Drop)
	assert.Nil(t, container.SecurityContext.Privileged)
	env := m.environment(t, container)
	assert.Equal(t, "/var/log/pods/dify-prod_*/*/*.log*", env["OTELCOL_LINES_INCLUDE"])
	assert.NotContains(t, env, "DB_PASSWORD")
	assert.NotContains(t, env, "OTLP_API_KEY")
	assert.Equal(t, []string{"scale/lines.yaml", "scale/direct.yaml"}, filesOf(container.Args))
	assert.Equal(t, []string{"scale/lines.yaml", "scale/sasl.yaml"},
		filesOf(valueSet(t, "kafka").lines.Spec.Template.Spec.Containers[0].Args))
	assert.Nil(t, valueSet(t, "single").lines, "only who wants lines")
}

// filesOf returns the files of config/ that a container's arguments name.
func filesOf(args []string) []string {
	var files []string
	for _, arg := range args {
		files = append(files, "scale/"+strings.TrimPrefix(arg, "--config="+configFolder))
	}
	return files
}

// Without Kafka the same pod delivers to OpenSearch itself, and keeps what an outage holds up.
func TestLinesWithoutKafka(t *testing.T) {
	search := sink.NewOpenSearch()
	server := httptest.NewServer(search)
	defer server.Close()
	logs := t.TempDir()
	api := filepath.Join(logs, "dify_dify-api-7d9f_0a1b2c3d-0000-4000-8000-000000000001", "api")
	require.NoError(t, os.MkdirAll(api, 0o700))
	search.SetFailing(http.StatusServiceUnavailable)
	write(t, filepath.Join(api, "0.log"),
		"2026-11-30T10:00:00.123456789Z stderr F 2026-11-30 10:00:00,000.000 ERROR [Dummy-1] [app.py:7]  - one\n")
	c := collector.Start(t, collector.Options{
		Configs: append(collector.KeepDays()[1:], folder("lines.yaml"), folder("direct.yaml"),
			"yaml:receivers::file_log::poll_interval: 50ms", "yaml:extensions::opensearch_bulk::setup::retention_days: 18250"),
		Env: map[string]string{
			"OTELCOL_LINES_INCLUDE":  filepath.Join(logs, "dify_*", "*", "*.log*"),
			"OTELCOL_OPENSEARCH_URL": server.URL,
		},
	})
	wait.For(t, "a refused request", func(context.Context) error {
		if search.Counts().Failed == 0 {
			return errors.New("none yet")
		}
		return nil
	})
	c.Terminate(t)
	search.SetFailing(0)
	c.Restart(t)
	wait.For(t, "the line", func(context.Context) error {
		if search.Count("dify-logs-2026.11.30") == 0 {
			return fmt.Errorf("indices: %v", search.Indices())
		}
		return nil
	})
	c.Terminate(t)
	assert.Equal(t, 1, search.Counts().Documents, "once")
}

// The pod's configuration reads files as the kubelet and containerd write them: lines in parts, a traceback of several
// lines, a rotation, what was written while the pod was away, and nothing of other namespaces.
func TestLinesOfPods(t *testing.T) {
	logs, out := t.TempDir(), filepath.Join(t.TempDir(), "out.json")
	api := filepath.Join(logs, "dify_dify-api-7d9f_0a1b2c3d-0000-4000-8000-000000000001", "api")
	other := filepath.Join(logs, "shop_web-1_0a1b2c3d-0000-4000-8000-000000000002", "web")
	require.NoError(t, os.MkdirAll(api, 0o700))
	own := filepath.Join(logs, "dify_otelcol-dify-0_0a1b2c3d-0000-4000-8000-000000000003", "otelcol-dify")
	require.NoError(t, os.MkdirAll(other, 0o700))
	require.NoError(t, os.MkdirAll(own, 0o700))
	second := 0
	line := func(stream, tag, text string) string {
		second++
		return fmt.Sprintf("2026-11-30T10:00:%02d.123456789Z %s %s %s\n", second, stream, tag, text)
	}
	const head = "2026-11-30 10:00:00,000.000 ERROR [Dummy-1] [app.py:7] 0af7651916cd43dd8448eb211c80319c - "
	write(t, filepath.Join(other, "0.log"), line("stdout", "F", "of another namespace"))
	write(t, filepath.Join(own, "0.log"), line("stderr", "F", "of the collector itself"))
	file := filepath.Join(api, "0.log")
	write(t, file, line("stderr", "F", head+"first password=hunter2secret")+
		line("stderr", "F", "Traceback (most recent call last):")+
		line("stderr", "F", `  File "/app/api/app.py", line 7, in run`)+
		line("stderr", "F", "ValueError: broken")+
		line("stdout", "P", head+"second, begi")+line("stdout", "P", "nning and ")+line("stdout", "F", "end"))
	c := collector.Start(t, collector.Options{
		Configs: []string{
			folder("lines.yaml"), "yaml:exporters::file::path: " + out, "yaml:service::pipelines::logs/lines::exporters: [file]",
			"yaml:receivers::file_log::poll_interval: 50ms",
		},
		Env: map[string]string{"OTELCOL_LINES_INCLUDE": filepath.Join(logs, "{dify,dify-plugins}_*", "*", "*.log*")},
	})
	records := waitForRecords(t, out, 2)
	require.Len(t, records, 2)
	first := records["first"]
	require.NotNil(t, first)
	assert.Equal(t, "ValueError", first["exception.type"], "one record of four lines")
	assert.Equal(t, "stderr", first["log.iostream"])
	assert.Equal(t, "api", first["k8s.container.name"])
	assert.Equal(t, "dify-api-7d9f", first["k8s.pod.name"])
	assert.Equal(t, "0af7651916cd43dd8448eb211c80319c", first["traceId"])
	text, err := os.ReadFile(out)
	require.NoError(t, err)
	assert.NotContains(t, string(text), "hunter2secret")
	assert.NotContains(t, string(text), "another namespace")
	assert.NotContains(t, string(text), "the collector itself")
	require.NotNil(t, records["second, beginning and end"], "%v", records)

	// Rotation, and lines while the pod is away.
	c.Terminate(t)
	write(t, file, line("stdout", "F", head+"third"))
	require.NoError(t, os.Rename(file, file+".20261130-100030"))
	write(t, file+".20261130-090000.gz", "not a line")
	write(t, file, line("stdout", "F", head+"fourth"))
	c.Restart(t)
	write(t, file, line("stdout", "F", head+"fifth"))
	records = waitForRecords(t, out, 3) // the file exporter has begun the file again
	assert.Len(t, records, 3)
	for _, name := range []string{"third", "fourth", "fifth"} {
		assert.Equal(t, "dify-api-7d9f", records[name]["k8s.pod.name"], name)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	_, err = file.WriteString(text)
	require.NoError(t, err)
	require.NoError(t, file.Close())
}

// waitForRecords waits until the file of the file exporter has so many different records, and returns their
// attributes, trace and resource by their text.
func waitForRecords(t *testing.T, path string, want int) map[string]map[string]string {
	t.Helper()
	var records map[string]map[string]string
	wait.For(t, "records", func(context.Context) error {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if records = readRecords(t, text); len(records) < want {
			return fmt.Errorf("%d records: %v", len(records), records)
		}
		return nil
	})
	return records
}

type keyValue struct {
	Key   string `json:"key"`
	Value struct {
		StringValue string `json:"stringValue"`
	} `json:"value"`
}

func readRecords(t *testing.T, text []byte) map[string]map[string]string {
	t.Helper()
	records := map[string]map[string]string{}
	for request := range bytes.Lines(text) {
		if !bytes.HasSuffix(request, []byte("\n")) {
			break // it is being written
		}
		var logs struct {
			ResourceLogs []struct {
				Resource struct {
					Attributes []keyValue `json:"attributes"`
				} `json:"resource"`
				ScopeLogs []struct {
					LogRecords []struct {
						Body struct {
							StringValue string `json:"stringValue"`
						} `json:"body"`
						TraceID    string     `json:"traceId"`
						Attributes []keyValue `json:"attributes"`
					} `json:"logRecords"`
				} `json:"scopeLogs"`
			} `json:"resourceLogs"`
		}
		require.NoError(t, json.Unmarshal(request, &logs))
		for _, rl := range logs.ResourceLogs {
			for _, sl := range rl.ScopeLogs {
				for _, record := range sl.LogRecords {
					found := map[string]string{"traceId": record.TraceID}
					for _, attribute := range append(record.Attributes, rl.Resource.Attributes...) {
						found[attribute.Key] = attribute.Value.StringValue
					}
					name, _, _ := strings.Cut(record.Body.StringValue, " password")
					assert.Nil(t, records[name], "%s came twice", name)
					records[name] = found
				}
			}
		}
	}
	return records
}
