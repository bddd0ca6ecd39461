// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.yaml.in/yaml/v3"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
)

const (
	benchRepeats    = 20 // of the recording, each with trace ids of its own
	benchSenders    = 4
	benchPartitions = 12
)

// BenchmarkChain tells how many recorded spans a gateway and its writers pass in a second of their CPU time together, against
// the single collector on the same spans. The back ends, Kafka and the sender are not counted. OpenSearch and Sentry are
// stand-ins that take everything at once, as only the collectors are measured.
func BenchmarkChain(b *testing.B) {
	kafka := servers.Run(b, servers.StartOwnKafka)
	requests, spans := recordedRequests(b)
	single := 0.0
	b.Run("single", func(b *testing.B) {
		for b.Loop() {
			back := startStandIns(b)
			c := collector.Start(b, collector.Options{Configs: []string{tracesOnly(b, "collector.yaml")}, Env: back.env})
			used := cpuFor(b, back, requests, c.OTLPHTTP, c)
			single = float64(spans) / used[0].Seconds()
			b.ReportMetric(single, "spans/cpu-s")
		}
	})
	for _, writers := range []int{1, 2, 3} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			for b.Loop() {
				back := startStandIns(b)
				back.env["OTELCOL_KAFKA_BROKERS"] = kafka.Brokers
				back.env["OTELCOL_KAFKA_TOPIC_PREFIX"] = "bench" + strconv.FormatInt(time.Now().UnixNano(), 36)
				require.NoError(b, kafka.CreateTopics(b.Context(), benchPartitions, back.env["OTELCOL_KAFKA_TOPIC_PREFIX"]+"-traces"))
				gateway := collector.Start(b, collector.Options{Configs: []string{tracesOnly(b, "scale/gateway.yaml")}, Env: back.env})
				chain := []*collector.Collector{gateway}
				for range writers {
					chain = append(chain, collector.Start(b, collector.Options{Configs: []string{tracesOnly(b, "scale/writer.yaml")}, Env: back.env}))
				}
				used := cpuFor(b, back, requests, gateway.OTLPHTTP, chain...)
				writing := time.Duration(0)
				for _, u := range used[1:] {
					writing += u
				}
				b.ReportMetric(float64(spans)/used[0].Seconds(), "gateway-spans/cpu-s")
				b.ReportMetric(float64(spans)/writing.Seconds(), "writer-spans/cpu-s")
				b.ReportMetric(float64(spans)/(used[0]+writing).Seconds()/single, "x-single")
			}
		})
	}
}

// standIns take everything at once.
type standIns struct {
	env   map[string]string
	taken atomic.Int64 // documents and envelopes
}

func startStandIns(b *testing.B) *standIns {
	b.Helper()
	s := &standIns{}
	listen := func(serve http.HandlerFunc) string {
		server := httptest.NewServer(serve)
		b.Cleanup(server.Close)
		return server.URL
	}
	opensearch := listen(s.bulk)
	sentry := listen(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		s.taken.Add(1)
		_, _ = io.WriteString(w, `{}`)
	})
	s.env = map[string]string{
		"OTELCOL_OPENSEARCH_URL": opensearch,
		"OTELCOL_SENTRY_DSN":     "http://0123456789abcdef0123456789abcdef@" + strings.TrimPrefix(sentry, "http://") + "/1",
	}
	return s
}

func (s *standIns) bulk(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	documents := bytes.Count(body, []byte("\n")) / 2
	s.taken.Add(int64(documents))
	items := strings.TrimSuffix(strings.Repeat(`{"create":{"_index":"i","_id":"i","status":201}},`, documents), ",")
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"took":1,"errors":false,"items":[`+items+`]}`)
}

// tracesOnly is a shipped file without its other pipelines and without the set-up of OpenSearch, which is no part of the work.
func tracesOnly(b *testing.B, name string) string {
	b.Helper()
	text, err := os.ReadFile(repo.Path("config", name))
	require.NoError(b, err)
	config := map[string]any{}
	require.NoError(b, yaml.Unmarshal(text, &config))
	service := config["service"].(map[string]any)
	service["pipelines"] = map[string]any{"traces": service["pipelines"].(map[string]any)["traces"]}
	if bulk, ok := config["extensions"].(map[string]any)["opensearch_bulk"].(map[string]any); ok {
		delete(bulk, "setup")
	}
	text, err = yaml.Marshal(config)
	require.NoError(b, err)
	path := filepath.Join(b.TempDir(), "config.yaml")
	require.NoError(b, os.WriteFile(path, text, 0o600))
	return path
}

// cpuFor is the CPU time that each collector takes for the requests, from the first one until nothing is under way.
func cpuFor(b *testing.B, back *standIns, requests [][]byte, address string, chain ...*collector.Collector) []time.Duration {
	b.Helper()
	used := make([]time.Duration, len(chain))
	for i, c := range chain {
		used[i] = -cpuOf(b, c)
	}
	sendAll(b, requests, "http://"+address+"/v1/traces")
	untilStill(b, back, chain)
	for i, c := range chain {
		used[i] += cpuOf(b, c)
	}
	return used
}

func sendAll(b *testing.B, requests [][]byte, url string) {
	b.Helper()
	next := make(chan []byte)
	var senders sync.WaitGroup
	for range benchSenders {
		senders.Go(func() {
			for body := range next {
				if err := send(b.Context(), http.DefaultClient, url, body); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for _, body := range requests {
		next <- body
	}
	close(next)
	senders.Wait()
}

// untilStill waits until the queues are empty and nothing has arrived for a while.
func untilStill(b *testing.B, back *standIns, chain []*collector.Collector) {
	b.Helper()
	last, since := int64(-1), time.Now()
	require.Eventually(b, func() bool {
		if taken := back.taken.Load(); taken != last || !empty(b.Context(), chain) {
			last, since = taken, time.Now()
		}
		return time.Since(since) > 5*time.Second
	}, 10*time.Minute, 200*time.Millisecond)
}

func empty(ctx context.Context, chain []*collector.Collector) bool {
	for _, c := range chain {
		if n, err := c.OwnMetric(ctx, "otelcol_exporter_queue_size"); err != nil || n > 0 {
			return false
		}
	}
	return true
}

// cpuOf is the CPU time of a process so far, in the kernel's steps of 10 ms.
func cpuOf(b *testing.B, c *collector.Collector) time.Duration {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.Pid()))
	require.NoError(b, err)
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	ticks := 0
	for _, field := range fields[11:13] { // utime and stime of proc_pid_stat(5), which counts from the first
		n, err := strconv.Atoi(field)
		require.NoError(b, err)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// recordedRequests are the recording's export requests several times over.
func recordedRequests(b *testing.B) (requests [][]byte, spans int) {
	b.Helper()
	recorded := recordedNow(b)
	for n := range uint32(benchRepeats) {
		for _, td := range recorded {
			again := ptrace.NewTraces()
			td.CopyTo(again)
			visitSpans(again, func(_ string, s ptrace.Span) {
				id := s.TraceID()
				binary.BigEndian.PutUint32(id[:4], binary.BigEndian.Uint32(id[:4])+n)
				s.SetTraceID(id)
			})
			spans += again.SpanCount()
			body, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(again)
			require.NoError(b, err)
			requests = append(requests, body)
		}
	}
	return requests, spans
}
