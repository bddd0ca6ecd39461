// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
)

const failedLine = "2026-11-23 08:37:53.893 ERROR [Dummy-1] [x.py:6] 0af7651916cd43dd8448eb211c80319c - it failed"

// lineSources has a line as each sender makes a record of it, with the resource that it must get.
var lineSources = map[string]struct {
	resource, attributes kv
	want                 kv
	rest                 kv // attributes that stay on the record
}{
	"Fluent Bit in Kubernetes": {
		attributes: kv{
			"stream": "stderr", "_p": "F", "time": "2026-11-23T08:37:53.9Z",
			"kubernetes": kv{
				"pod_name": "dify-api-5d9", "pod_id": "u", "namespace_name": "ai", "host": "node-1", "container_name": "api",
				"docker_id": apiContainer, "container_image": "langgenius/dify-api:1.20.0", "labels": kv{"team": "a"},
			},
		},
		want: kv{
			"container.id": apiContainer, "container.name": "api", "service.instance.id": apiContainer,
			"service.name": "langgenius/dify", "service.namespace": "dify", "dify.role": "api", "k8s.pod.name": "dify-api-5d9",
			"k8s.pod.uid": "u", "k8s.namespace.name": "ai", "k8s.node.name": "node-1", "k8s.container.name": "api",
			"container.image.name": "langgenius/dify-api:1.20.0",
		},
		rest: kv{"log.iostream": "stderr"},
	},
	"Fluent Bit, lifted": {
		attributes: kv{
			"stream": "stdout", "kubernetes.pod_name": "p", "kubernetes.namespace_name": "ai",
			"kubernetes.container_name": "main", "kubernetes.labels.app.kubernetes.io/component": "worker",
		},
		want: kv{
			"service.instance.id": "ai/p/main", "service.name": "langgenius/dify", "service.namespace": "dify",
			"dify.role": "worker", "k8s.pod.name": "p", "k8s.namespace.name": "ai", "k8s.container.name": "main",
		},
		rest: kv{"log.iostream": "stdout"},
	},
	"filelog in Kubernetes": {
		resource: kv{
			"k8s.pod.name": "p", "k8s.pod.uid": "u", "k8s.namespace.name": "ai", "k8s.container.name": "dify-plugin-daemon",
		},
		attributes: kv{"log.iostream": "stderr", "logtag": "F", "log.file.path": "/var/log/pods/ai_p_u/x/0.log"},
		want: kv{
			"service.instance.id": "u/dify-plugin-daemon", "service.name": "dify-plugin-daemon", "service.namespace": "dify",
			"dify.role": "plugin_daemon", "k8s.pod.name": "p", "k8s.pod.uid": "u", "k8s.namespace.name": "ai",
			"k8s.container.name": "dify-plugin-daemon",
		},
		rest: kv{"log.iostream": "stderr"},
	},
	"file of an installation from source": {
		attributes: kv{"log.file.name": "server.log"},
		want:       kv{"service.instance.id": "server.log", "service.name": "langgenius/dify"},
		rest:       kv{},
	},
}

// A traceback is one record with level, trace and role, whatever sends the lines; a second filter changes nothing.
func TestLinesOfEverySender(t *testing.T) {
	for name, tt := range lineSources {
		t.Run(name, func(t *testing.T) {
			ld := plog.NewLogs()
			rl := ld.ResourceLogs().AppendEmpty()
			require.NoError(t, rl.Resource().Attributes().FromRaw(tt.resource))
			records := rl.ScopeLogs().AppendEmpty().LogRecords()
			for _, line := range []string{
				failedLine, "Traceback (most recent call last):", "  File \"/app/api/x.py\", line 1, in y",
				"acme.Failed: no",
			} {
				record := records.AppendEmpty()
				record.SetTimestamp(pcommon.NewTimestampFromTime(time.Unix(1795426800, 5)))
				record.Body().SetStr(line)
				require.NoError(t, record.Attributes().FromRaw(tt.attributes))
			}
			b := newHarness(t)
			_, err := b.processLogs(t.Context(), ld)
			skipped(t, err, 0)
			out, err := b.flushLogs(t.Context(), true)
			require.NoError(t, err)
			got := recordsOf(out)
			require.Len(t, got, 1)
			assert.Equal(t, 3, b.dropped(t)[droppedBy{tally.RuleJoinedLine, tally.KindLogRecord}])
			assert.Equal(t, tt.want, got[0].res)
			assert.Equal(t, "ERROR", got[0].level)
			assert.Equal(t, "it failed", got[0].body)
			assert.Equal(t, "0af7651916cd43dd8448eb211c80319c", got[0].trace)
			assert.Equal(t, "acme.Failed", got[0].kv["exception.type"])
			for _, key := range []string{
				"thread.name", "code.file.path", "code.line.number", "exception.type", "exception.message", "error.type",
				"exception.stacktrace",
			} {
				delete(got[0].kv, key)
			}
			assert.Equal(t, tt.rest, got[0].kv)

			again := recordsOf(newHarness(t).logs(t, out))
			require.Len(t, again, 1)
			assert.Equal(t, tt.want, again[0].res)
			assert.Equal(t, "it failed", again[0].body)
		})
	}
}

// The plugin daemon's database logger writes entries of two lines in color.
func TestDatabaseLoggerOfThePluginDaemon(t *testing.T) {
	daemon := func(text string) dockerLine {
		l := api(text)
		l.name = "/docker-plugin_daemon-1"
		return l
	}
	got := newHarness(t).through(t, []dockerLine{
		daemon("2026/11/23 09:35:18 main.go:12: [INFO]started"),
		daemon("\r"),
		daemon("2026/11/23 09:35:19 \x1b[32m/app/pg.go:269 \x1b[33mSLOW SQL >= 200ms"),
		daemon("\x1b[0m\x1b[31;1m[224.1ms] \x1b[33m[rows:1]\x1b[35m UPDATE \"endpoints\" SET \"settings\"='hidden' " +
			"WHERE \"id\" = 'also'\x1b[0m"),
		daemon("2026/11/23 09:35:20 main.go:12: [INFO]next"),
	}, together)
	require.Len(t, got, 3)
	assert.Equal(t, "started", got[0].body)
	assert.Equal(t, "next", got[2].body)
	slow := got[1]
	assert.Equal(t, "WARN", slow.level)
	assert.Equal(t, "/app/pg.go", slow.kv["code.file.path"])
	assert.Equal(t, "SLOW SQL >= 200ms [224.1ms] [rows:1]", slow.body)
	assert.Equal(t, `UPDATE "endpoints" SET "settings"=? WHERE "id" = ?`, slow.kv["db.query.text"])
}
