// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// added are new files of modules, in a folder with the module's name. They are not built here.
//
//go:embed added
var added embed.FS

// notBuilt is the first line of a new file, which its copy does not have.
const notBuilt = "//go:build ignore\n\n"

// edit replaces the one occurrence of old in file.
type edit struct {
	file     string
	old, new string
}

// openSearchEdits adapt the exporter to collector v0.139.0 and later:
//   - v0.142.0 made an exporter's queue settings a configoptional.Optional instead of a struct with a field `Enabled`;
//   - v0.145.0 let confighttp.ClientConfig.ToClient take the host's extensions instead of the host.
//
// With a middleware, such as opensearch_bulk, new files write the same requests for spans in a third of the CPU time.
// Without one, the stock code does.
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
	{
		file: "sso_trace_exporter.go",
		old:  "\n\tindexer := newTraceBulkIndexer(indexName, s.bulkAction, s.model)\n",
		new: "\n\tif len(s.httpSettings.Middlewares) > 0 {\n" +
			"\t\treturn s.pushDirect(ctx, indexName, td)\n" +
			"\t}\n" +
			"\tindexer := newTraceBulkIndexer(indexName, s.bulkAction, s.model)\n",
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

const persistentQueue = "internal/queue/persistent_queue.go"

// helperEdits let a persistent queue survive a disk that is full for a while (core#7198, core#8963) and a second crash
// at its start. The stock queue
//   - keeps the size of a request that could not be written: after enough of them it rejects everything, also when
//     there is space again, until a restart;
//   - skips a request that it could read, but whose dispatch it could not write down: it is lost;
//   - forgets a request that it could not delete: its data stays in the file;
//   - deletes the requests that were in flight at a crash before it writes them again: a second crash or a full disk
//     at that moment loses them. From the copy they may be sent twice.
var helperEdits = []edit{
	{
		file: persistentQueue,
		old:  "\tstopped         bool\n",
		new: "\tstopped         bool\n" +
			"\tundeleted       []*storage.Operation // deletions that failed, for the next one\n",
	},
	{
		file: persistentQueue,
		old:  "\tpq.metadata.ItemsSize += pq.itemsSizer.Sizeof(req)\n",
		new: "\twriteIndex, itemsSize, bytesSize := pq.metadata.WriteIndex, pq.metadata.ItemsSize, pq.metadata.BytesSize\n" +
			"\tpq.metadata.ItemsSize += pq.itemsSizer.Sizeof(req)\n",
	},
	{
		file: persistentQueue,
		old:  "\treturn pq.putInternal(ctx, req)\n",
		new: "\terr := pq.putInternal(ctx, req)\n" +
			"\tif err != nil {\n" +
			"\t\tpq.metadata.WriteIndex, pq.metadata.ItemsSize, pq.metadata.BytesSize = writeIndex, itemsSize, bytesSize\n" +
			"\t}\n" +
			"\treturn err\n",
	},
	{
		file: persistentQueue,
		old:  "\tif err == nil {\n\t\trestoredCtx, req, err = pq.encoding.Unmarshal(getOp.Value)\n",
		new: "\tif err == nil || len(getOp.Value) > 0 { // read, even if not written down\n" +
			"\t\trestoredCtx, req, err = pq.encoding.Unmarshal(getOp.Value)\n",
	},
	{
		file: persistentQueue,
		old:  "\terr = pq.client.Batch(ctx, setOp, deleteOp)\n\tif err == nil {\n",
		new: "\tpq.undeleted = append(pq.undeleted, deleteOp)\n" +
			"\terr = pq.client.Batch(ctx, append([]*storage.Operation{setOp}, pq.undeleted...)...)\n" +
			"\tif err == nil {\n" +
			"\t\tpq.undeleted = nil\n",
	},
	{
		file: persistentQueue,
		old: "\t\tpq.enqueueNotDispatchedReqs(ctx, pq.metadata.CurrentlyDispatchedItems)\n" +
			"\t\tpq.metadata.CurrentlyDispatchedItems = nil\n",
		new: "\t\tpq.enqueueNotDispatchedReqs(ctx, pq.metadata.CurrentlyDispatchedItems)\n",
	},
	{
		file: persistentQueue,
		old: "\tretrieveErr := pq.client.Batch(ctx, retrieveBatch...)\n" +
			"\tcleanupErr := pq.client.Batch(ctx, cleanupBatch...)\n\n" +
			"\tif cleanupErr != nil {\n" +
			"\t\tpq.logger.Debug(\"Failed cleaning items left by consumers\", zap.Error(cleanupErr))\n" +
			"\t}\n\n",
		new: "\tretrieveErr := pq.client.Batch(ctx, retrieveBatch...)\n",
	},
	{
		file: persistentQueue,
		old:  "\terrCount := 0\n\tfor _, op := range retrieveBatch {\n",
		new:  "\terrCount := 0\n\tvar left []uint64\n\tfor i, op := range retrieveBatch {\n",
	},
	{
		file: persistentQueue,
		old:  "\t\tif pq.putInternal(reqCtx, req) != nil { //nolint:contextcheck\n\t\t\terrCount++\n\t\t}\n\t}\n",
		new: "\t\twriteIndex := pq.metadata.WriteIndex\n" +
			"\t\tif pq.putInternal(reqCtx, req) != nil { //nolint:contextcheck\n" +
			"\t\t\terrCount++\n" +
			"\t\t\tpq.metadata.WriteIndex = writeIndex\n" +
			"\t\t\tleft = append(left, dispatchedItems[i])\n" +
			"\t\t\tcleanupBatch[i] = storage.GetOperation(op.Key) // it stays for the next start\n" +
			"\t\t}\n\t}\n" +
			"\tpq.metadata.CurrentlyDispatchedItems = left\n" +
			"\tmetadataBuf, err := proto.Marshal(&pq.metadata)\n" +
			"\tif err == nil {\n" +
			"\t\terr = pq.client.Batch(ctx, append(cleanupBatch, storage.SetOperation(metadataKey, metadataBuf))...)\n" +
			"\t}\n" +
			"\tif err != nil {\n" +
			"\t\tpq.undeleted = cleanupBatch\n" +
			"\t\tpq.logger.Warn(\"Failed cleaning items left by consumers\", zap.Error(err))\n" +
			"\t}\n",
	},
}

// adapt applies the module's edits to its files, by path, and adds its new ones. Each place must be there exactly once:
// anything else means that the module is not the one that the edits were written for.
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
	news, err := m.newFiles()
	if err != nil {
		return err
	}
	for name, content := range news {
		if _, ok := files[name]; ok {
			return fmt.Errorf("%s already has a file %s: the folder tools/adaptexporter/added does not fit it", m.path, name)
		}
		files[name] = content
	}
	return nil
}

// newFiles returns the files that the module's copy has in addition, by their path in it.
func (m module) newFiles() (map[string]string, error) {
	folder := path.Join("added", path.Base(m.path))
	entries, err := added.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	files := map[string]string{}
	for _, entry := range entries {
		content, readErr := added.ReadFile(path.Join(folder, entry.Name()))
		if readErr != nil {
			return nil, readErr
		}
		files[entry.Name()] = strings.TrimPrefix(string(content), notBuilt)
	}
	return files, err
}
