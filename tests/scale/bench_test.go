// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/throughput"
)

const (
	benchRepeats    = 20 // of the recording, each with its own trace ids
	benchPartitions = 12
)

// BenchmarkChain measures how many recorded spans a gateway and its writers process per second of their total CPU
// time, compared with the single collector on the same spans. The back ends, Kafka and the sender are not counted.
// OpenSearch and Sentry are test doubles that accept everything immediately, since only the collectors are measured.
func BenchmarkChain(b *testing.B) {
	kafka := servers.Run(b, servers.StartOwnKafka)
	requests, spans := throughput.Requests(b, benchRepeats)
	single := 0.0
	b.Run("single", func(b *testing.B) {
		for b.Loop() {
			back := throughput.Start(b)
			c := collector.Start(
				b, collector.Options{Configs: []string{throughput.TracesOnly(b, "collector.yaml")}, Env: back.Env},
			)
			used := back.CPU(b, requests, c.OTLPHTTP, c)
			single = float64(spans) / used[0].Seconds()
			b.ReportMetric(single, "spans/cpu-s")
		}
	})
	for _, writers := range []int{1, 2, 3} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			for b.Loop() {
				back := throughput.Start(b)
				back.Env["OTELCOL_KAFKA_BROKERS"] = kafka.Brokers
				back.Env["OTELCOL_KAFKA_TOPIC_PREFIX"] = "bench" + strconv.FormatInt(time.Now().UnixNano(), 36)
				require.NoError(
					b, kafka.CreateTopics(b.Context(), benchPartitions, back.Env["OTELCOL_KAFKA_TOPIC_PREFIX"]+"-traces"),
				)
				gateway := collector.Start(
					b, collector.Options{Configs: []string{throughput.TracesOnly(b, "scale/gateway.yaml")}, Env: back.Env},
				)
				chain := []*collector.Collector{gateway}
				for range writers {
					chain = append(
						chain,
						collector.Start(
							b, collector.Options{Configs: []string{throughput.TracesOnly(b, "scale/writer.yaml")}, Env: back.Env},
						),
					)
				}
				used := back.CPU(b, requests, gateway.OTLPHTTP, chain...)
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
