// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
)

// edit replaces the one occurrence of old in file.
type edit struct {
	file     string
	old, new string
}

// openSearchEdits adapt the exporter to collector v0.139.0 and later:
//   - v0.142.0 made an exporter's queue settings a configoptional.Optional instead of a struct with a field `Enabled`;
//   - v0.145.0 let confighttp.ClientConfig.ToClient take the host's extensions instead of the host.
var openSearchEdits = []edit{
	{
		file: "config.go",
		old:  `"go.opentelemetry.io/collector/config/confighttp"` + "\n",
		new: `"go.opentelemetry.io/collector/config/confighttp"` + "\n\t" +
			`"go.opentelemetry.io/collector/config/configoptional"` + "\n",
	},
	{
		file: "config.go",
		old:  `exporterhelper.QueueBatchConfig ` + "`mapstructure:\"sending_queue\"`",
		new:  `configoptional.Optional[exporterhelper.QueueBatchConfig] ` + "`mapstructure:\"sending_queue\"`",
	},
	{
		file: "factory.go",
		old:  `"go.opentelemetry.io/collector/config/confighttp"` + "\n",
		new: `"go.opentelemetry.io/collector/config/confighttp"` + "\n\t" +
			`"go.opentelemetry.io/collector/config/configoptional"` + "\n",
	},
	{
		file: "factory.go",
		old:  "BackOffConfig:    configretry.NewDefaultBackOffConfig(),\n",
		new: "BackOffConfig:    configretry.NewDefaultBackOffConfig(),\n" +
			"\t\tQueueConfig:      configoptional.Default(exporterhelper.NewDefaultQueueConfig()),\n",
	},
	{
		file: "sso_log_exporter.go",
		old:  "l.httpSettings.ToClient(ctx, host, l.telemetry)",
		new:  "l.httpSettings.ToClient(ctx, host.GetExtensions(), l.telemetry)",
	},
	{
		file: "sso_trace_exporter.go",
		old:  "s.httpSettings.ToClient(ctx, host, s.telemetry)",
		new:  "s.httpSettings.ToClient(ctx, host.GetExtensions(), s.telemetry)",
	},
}

// kafkaEdits let the exporter retry what Kafka rejects because of its own settings: a revoked right, a policy, a
// topic with a small limit. The stock exporter (v0.137.0 and later) drops a request as soon as Kafka calls one of
// its records' errors not retriable, and the client fails all other records that wait for the same partition with
// the same error. The queue of a gateway would be emptied within seconds. Only a record that exceeds the exporter's
// own limit (max_message_bytes) is still dropped: the client rejects it by its size, to which it adds less than 1
// KiB for the batch.
var kafkaEdits = []edit{
	{
		file: "internal/kafkaclient/franzgo.go",
		old:  "if errors.As(r.Err, &kgoErr) && !kgoErr.Retriable {\n",
		new: "if errors.As(r.Err, &kgoErr) && errors.Is(r.Err, kerr.MessageTooLarge) && " +
			"recordUserSize(r.Record)+1024 > p.maxMessageBytes {\n",
	},
}

// adapt applies the module's edits to its files, by path. Each place must be there exactly once: anything else
// means that the module is not the one that the edits were written for.
func (m module) adapt(files map[string]string) error {
	for _, e := range m.edits {
		content, ok := files[e.file]
		if !ok {
			return fmt.Errorf("%s has no file %s: the edits of tools/adaptexporter/edits.go do not fit it", m.path, e.file)
		}
		if n := strings.Count(content, e.old); n != 1 {
			return fmt.Errorf("%s: %s: %q is there %d times, not once: the edits of tools/adaptexporter/edits.go do not fit it",
				m.path, e.file, e.old, n)
		}
		files[e.file] = strings.Replace(content, e.old, e.new, 1)
	}
	return nil
}
