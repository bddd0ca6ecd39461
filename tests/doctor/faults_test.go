// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"bytes"
	"context"
	"database/sql"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
)

const span = `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0af7651916cd43dd8448eb211c80319c",` +
	`"spanId":"b7ad6b7169203331","name":"n","startTimeUnixNano":"1","endTimeUnixNano":"2"}]}]}]}`

func exportSpan(t *testing.T, address string) {
	t.Helper()
	url := "http://" + address + "/v1/traces"
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(span))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+apiKey)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
}

// faults is the table of faults. The servers are shared, so each repairs what it has changed.
func faults(t *testing.T, i *installation) map[string]broken {
	t.Helper()
	maria := servers.Run(t, servers.StartMariaDB)
	mysqlEnv := map[string]string{
		"DB_TYPE": "mysql", "DB_HOST": maria.Host, "DB_PORT": strconv.Itoa(maria.Port), "DB_USERNAME": maria.User,
		"DB_DATABASE": maria.Database, "DB_PASSWORD": "wrong",
	}
	const failed, warning = "failed", "warning"
	search := func(method, path string, body any) func(*testing.T, *installation, map[string]string) {
		return func(t *testing.T, i *installation, _ map[string]string) {
			t.Helper()
			require.NoError(t, i.search.Send(t.Context(), method, path, body, &struct{}{}))
		}
	}
	dotEnv := filepath.Join(t.TempDir(), ".env")
	dotenv := func(lines string) func(*testing.T, *installation, map[string]string) {
		return func(t *testing.T, _ *installation, _ map[string]string) {
			t.Helper()
			require.NoError(t, os.WriteFile(dotEnv, []byte(lines), 0o600))
		}
	}
	good := "ENABLE_OTEL=true\nOTLP_BASE_ENDPOINT=http://otelcol-dify:4318\nOTEL_EXPORTER_TYPE=otlp\n" +
		"OTLP_API_KEY=" + apiKey + "\nOTEL_API_KEY=" + apiKey + "\n"
	env := []string{"--dify-env", dotEnv}
	return map[string]broken{
		"an unknown key": {
			overlay: "receivers: {workflow_log: {drivr: x}}",
			state:   failed, name: "configuration: files", text: "did you mean `driver`? -> `receivers::workflow_log::drivr` in ",
		},
		"a duration without a unit": {
			overlay: "receivers: {celery_queue: {collection_interval: 15}}",
			state:   failed, name: "configuration: files", text: "`collection_interval: 15s`",
		},
		"a stock component's key": {
			overlay: "exporters: {opensearch: {log_index: x}}",
			state:   failed, name: "configuration: files", text: "log_index",
		},
		"no YAML": {overlay: "a: [", state: failed, name: "configuration: files", text: "mine.yaml"},
		"an empty key": {
			env:   map[string]string{"OTLP_API_KEY": ""},
			state: failed, name: "configuration: files", text: "OTLP_API_KEY",
		},
		"no dify_filter": {
			overlay: "service: {pipelines: {traces: {processors: [memory_limiter]}}}",
			state:   warning, name: "configuration: pipelines", text: "has no dify_filter",
		},

		"a port in use": {
			breaks: func(t *testing.T, _ *installation, env map[string]string) {
				t.Helper()
				listen(t, env["OTELCOL_OTLP_HTTP_ENDPOINT"])
			},
			state: failed, name: "collector: ports", text: "-> OTELCOL_OTLP_HTTP_ENDPOINT, or stop that program",
		},
		"no collector": {state: warning, name: "collector: running", text: "start it"},

		"a relative storage directory": {
			env:   map[string]string{"OTELCOL_STORAGE_DIR": "data"},
			state: failed, name: "storage: file_storage/queue", text: "OTELCOL_STORAGE_DIR: an absolute path",
		},
		"an empty storage variable": {
			env:   map[string]string{"OTELCOL_STORAGE_DIR": ""},
			state: failed, name: "storage: file_storage/queue", text: "remove OTELCOL_STORAGE_DIR",
		},
		"no storage directory": {
			env:   map[string]string{"OTELCOL_STORAGE_DIR": "/nonexistent/otelcol"},
			state: failed, name: "storage: file_storage/queue", text: "/nonexistent/otelcol does not exist",
		},
		"a damaged file": {
			breaks: func(t *testing.T, _ *installation, env map[string]string) {
				t.Helper()
				writeStored(t, env, "checkpoint", bytes.Repeat([]byte("x"), 64<<10))
			},
			state: failed, name: "storage: file_storage/checkpoint", text: "receiver_workflow_log_ is damaged",
		},
		"a file that another program uses": {
			breaks: func(t *testing.T, _ *installation, env map[string]string) {
				t.Helper()
				file, err := os.Open(writeStored(t, env, "checkpoint", nil))
				require.NoError(t, err)
				t.Cleanup(func() { assert.NoError(t, file.Close()) })
				require.NoError(t, syscall.Flock(int(file.Fd()), syscall.LOCK_EX))
			},
			state: failed, name: "storage: file_storage/checkpoint", text: "is in use by process " + strconv.Itoa(os.Getpid()),
		},

		"an unknown database host": {
			env:   map[string]string{"DB_HOST": "db.invalid"},
			state: failed, name: "database: connection", text: "this host name is unknown here",
		},
		"a database port with nothing": {
			env:   map[string]string{"DB_PORT": "1"},
			state: failed, name: "database: connection", text: "nothing listens there",
		},
		"a wrong database password": {
			env:   map[string]string{"DB_PASSWORD": "wrong"},
			state: failed, name: "database: connection", text: "-> DB_USERNAME and DB_PASSWORD",
		},
		"a wrong database": {
			env:   map[string]string{"DB_DATABASE": "nothing"},
			state: failed, name: "database: connection", text: "-> DB_DATABASE",
		},
		"a database without Dify's tables": {
			env:   map[string]string{"DB_DATABASE": "postgres"},
			state: failed, name: "database: tables", text: "the table does not exist",
		},
		"a database without TLS": {
			env:   map[string]string{"OTELCOL_DB_TLS_INSECURE": "false"},
			state: failed, name: "database: connection", text: "-> OTELCOL_DB_TLS_INSECURE",
		},
		"a database role without rights": {
			env: map[string]string{"DB_USERNAME": "doctor_reader", "DB_PASSWORD": "x"},
			breaks: func(t *testing.T, i *installation, _ map[string]string) {
				t.Helper()
				_, err := i.dify.Exec(t.Context(), "CREATE ROLE doctor_reader LOGIN PASSWORD 'x'")
				require.NoError(t, err)
				t.Cleanup(func() {
					_, err := i.dify.Exec(context.WithoutCancel(t.Context()), "DROP ROLE doctor_reader")
					assert.NoError(t, err)
				})
			},
			state: failed, name: "database: tables", text: "grant SELECT on it to the role",
		},
		"an index that is missing": {
			breaks: func(t *testing.T, i *installation, _ map[string]string) {
				t.Helper()
				var name, create string
				require.NoError(t, i.dify.QueryRow(t.Context(), "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = "+
					"'workflow_runs' AND indexdef LIKE '%(created_at%'").Scan(&name, &create))
				_, err := i.dify.Exec(t.Context(), "DROP INDEX "+name)
				require.NoError(t, err)
				t.Cleanup(func() {
					_, err := i.dify.Exec(context.WithoutCancel(t.Context()), create)
					assert.NoError(t, err)
				})
			},
			state: warning, name: "database: indexes", text: "workflow_runs (created_at, id), available since Dify 1.11.3",
		},
		"another collector on the database": {
			breaks: func(t *testing.T, i *installation, _ map[string]string) {
				t.Helper()
				_, err := connect(t, i.postgres.URL(i.dify.Name)).Exec(t.Context(), "SELECT pg_advisory_lock(8026656324724946796)")
				require.NoError(t, err)
			},
			state: warning, name: "database: lock", text: "another collector reads this database",
		},
		"a wrong MySQL password": {
			env: mysqlEnv,
			breaks: func(t *testing.T, _ *installation, env map[string]string) {
				t.Helper()
				db, err := sql.Open("mysql", maria.Config().FormatDSN())
				require.NoError(t, err)
				defer db.Close()
				for _, statement := range []string{
					"CREATE OR REPLACE USER doctor@'%' IDENTIFIED BY 'right'", "GRANT ALL ON *.* TO doctor@'%'",
				} {
					_, err = db.ExecContext(t.Context(), statement)
					require.NoError(t, err)
				}
				env["DB_USERNAME"] = "doctor"
			},
			state: failed, name: "database: connection", text: "-> DB_USERNAME and DB_PASSWORD",
		},
		"MySQL taken for PostgreSQL": {
			env:   map[string]string{"DB_HOST": maria.Host, "DB_PORT": strconv.Itoa(maria.Port)},
			state: failed, name: "database: connection", text: "DB_TYPE",
		},

		"no Redis": {
			env:   map[string]string{"CELERY_BROKER_URL": "redis://127.0.0.1:1/1"},
			state: failed, name: "redis: connection", text: "nothing listens there",
		},
		"a wrong Redis password": {
			env:   map[string]string{"CELERY_BROKER_URL": i.brokerAs("x:wrong")},
			state: failed, name: "redis: connection", text: "-> CELERY_BROKER_URL",
		},
		"Redis without TLS": {
			env:   map[string]string{"CELERY_BROKER_URL": strings.Replace(i.redis.URL(1), "redis://", "rediss://", 1)},
			state: failed, name: "redis: connection", text: "redis:// in CELERY_BROKER_URL if Redis does not use TLS",
		},
		"the wrong Redis database": {
			env:   map[string]string{"CELERY_BROKER_URL": i.redis.URL(0)},
			state: failed, name: "redis: queues", text: "REDIS_KEY_PREFIX",
		},
		"a Redis user without rights": {
			env: map[string]string{"CELERY_BROKER_URL": i.brokerAs("doctor:x")},
			breaks: func(t *testing.T, i *installation, _ map[string]string) {
				t.Helper()
				require.NoError(t, i.broker.Do(t.Context(), "ACL", "SETUSER", "doctor", "on", ">x", "+select").Err())
				t.Cleanup(func() {
					assert.NoError(t, i.broker.Do(context.WithoutCancel(t.Context()), "ACL", "DELUSER", "doctor").Err())
				})
			},
			state: failed, name: "redis: rights", text: "the ACL of the user",
		},
		"tasks that nobody reads": {
			breaks: func(t *testing.T, i *installation, _ map[string]string) {
				t.Helper()
				require.NoError(t, i.broker.LPush(t.Context(), "dataset", "task").Err())
				t.Cleanup(func() { assert.NoError(t, i.broker.Del(context.WithoutCancel(t.Context()), "dataset").Err()) })
			},
			state: failed, name: "redis: workers", text: "start Dify's worker",
		},

		"OpenSearch without TLS": {
			env:   map[string]string{"OTELCOL_OPENSEARCH_URL": strings.Replace(i.search.URL, "http://", "https://", 1)},
			state: failed, name: "opensearch: connection", text: "use http://",
		},
		"not OpenSearch": {
			env: map[string]string{"OTELCOL_OPENSEARCH_URL": strings.Replace(
				strings.TrimSuffix(i.env["OTELCOL_SENTRY_DSN"], "/1"), i.sentryKey()+"@", "", 1)},
			state: failed, name: "opensearch: connection", text: "-> OTELCOL_OPENSEARCH_URL",
		},
		"index templates that are missing": {
			breaks: search(http.MethodDelete, "/_index_template/otelcol-dify-*", nil),
			state:  warning, name: "opensearch: index templates", text: "there are none",
		},
		"a disk that was full": {
			breaks: func(t *testing.T, i *installation, env map[string]string) {
				t.Helper()
				search(http.MethodPut, "/dify-traces-doctor", map[string]any{
					"settings": map[string]any{"index.blocks.read_only_allow_delete": true},
				})(t, i, env)
				t.Cleanup(func() { assert.NoError(t, i.search.Reset(context.WithoutCancel(t.Context()))) })
			},
			state: failed, name: "opensearch: disk", text: "dify-traces-doctor is read-only since",
		},
		"no shards left": {
			breaks: func(t *testing.T, i *installation, env map[string]string) {
				t.Helper()
				search(http.MethodPut, "/dify-traces-doctor", nil)(t, i, env)
				limit := func(ctx context.Context, n any) {
					body := map[string]any{"persistent": map[string]any{"cluster.max_shards_per_node": n}}
					require.NoError(t, i.search.Send(ctx, http.MethodPut, "/_cluster/settings", body, &struct{}{}))
				}
				limit(t.Context(), 1)
				t.Cleanup(func() {
					limit(context.WithoutCancel(t.Context()), nil)
					assert.NoError(t, i.search.Reset(context.WithoutCancel(t.Context())))
				})
			},
			state: failed, name: "opensearch: shards", text: "no index can be created",
		},
		"no Dashboards": {
			env:   map[string]string{"OTELCOL_DASHBOARDS_URL": "http://127.0.0.1:1"},
			state: failed, name: "dashboards: connection", text: "-> OTELCOL_DASHBOARDS_URL",
		},
		"no Sentry": {
			env:   map[string]string{"OTELCOL_SENTRY_DSN": "http://key@127.0.0.1:1/1"},
			state: failed, name: "sentry: DSN", text: "-> OTELCOL_SENTRY_DSN",
		},
		"a Sentry that rejects the key": {
			breaks: func(t *testing.T, i *installation, _ map[string]string) {
				t.Helper()
				i.sentry.SetFailing(http.StatusForbidden)
				t.Cleanup(func() { i.sentry.SetFailing(0) })
			},
			args:  []string{"--sentry-test"},
			state: failed, name: "sentry: DSN", text: "rejects the key",
		},
		"no Prometheus": {
			args:  []string{"--prometheus", "http://user:secret@127.0.0.1:1"},
			state: failed, name: "prometheus: scrapes", text: "-> OTELCOL_PROMETHEUS_URL",
		},

		"Dify sends nothing": {
			breaks: dotenv(""), args: env,
			state: failed, name: "dify: .env", text: "-> ENABLE_OTEL=true",
		},
		"Dify sends gRPC to the wrong port": {
			breaks: dotenv(good + "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"), args: env,
			state: failed, name: "dify: .env", text: "gRPC to the port for HTTP",
		},
		"Dify's daemon has another key": {
			breaks: dotenv(good + "OTEL_API_KEY=other"), args: env,
			state: failed, name: "dify: .env", text: "-> OTEL_API_KEY",
		},
		"Dify samples": {
			breaks: dotenv(good), args: env,
			state: warning, name: "dify: sampling", text: "10 % of the traces",
		},
	}
}

// brokerAs returns the URL of the broker with a login.
func (i *installation) brokerAs(login string) string {
	_, host, found := strings.Cut(i.redis.URL(1), "@")
	if !found {
		host = strings.TrimPrefix(i.redis.URL(1), "redis://")
	}
	return "redis://" + login + "@" + host
}

func (i *installation) sentryKey() string {
	_, rest, _ := strings.Cut(i.env["OTELCOL_SENTRY_DSN"], "://")
	key, _, _ := strings.Cut(rest, "@")
	return key
}

func writeStored(t *testing.T, env map[string]string, folder string, content []byte) string {
	t.Helper()
	dir := filepath.Join(env["OTELCOL_STORAGE_DIR"], folder)
	require.NoError(t, os.MkdirAll(dir, 0o700))
	file := filepath.Join(dir, "receiver_workflow_log_")
	require.NoError(t, os.WriteFile(file, content, 0o600))
	return file
}
