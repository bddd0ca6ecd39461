// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fluent/fluent-logger-golang/fluent"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/proc"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/pyenv"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/soak"
)

const (
	sampleInterval = 10 * time.Second
	settled        = 10 * time.Minute // until then, caches and series fill
	maxSlope       = 30 << 20         // bytes an hour
)

// TestMutations sends random mutations of the recordings and of the hostile cases, next to good traffic of
// OpenTelemetry's SDK as in Dify and of containers: for half a minute, or an hour with OTELCOL_TEST_SOAK. The process
// lives, the good traffic arrives once, each scrape is whole, and in an hour the memory does not grow.
func TestMutations(t *testing.T) {
	duration := time.Duration(soak.Size(30, 3600)) * time.Second
	pause := time.Duration(soak.Size(50, 300)) * time.Millisecond // an hour needs less than half a processor
	seed := soak.Seed(t)
	r := newSoakRig(t)
	m := newMutator(t, seed)
	s, lines := newTransport(t, m, r.Collector), newLines(t, r.socket)
	begin := time.Now()
	var samples []sample
	pid, peak := r.Pid(), watchMemory(t, r.Collector)
	for n := 0; time.Since(begin) < duration; n++ {
		if msg := m.next(t); m.IntN(10) > 0 {
			if err := s.send(t, msg); err != nil {
				t.Errorf("input %d, %s %s %s: %v", n, msg.signal, msg.kind,
					base64.StdEncoding.EncodeToString(msg.body[:min(len(msg.body), 2000)]), err)
			}
		} else {
			lines.write(t, "/docker-worker-1", m.line())
		}
		if n%8 == 0 {
			lines.good(t)
		}
		if due := begin.Add(time.Duration(len(samples)+1) * sampleInterval); time.Now().After(due) {
			samples = append(samples, r.sample(t, time.Since(begin)))
			require.NoError(t, r.Alive(), "after input %d", n)
		}
		time.Sleep(time.Duration(rand.Int64N(2 * int64(pause))))
	}
	r.finishGood(t, lines.sent)
	require.Equal(t, pid, r.Pid())
	require.NoError(t, r.Alive())
	assert.NotContains(t, r.Log(), "panic")
	assert.Less(t, peak(), int64(memoryLimit))
	t.Logf("peak %d MiB, processor time %s in %s", peak()>>20, cpuTime(t, pid), time.Since(begin).Round(time.Second))
	for _, outcome := range slices.Sorted(maps.Keys(s.seen)) {
		t.Logf("%6d %s", s.seen[outcome], outcome)
	}
	checkSlopes(t, samples)
	for _, problem := range r.sentry.Problems() {
		t.Log("Sentry: ", problem)
	}
}

// soakRig is the collector with real back ends, and programs with OpenTelemetry's SDK.
type soakRig struct {
	*backEndRig
	programs []*program
}

type program struct {
	name, file string
	process    *proc.Process
}

const scrapes = `global:
  scrape_interval: 5s
scrape_configs:
  - job_name: otelcol-dify
    honor_labels: true
    static_configs:
      - targets: [%s]
`

func newSoakRig(t *testing.T) *soakRig {
	t.Helper()
	r := &soakRig{
		backEndRig: newBackEndRig(t, "yaml:service::pipelines::logs/lines::receivers: [fluent_forward, otlp]"),
	}
	for name, endpoint := range map[string]string{"http": r.OTLPHTTP, "grpc": r.OTLPGRPC} {
		p := &program{name: name, file: filepath.Join(t.TempDir(), name)}
		env := map[string]string{
			"OTLP_BASE_ENDPOINT": "http://" + endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": name, "OTEL_METRIC_EXPORT_INTERVAL": "10000",
		}
		if name == "http" {
			env["APP_OTLP_LOGS"] = "1"
		}
		p.process = pyenv.StartScript(t, env, "steady.py", name, p.file, "0.7")
		r.programs = append(r.programs, p)
	}
	return r
}

// finishGood ends the programs and checks that everything they and the containers sent is there once.
func (r *soakRig) finishGood(t *testing.T, lines int) {
	t.Helper()
	want := map[string]bool{}
	for i := range lines {
		want[fmt.Sprintf("good line %d", i)] = true
	}
	counts := map[string]float64{}
	for _, p := range r.programs {
		require.NoError(t, p.process.Stop())
		text, err := os.ReadFile(p.file)
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			kind, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
			switch {
			case kind == "count":
				counts[p.name], err = strconv.ParseFloat(rest, 64)
				require.NoError(t, err)
			case kind == "span" || p.name == "http": // only this one sends its log
				want[rest] = true
			}
		}
	}
	require.Len(t, counts, len(r.programs))
	for name, count := range counts {
		for _, metric := range []string{"steady_turns_total", "steady_duration_milliseconds_count"} {
			eventually(t, metric, func() error {
				got, err := r.prometheus.Value(t.Context(), fmt.Sprintf(`%s{steady=%q}`, metric, name))
				if err == nil && got != count {
					err = fmt.Errorf("%s of %s is %v, expected %v", metric, name, got, count)
				}
				return err
			})
		}
	}
	up, err := r.prometheus.Value(t.Context(), `min_over_time(up{job="otelcol-dify"}[2h])`)
	require.NoError(t, err)
	assert.Positive(t, up, "a scrape failed")
	total := len(want)
	eventually(t, "the good traffic", func() error {
		missing, found := map[string]bool{}, map[string]int{}
		count := func(hit servers.Hit) {
			id := hit.ID
			if body, ok := hit.Source["body"].(string); ok {
				id = body[max(0, strings.Index(body, "good line")):]
			}
			found[id]++
		}
		for pattern, fields := range map[string][]string{"dify-traces-*": {"name"}, "dify-logs-*": {"body"}} {
			if err := r.search.Walk(t.Context(), pattern, fields, count); err != nil {
				return err
			}
		}
		for id := range want {
			if found[id] != 1 {
				missing[fmt.Sprintf("%s: %d times", id, found[id])] = true
			}
		}
		if len(missing) > 0 {
			return fmt.Errorf("%d of %d not there once: %.2000v", len(missing), total, missing)
		}
		return nil
	})
	t.Logf("%d spans and records arrived once; counts %v", total, counts)
}

// lines writes log lines as Docker's driver does.
type lines struct {
	client *fluent.Fluent
	sent   int
}

func newLines(t *testing.T, socket string) *lines {
	t.Helper()
	client, err := fluent.New(fluent.Config{FluentNetwork: "unix", FluentSocketPath: socket, SubSecondPrecision: true})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, client.Close()) })
	return &lines{client: client}
}

// write sends a line. What frames it is not mutated: whoever opens the socket is trusted (docs/security.md).
func (l *lines) write(t *testing.T, container, line string) {
	t.Helper()
	require.NoError(t, l.client.PostWithTime("docker", time.Now(), map[string]string{
		"container_id":   fmt.Sprintf("%x", sha256.Sum256([]byte(container))),
		"container_name": container, "source": "stdout", "log": line,
	}))
}

func (l *lines) good(t *testing.T) {
	t.Helper()
	at := time.Now().UTC().Format("2006-01-02 15:04:05,000.000")
	l.write(t, "/docker-api-1", fmt.Sprintf("%s INFO [Dummy-1] [handler.py:242] %032x - good line %d", at, 0, l.sent))
	l.sent++
}

// sample is the memory of the process at a time.
type sample struct {
	at        time.Duration
	rss, heap float64
}

func (r *soakRig) sample(t *testing.T, at time.Duration) sample {
	t.Helper()
	rss, err := r.OwnMetric(t.Context(), "otelcol_process_memory_rss_bytes")
	require.NoError(t, err)
	heap, err := r.OwnMetric(t.Context(), "otelcol_process_runtime_heap_alloc_bytes")
	require.NoError(t, err)
	t.Logf("%4.0f s: RSS %.0f MiB, heap %.0f MiB", at.Seconds(), rss/(1<<20), heap/(1<<20))
	return sample{at, rss, heap}
}

// checkSlopes checks that memory is flat, if the test ran long enough.
func checkSlopes(t *testing.T, samples []sample) {
	t.Helper()
	for name, value := range map[string]func(sample) float64{
		"RSS": func(s sample) float64 { return s.rss }, "heap": func(s sample) float64 { return s.heap },
	} {
		var at, values []float64
		for _, s := range samples {
			if s.at > settled {
				at, values = append(at, s.at.Hours()), append(values, value(s))
			}
		}
		if len(at) < 60 {
			return
		}
		got := slope(at, values)
		t.Logf("slope of %s over %d samples: %.1f MiB an hour", name, len(at), got/(1<<20))
		assert.Less(t, got, float64(maxSlope), name)
	}
}

// slope returns the median of the slopes between each two points (Theil and Sen): peaks do not change it.
func slope(x, y []float64) float64 {
	var slopes []float64
	for i := range x {
		for j := range i {
			slopes = append(slopes, (y[i]-y[j])/(x[i]-x[j]))
		}
	}
	slices.Sort(slopes)
	return slopes[len(slopes)/2]
}

func TestSlope(t *testing.T) {
	var x, flat, leak []float64
	for i := range 300 {
		at := float64(i) / 360
		noise := 40e6 * math.Abs(math.Sin(float64(i*i)))
		x, flat, leak = append(x, at), append(flat, 200e6+noise), append(leak, 200e6+noise+at*60e6)
	}
	assert.Less(t, math.Abs(slope(x, flat)), 10e6)
	assert.InDelta(t, 60e6, slope(x, leak), 10e6)
}

// cpuTime returns what a process has used.
func cpuTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	require.NoError(t, err)
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')'):]))
	var ticks int
	for _, field := range fields[12:14] { // user and system time in 1/100 s; field 1 is behind the name
		n, err := strconv.Atoi(field)
		require.NoError(t, err)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
