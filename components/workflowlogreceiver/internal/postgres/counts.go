// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// sqlDataSizes adds up the partitions of a table. The table of a view is not known.
const sqlDataSizes = `WITH RECURSIVE t AS (
	SELECT name, to_regclass(name)::oid AS oid FROM unnest($1::text[]) AS name
	UNION ALL SELECT t.name, i.inhrelid FROM t JOIN pg_inherits i ON i.inhparent = t.oid)
	SELECT t.name, sum(pg_relation_size(c.oid))::int8
	FROM t JOIN pg_class c ON c.oid = t.oid AND c.relkind IN ('r', 'p', 'm') GROUP BY t.name`

// DataSizes reads the catalog.
func (c catalog) DataSizes(ctx context.Context, tables []string) (bytes map[string]int64, fault, err error) {
	bytes = map[string]int64{}
	for _, table := range tables {
		bytes[table] = source.UnknownSize
	}
	fault, err = c.try(ctx, statement{
		"read the sizes of tables", sqlDataSizes,
		[]string{array(tables)},
		func(values [][]byte) { bytes[string(values[0])] = integer(values[1]) },
	})
	return bytes, fault, err
}

// Count sends one statement.
func (c catalog) Count(ctx context.Context, count source.Count) (counts []source.StatusCount, fault, err error) {
	var statements []statement
	if count.IndexOnly {
		statements = append(statements, statement{
			"prepare the session", "SET LOCAL enable_seqscan = off", nil, func([][]byte) {},
		})
	}
	statements = append(statements, statement{"count " + count.Table, count.SQL, nil, func(values [][]byte) {
		counts = append(counts, source.StatusCount{
			Status: string(values[0]), Label: string(values[1]), Rows: integer(values[2]), Oldest: timestamp(values[3]),
		})
	}})
	fault, err = c.try(ctx, statements...)
	return counts, fault, err
}
