// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/containerlog"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

const (
	apiContainer    = "4f5e6d7c8b9a00112233445566778899aabbccddeeff00112233445566778899"
	workerContainer = "aa5e6d7c8b9a00112233445566778899aabbccddeeff00112233445566778899"
)

// dockerLine is a record that the fluent_forward receiver makes of one message of Docker's fluentd driver.
type dockerLine struct {
	container, name, source, text string
	at                            time.Time
	more                          kv
}

func api(text string) dockerLine {
	return dockerLine{
		container: apiContainer,
		name:      "/docker-api-1",
		source:    "stderr",
		text:      text,
		at:        time.Unix(1795426800, 0),
	}
}

func dockerBatch(lines ...dockerLine) plog.Logs {
	ld := plog.NewLogs()
	records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for _, l := range lines {
		record := records.AppendEmpty()
		record.SetTimestamp(pcommon.NewTimestampFromTime(l.at))
		record.Body().SetStr(l.text)
		_ = record.Attributes().
			FromRaw(kv{
				"fluent.tag": l.container[:12], "container_id": l.container, "container_name": l.name,
				"source": l.source,
			})
		for key, v := range l.more {
			_ = record.Attributes().PutEmpty(key).FromRaw(v)
		}
	}
	return ld
}

// outRecord is a processed record without its random UID.
type outRecord struct {
	res    kv
	at     time.Time
	level  string
	body   string
	trace  string
	kv     kv
	record plog.LogRecord
}

func recordsOf(batches ...plog.Logs) []outRecord {
	var all []outRecord
	for _, ld := range batches {
		for _, rl := range ld.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, r := range sl.LogRecords().All() {
					raw := r.Attributes().AsRaw()
					delete(raw, difysemconv.AttrLogRecordUID)
					trace := ""
					if !r.TraceID().IsEmpty() {
						trace = r.TraceID().String()
					}
					all = append(
						all,
						outRecord{
							rl.Resource().Attributes().AsRaw(),
							r.Timestamp().AsTime(),
							r.SeverityText(),
							r.Body().AsString(),
							trace,
							raw,
							r,
						},
					)
				}
			}
		}
	}
	return all
}

// through processes lines in batches of the given sizes, and flushes at the end.
func (b *harness) through(tb testing.TB, lines []dockerLine, sizes func() int) []outRecord {
	tb.Helper()
	var out []plog.Logs
	for len(lines) > 0 {
		n := min(len(lines), sizes())
		out = append(out, b.logs(tb, dockerBatch(lines[:n]...)))
		lines = lines[n:]
	}
	last, err := b.flushLogs(tb.Context(), true)
	skipped(tb, err, last.LogRecordCount())
	return recordsOf(append(out, last)...)
}

func together() int { return 1 << 20 }
func single() int   { return 1 }

// recordedLines returns the lines of a real Dify's API and worker, merged by time, as two containers.
func recordedLines(tb testing.TB) []dockerLine {
	tb.Helper()
	var lines []dockerLine
	for _, c := range []struct{ file, container, name string }{
		{"api.log.gz", apiContainer, "/docker-api-1"},
		{"worker.log.gz", workerContainer, "/docker-worker-1"},
	} {
		at := time.Date(2026, 11, 23, 9, 33, 42, 0, time.UTC)
		eachLine(tb, c.file, func(line []byte) {
			if len(line) > 19 {
				if head, err := time.Parse("2006-01-02 15:04:05", string(line[:19])); err == nil {
					at = head
				}
			}
			lines = append(lines, dockerLine{c.container, c.name, "stderr", string(line), at, nil})
		})
	}
	slices.SortStableFunc(lines, func(a, b dockerLine) int { return a.at.Compare(b.at) })
	return lines
}

func TestRecordedLines(t *testing.T) {
	b := newHarness(t)
	lines := recordedLines(t)
	got := b.through(t, lines, together)
	assert.Equal(t, len(lines), len(got)+b.droppedOf(t, tally.KindLogRecord))

	levels, exceptions, statuses := map[string]int{}, map[string]int{}, map[int64]int{}
	for _, r := range got {
		levels[r.level]++
		if kind, ok := r.kv["exception.type"]; ok {
			exceptions[kind.(string)]++
			assert.Equal(t, "ERROR", r.level)
			assert.Equal(t, kind, r.kv["error.type"])
			assert.True(t, strings.HasPrefix(r.kv["exception.stacktrace"].(string), "Traceback (most recent call last):"))
			assert.NotContains(t, r.body, "Traceback")
		}
		if status, ok := r.kv["http.response.status_code"]; ok {
			statuses[status.(int64)]++
		}
		assert.Contains(t, []any{"api", "worker"}, r.res["dify.role"])
		assert.Equal(t, "langgenius/dify", r.res["service.name"])
		assert.Equal(t, r.res["container.id"], r.res["service.instance.id"])
	}
	heads := func(level string) int {
		n := 0
		for _, l := range lines {
			if strings.Contains(l.text, " "+level+" [") || strings.Contains(l.text, "["+level+"]") {
				n++
			}
		}
		return n
	}
	startUp := 1 // what Celery prints first is one record
	health := b.dropped(t)[droppedBy{tally.RuleHealthCheck, tally.KindLogRecord}]
	assert.Positive(t, health)
	assert.Equal(t, heads("ERROR"), levels["ERROR"])
	assert.Equal(t, heads("WARNING")+countBodies(got, "SecurityWarning: "), levels["WARN"])
	assert.Equal(t, heads("INFO")+startUp, levels["INFO"]+health)
	tracebacks := 0
	for _, n := range exceptions {
		tracebacks += n
	}
	assert.Equal(
		t,
		heads("ERROR")-countBodies(got, "with ABORT strategy"),
		tracebacks,
		"each error except the node's has an exception: %v",
		exceptions,
	)
	assert.Positive(t, statuses[400])
	assert.Positive(t, statuses[401])
}

func countBodies(got []outRecord, part string) int {
	n := 0
	for _, r := range got {
		if strings.Contains(r.body, part) {
			n++
		}
	}
	return n
}

// The distribution of lines over batches does not matter.
func TestLinesInAnyBatches(t *testing.T) {
	lines := recordedLines(t)
	want := newHarness(t).through(t, lines, together)
	random := newRandom(t)
	for name, sizes := range map[string]func() int{
		"one by one": single,
		"random":     func() int { return 1 + random.IntN(100) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newHarness(t)
			got := b.through(t, lines, sizes)
			assert.Equal(t, byContainer(want), byContainer(got))
			assert.Equal(t, len(lines), len(got)+b.droppedOf(t, tally.KindLogRecord))
		})
	}
}

// byContainer groups records, since only the order of the entries of each container is guaranteed.
func byContainer(records []outRecord) map[string][]string {
	by := map[string][]string{}
	for _, r := range records {
		id := r.res["container.id"].(string)
		by[id] = append(by[id], fmt.Sprint(r.at, r.level, r.body, r.trace, r.kv, r.res))
	}
	return by
}

func TestLineToRecord(t *testing.T) {
	b := newHarness(t)
	got := b.through(t, []dockerLine{
		api("2026-11-23 08:37:53.893 ERROR [Dummy-1] [x.py:6] 0af7651916cd43dd8448eb211c80319c - it failed"),
		api("Traceback (most recent call last):"),
		api("  File \"/app/api/x.py\", line 1, in y"),
		api("acme.Failed: no"),
		api(
			`2026-11-23 08:37:54.000 INFO [Dummy-1] [handler.py:2] b088eb7ef0d55c669b9f75149e587f4b - 172.18.0.9 - - ` +
				`[2026-11-23 08:37:54] "POST /v1/x?q=secret HTTP/1.1" 502 235 0.016423`,
		),
		{
			container: workerContainer,
			name:      "/docker-nginx-1",
			source:    "stdout",
			at:        time.Unix(1795426800, 5),
			text:      `172.18.0.1 - - [23/Nov/2026:10:35:19 +0100] "GET /v1/info HTTP/1.1" 404 157 "-" "curl" "-"`,
		},
		api("printed"),
	}, together)
	require.Len(t, got, 4)
	res := kv{
		"container.id": apiContainer, "container.name": "docker-api-1", "service.instance.id": apiContainer,
		"service.name":      "langgenius/dify",
		"service.namespace": "dify", "dify.role": "api",
	}
	failed := got[0]
	assert.Equal(t, res, failed.res)
	assert.Equal(t, "2026-11-23T08:37:53.893Z", failed.at.Format(time.RFC3339Nano))
	assert.Equal(t, time.Unix(1795426800, 0).UTC(), failed.record.ObservedTimestamp().AsTime())
	assert.Equal(t, plog.SeverityNumberError, failed.record.SeverityNumber())
	assert.Equal(t, "it failed", failed.body)
	assert.Equal(t, "0af7651916cd43dd8448eb211c80319c", failed.trace)
	assert.Equal(t, kv{
		"fluent.tag": "4f5e6d7c8b9a", "log.iostream": "stderr", "thread.name": "Dummy-1", "code.file.path": "x.py",
		"code.line.number": int64(6),
		"exception.type":   "acme.Failed", "exception.message": "no", "error.type": "acme.Failed",
		"exception.stacktrace": "Traceback (most recent call last):\n  File \"/app/api/x.py\", line 1, in " +
			"y\nacme.Failed: no",
	}, failed.kv)

	access := got[1]
	assert.Equal(t, kv{
		"fluent.tag": "4f5e6d7c8b9a", "log.iostream": "stderr", "thread.name": "Dummy-1", "code.file.path": "handler.py",
		"code.line.number":         int64(2),
		"dify.trace_id.unverified": true, "http.request.method": "POST", "url.path": "/v1/x",
		"http.response.status_code": int64(502),
		"client.address":            "172.18.0.9", "error.type": "502",
	}, access.kv)

	printed := got[2]
	assert.Equal(t, "printed", printed.body)
	assert.Empty(t, printed.level)
	assert.Equal(t, printed.record.ObservedTimestamp(), printed.record.Timestamp())

	nginx := got[3]
	assert.Equal(t, "nginx", nginx.res["dify.role"])
	assert.Equal(t, "nginx", nginx.res["service.name"])
	assert.Equal(t, int64(404), nginx.kv["http.response.status_code"])
	assert.NotContains(t, nginx.kv, "error.type", "an error of the client")
}

func TestPartsOfALongLine(t *testing.T) {
	head := api("2026-11-23 08:37:53.893 INFO [M] [x.py:6]  - ")
	part := func(text, ordinal string, last bool) dockerLine {
		l := api(text)
		l.more = kv{
			"partial_message": "true",
			"partial_id":      "p",
			"partial_ordinal": ordinal,
			"partial_last":    strconv.FormatBool(last),
		}
		return l
	}
	for name, lines := range map[string][]dockerLine{
		"current Docker":           {part(head.text+"a", "1", false), part("b", "2", false), part("c", "3", true)},
		"Docker before 19.03":      {part(head.text+"a", "", false), part("b", "", false), api("c")},
		"the last part is missing": {part(head.text+"a", "1", false), part("bc", "2", false)},
		"one part":                 {part(head.text+"abc", "1", true)},
	} {
		t.Run(name, func(t *testing.T) {
			for _, sizes := range []func() int{together, single} {
				b := newHarness(t)
				got := b.through(t, lines, sizes)
				require.Len(t, got, 1)
				assert.Equal(t, "abc", got[0].body)
				assert.NotContains(t, got[0].kv, "partial_id")
				assert.Equal(t, len(lines)-1, b.droppedOf(t, tally.KindLogRecord))
			}
		})
	}
}

func TestWhatDoesNotFollow(t *testing.T) {
	const head = "2026-11-23 08:37:53.893 ERROR [M] [x.py:6]  - m"
	late := api("printed later")
	late.at = late.at.Add(5 * time.Second)
	other := api("another stream")
	other.source = "stdout"
	for name, lines := range map[string][]dockerLine{"later": {api(head), late}, "another stream": {api(head), other}} {
		t.Run(name, func(t *testing.T) {
			assert.Len(t, newHarness(t).through(t, lines, together), 2)
		})
	}
	t.Run("after the wait", func(t *testing.T) {
		b := newHarness(t)
		assert.Empty(t, recordsOf(b.logs(t, dockerBatch(api(head)))), "it is pending")
		b.clock = b.clock.Add(b.cfg.Logs.JoinWait)
		ld, err := b.flushLogs(t.Context(), false)
		require.NoError(t, err)
		assert.Len(t, recordsOf(ld), 1)
		assert.Zero(t, b.joiner.Pending())
	})
}

func TestPendingEntriesAreBounded(t *testing.T) {
	b := newHarness(t)
	got := 0
	for i := range 2 * containerlog.MaxOutputs {
		l := api("2026-11-23 08:37:53.893 ERROR [M] [x.py:6]  - m")
		l.container = fmt.Sprintf("%064d", i)
		got += len(recordsOf(b.logs(t, dockerBatch(l))))
		assert.LessOrEqual(t, b.joiner.Pending(), containerlog.MaxOutputs)
	}
	last, err := b.flushLogs(t.Context(), true)
	require.NoError(t, err)
	assert.Equal(t, 2*containerlog.MaxOutputs, got+last.LogRecordCount())

	lines := []dockerLine{api("2026-11-23 08:37:53.893 ERROR [M] [x.py:6]  - m")}
	for range 100 {
		lines = append(lines, api(strings.Repeat("x ", 4<<10)))
	}
	records := newHarness(t).through(t, lines, together)
	require.Len(t, records, 1)
	assert.LessOrEqual(t, len(records[0].body), containerlog.MaxEntry+len(containerlog.TruncatedEntry))
	assert.True(t, strings.HasSuffix(records[0].body, attrs.TruncatedMark))
}

// An entry that is too long keeps its beginning: as one line or in parts, with or without a known format.
func TestLongLinesKeepTheirBeginning(t *testing.T) {
	const head = "2026-11-23 08:37:53.893 ERROR [M] [x.py:6]  - "
	long := "it begins " + strings.Repeat("€", containerlog.MaxEntry/2)
	for _, prefix := range []string{"", head} {
		for _, parts := range []int{1, 3} {
			var lines []dockerLine
			text := prefix + long
			for i := range parts {
				n := len(text) / (parts - i)
				l := api(text[:n])
				if parts > 1 {
					l.more = kv{"partial_message": "true", "partial_last": strconv.FormatBool(i == parts-1)}
				}
				lines, text = append(lines, l), text[n:]
			}
			records := newHarness(t).through(t, lines, together)
			require.Len(t, records, 1)
			assert.True(t, strings.HasPrefix(records[0].body, "it begins €"), "%d parts", parts)
			assert.True(
				t,
				strings.HasSuffix(records[0].body, "€"+containerlog.TruncatedEntry),
				"%d parts: …%q",
				parts,
				records[0].body[len(records[0].body)-20:],
			)
			assert.Greater(t, len(records[0].body), containerlog.MaxEntry/2)
			assert.LessOrEqual(t, len(records[0].body), containerlog.MaxEntry+len(containerlog.TruncatedEntry))
		}
	}
}

// Processing is idempotent for lines too, and the record of a line is not processed as a line again.
func TestRecordedLinesTwice(t *testing.T) {
	first, second := newHarness(t), newHarness(t)
	ld := first.logs(t, dockerBatch(recordedLines(t)...))
	want := wireLogs(t, ld)
	assert.Equal(t, want, wireLogs(t, second.logs(t, ld)))
	assert.Empty(t, second.dropped(t))
}

func TestLinesOff(t *testing.T) {
	b := newHarness(t, func(c *Config) { c.Logs.Lines = false })
	got := recordsOf(b.logs(t, dockerBatch(api("2026-11-23 08:37:53.893 ERROR [M] [x.py:6]  - m"))))
	require.Len(t, got, 1)
	assert.Equal(t, "2026-11-23 08:37:53.893 ERROR [M] [x.py:6]  - m", got[0].body)
}

// Equal lines are separate records, even with the same millisecond in the line and the same second from Docker.
func TestEqualLinesAreSeparateRecords(t *testing.T) {
	const line = `172.18.0.1 - - [23/Nov/2026:10:35:19 +0100] "GET /v1/info HTTP/1.1" 404 157 "-" "curl" "-"`
	for _, at := range []time.Time{time.Unix(1795426800, 0), time.Unix(1795426800, 7)} {
		l := api(line)
		l.at = at
		got := recordsOf(newHarness(t).logs(t, dockerBatch(l, l)))
		require.Len(t, got, 2)
		assert.NotEqual(
			t,
			attrs.Text(got[0].record.Attributes(), difysemconv.AttrLogRecordUID),
			attrs.Text(got[1].record.Attributes(), difysemconv.AttrLogRecordUID),
		)
	}
}
