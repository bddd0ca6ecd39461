// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilter

import (
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// logged is one entry of a recorded log, parsed in the simplest way: a line in Dify's text format and the lines that
// belong to it.
type logged struct {
	at       time.Time
	level    string
	traceID  string
	message  string
	below    []string
	sentFrom string // the container
}

// 2026-11-23 09:34:46,706.706 INFO [Dummy-1] [handler.py:242] b088…7f4b - message
var difyLine = regexp.MustCompile(
	`^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d+\.(\d{3}) ([A-Z]+) \[.*?\] \[\S+:\d+\] ([0-9a-f]{32})? - (.*)`,
)

// gunicorn's and Celery's own lines at the start and the end. Other lines without a head belong to the line above
// them.
var ownHead = regexp.MustCompile(`^\[\d{4}-\d\d-\d\d |^g?RPC patched|^psycopg2 patched`)

// recordedLog reads a recording and sends each line as Docker would.
func recordedLog(t *testing.T, d *driver, container, name string) []logged {
	t.Helper()
	file, err := os.Open(repo.Path("tests", "testdata", "recordings", name))
	require.NoError(t, err)
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	require.NoError(t, err)
	var entries []logged
	at := time.Date(2026, time.November, 23, 9, 33, 0, 0, time.UTC)
	lines := bufio.NewScanner(unzipped)
	lines.Buffer(nil, 1<<20)
	for below := false; lines.Scan(); {
		line := lines.Text()
		if m := difyLine.FindStringSubmatch(line); m != nil {
			at, err = time.Parse("2006-01-02 15:04:05.000", m[1]+"."+m[2])
			require.NoError(t, err)
			entries = append(entries, logged{at: at, level: m[3], traceID: m[4], message: m[5], sentFrom: container})
			below = true
		} else if ownHead.MatchString(line) {
			below = false
		} else if below {
			last := &entries[len(entries)-1]
			last.below = append(last.below, line)
		}
		d.write(t, at, container, "stdout", line)
	}
	require.NoError(t, lines.Err())
	return entries
}

const (
	apiContainer    = "docker-api-1"
	workerContainer = "docker-worker-1"
)

// What an operator searches for in dify-logs-*: a service, a time, an error code; and the content of each entry.
func TestRecordedLinesBecomeRecords(t *testing.T) {
	s := newStack(t, collector.KeepDays()...)
	d := s.newDriver(t)
	entries := append(
		recordedLog(t, d, apiContainer, "api.log.gz"),
		recordedLog(t, d, workerContainer, "worker.log.gz")...)
	count := func(keep func(logged) bool) int {
		n := 0
		for _, e := range entries {
			if keep(e) {
				n++
			}
		}
		return n
	}
	errors := count(func(e logged) bool { return e.level == "ERROR" })
	require.Equal(t, 39, errors, "the recordings have that many")

	// Each line of level error is one record, with all lines that belong to it.
	hits := s.documents(t, errors, "dify-logs-*", term("severity.text", "ERROR"))
	byTime := map[string][]servers.Hit{}
	for _, hit := range hits {
		key := fmt.Sprint(hit.Source["@timestamp"])
		byTime[key] = append(byTime[key], hit)
	}
	for _, e := range entries {
		if e.level == "ERROR" {
			checkEntry(t, e, byTime[e.at.Format(time.RFC3339Nano)])
		}
	}

	// Service, time and status code, as in an alert's runbook.
	refused := count(func(e logged) bool {
		return e.sentFrom == apiContainer && strings.Contains(e.message, `HTTP/1.1" 400 `)
	})
	require.Positive(t, refused)
	s.documents(t, refused, "dify-logs-*", all(
		term(
			"resource.service.name", "langgenius/dify",
		),
		term("resource.dify.role", "api"),
		term("attributes.http.response.status_code", 400),
		map[string]any{
			"range": map[string]any{"@timestamp": map[string]any{"gte": "2026-11-23T09:33:00Z", "lt": "2026-11-23T09:45:00Z"}},
		},
	))
	s.documents(
		t, count(func(e logged) bool { return raises(e, "ConnectError") && e.sentFrom == workerContainer }), "dify-logs-*",
		all(term("resource.dify.role", "worker"), term("attributes.exception.type", "httpx.ConnectError")),
	)

	// Health checks are dropped by their rule.
	checks := count(func(e logged) bool { return strings.Contains(e.message, `"GET /health HTTP/1.1" 200 `) })
	dropped, err := s.OwnMetric(
		t.Context(),
		"otelcol_dify_filter_dropped_items_total",
		`kind="log_record"`,
		`rule="health_check"`,
	)
	require.NoError(t, err)
	require.Equal(t, checks, int(dropped))

	// No line of a traceback is a separate record, each entry exists once, and nothing failed on its way.
	wait.For(t, "every entry", func(ctx context.Context) error {
		hits, err := s.search.Search(ctx, "dify-logs-*", servers.All())
		if err != nil {
			return err
		}
		found := 0
		for _, hit := range hits {
			assert.NotRegexp(t, `^(Traceback|\s+File ")`, hit.Source["body"])
			// Dify writes the name of the file, a warning of Python its path.
			if file := attribute(hit, "code.file.path"); file != "" && !strings.Contains(file, "/") {
				found++
			}
		}
		if want := len(entries) - checks; found != want {
			return fmt.Errorf("%d of %d entries", found, want)
		}
		return nil
	})
	s.documents(t, 0, "otelcol-dify-dead-letter*", servers.All())
}

func checkEntry(t *testing.T, e logged, candidates []servers.Hit) {
	t.Helper()
	for _, hit := range candidates {
		if fmt.Sprint(hit.Source["body"]) != e.message {
			continue
		}
		if e.traceID != "" {
			assert.Equal(t, e.traceID, hit.Source["traceId"])
			assert.Equal(t, madeUp(e.traceID), attribute(hit, "dify.trace_id.unverified") == "true")
		}
		if stack := strings.TrimRight(strings.Join(e.below, "\n"), "\n"); strings.HasPrefix(stack, "Traceback") {
			assert.Equal(t, stack, strings.TrimRight(attribute(hit, "exception.stacktrace"), "\n"))
			assert.NotEmpty(t, attribute(hit, "exception.type"))
		}
		return
	}
	assert.Failf(t, "no document", "%s %s %s", e.sentFrom, e.at, e.message)
}

// madeUp reports whether an id has the form of those that Dify generates outside of traces: name-based UUIDs.
func madeUp(traceID string) bool {
	id, err := uuid.Parse(traceID)
	return err == nil && id.Version() == 5 && id.Variant() == uuid.RFC4122
}

// raises reports whether a traceback ends with an exception of that class.
func raises(e logged, class string) bool {
	for _, line := range slices.Backward(e.below) {
		if line != "" {
			kind, _, _ := strings.Cut(line, ":")
			return strings.HasSuffix(kind, class)
		}
	}
	return false
}

func term(field string, value any) any {
	return map[string]any{"term": map[string]any{field: value}}
}

func all(queries ...any) any {
	return map[string]any{"bool": map[string]any{"filter": queries}}
}

// Lines that the recordings do not have, according to the source code of Dify, its plugin daemon and nginx.
func TestEveryFormatOfLines(t *testing.T) {
	s := newStack(t, collector.KeepDays()...)
	d := s.newDriver(t)
	at := time.Date(2026, time.November, 23, 12, 0, 0, 0, time.UTC)
	const trace, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	long := strings.Repeat("many words ", 4000)
	for _, line := range []struct{ container, text string }{
		{"docker-api-1", `{"ts":"2026-11-23T12:00:00.123Z","severity":"ERROR","service":"langgenius/dify","caller":"external_api.py:94",` +
			`"message":"in JSON","trace_id":"` + trace + `","span_id":"` + span + `","identity":{"tenant_id":"t1","user_id":"u1",` +
			`"user_type":"account"},"stack_trace":"Traceback (most recent call last):\n  File \"a.py\", line 1, in f\n    g()\nKeyError: 'k'\n"}`},
		{"docker-worker_beat-1", `2026-11-23 12:00:01.893 INFO [MainThread] [beat.py:6]  - as compose sets it`},
		{"docker-api_websocket-1", `2026-11-23 12:00:02.500 WARNING [MainThread] [old.py:7] - up to 1.10`},
		{"docker-api-1", `2026-11-23 12:00:03,250.250 INFO [MainThread] [long.py:8]  - ` + long},
		{"docker-plugin_daemon-1", `{"ts":"2026-11-23T13:00:04.5+01:00","severity":"WARN","service":"plugin_daemon","caller":"runtime.go:12",` +
			`"message":"of the plugin daemon","trace_id":"` + trace + `","identity":{"tenant_id":"t2"}}`},
		{"docker-nginx-1", `172.18.0.1 - - [23/Nov/2026:12:00:05 +0000] "POST /v1/workflows/run HTTP/1.1" 502 157 "-" "curl/8.5.0" "-"`},
		{"docker-nginx-1", `2026/11/23 12:00:06 [error] 29#29: *1 connect() failed (111: Connection refused) while connecting to upstream, ` +
			`client: 172.18.0.1, server: _, request: "POST /v1/workflows/run HTTP/1.1", upstream: "http://172.18.0.5:5001/v1/workflows/run", host: "localhost"`},
		{"docker-sandbox-1", `a line in no format at all`},
	} {
		d.write(t, at, line.container, "stdout", line.text)
		at = at.Add(time.Second)
	}
	hits := map[string]servers.Hit{}
	for _, hit := range s.documents(t, 8, "dify-logs-*", servers.All()) {
		hits[strings.TrimSuffix(fmt.Sprint(hit.Source["@timestamp"]), "Z")] = hit
	}
	for _, want := range []struct {
		at, level, role, body string
		attributes            map[string]string
	}{
		{"2026-11-23T12:00:00.123", "ERROR", "api", "in JSON", map[string]string{
			"exception.type": "KeyError", "dify.tenant_id": "t1", "dify.user_type": "account",
			"code.file.path": "external_api.py",
		}},
		{"2026-11-23T12:00:01.893", "INFO", "beat", "as compose sets it", nil},
		{"2026-11-23T12:00:02.5", "WARN", "api", "up to 1.10", nil},
		{"2026-11-23T12:00:03.25", "INFO", "api", strings.TrimSuffix(long, " "), nil},
		{"2026-11-23T12:00:04.5", "WARN", "plugin_daemon", "of the plugin daemon", map[string]string{"dify.tenant_id": "t2"}},
		{"2026-11-23T12:00:05", "INFO", "nginx", "", map[string]string{"http.response.status_code": "502", "url.path": "/v1/workflows/run"}},
		{"2026-11-23T12:00:06", "ERROR", "nginx", "", map[string]string{"url.path": "/v1/workflows/run"}},
		{"2026-11-23T12:00:07", "", "sandbox", "a line in no format at all", nil},
	} {
		hit, ok := hits[want.at]
		if !assert.Truef(t, ok, "no document at %s", want.at) {
			continue
		}
		severity, _ := hit.Source["severity"].(map[string]any)
		resource, _ := hit.Source["resource"].(map[string]any)
		assert.Equal(t, want.level, strings.Trim(fmt.Sprint(severity["text"]), "<nil>"), want.at)
		assert.Equal(t, want.role, resource["dify.role"], want.at)
		if want.body != "" {
			assert.Equal(t, want.body, strings.TrimSuffix(fmt.Sprint(hit.Source["body"]), " "), want.at)
		}
		for key, value := range want.attributes {
			assert.Equal(t, value, attribute(hit, key), want.at+" "+key)
		}
	}
	assert.Equal(t, trace, hits["2026-11-23T12:00:00.123"].Source["traceId"])
}
