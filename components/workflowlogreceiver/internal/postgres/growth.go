// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

const (
	// sqlTableSizes adds up the partitions of a table. The table of a view is not known.
	sqlTableSizes = `WITH RECURSIVE t AS (
	SELECT name, to_regclass(name)::oid AS oid FROM unnest($1::text[]) AS name
	UNION ALL SELECT t.name, i.inhrelid FROM t JOIN pg_inherits i ON i.inhparent = t.oid)
	SELECT t.name, sum(pg_total_relation_size(c.oid))::int8, coalesce(sum(s.n_live_tup), 0)::int8,
	coalesce(sum(s.n_dead_tup), 0)::int8
	FROM t JOIN pg_class c ON c.oid = t.oid AND c.relkind IN ('r', 'p', 'm')
	LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid GROUP BY t.name`
	sqlOldest = `SELECT created_at FROM `
	firstRow  = ` ORDER BY created_at, id LIMIT 1`
)

// catalog reads what the database knows about its tables.
type catalog struct{ *session }

// TableSizes reads the catalog, and the first entry of those indexes that begin with the time.
func (c catalog) TableSizes(ctx context.Context) (sizes []source.TableSize, fault, err error) {
	statements := []statement{{
		"read the sizes of tables", sqlTableSizes, []string{array(source.GrowingTables)}, func(values [][]byte) {
			sizes = append(sizes, source.TableSize{
				Name: string(values[0]), Bytes: integer(values[1]), Live: integer(values[2]), Dead: integer(values[3]),
			})
		},
	}}
	oldest := map[source.Table]time.Time{}
	for _, table := range c.schema.IndexedByTime() {
		statements = append(statements, statement{
			"read the oldest row of " + string(table), sqlOldest + string(table) + firstRow, nil,
			func(values [][]byte) { oldest[table] = timestamp(values[0]) },
		})
	}
	fault, err = c.try(ctx, statements...)
	for table, at := range oldest {
		source.SetOldest(sizes, table, at)
	}
	return sizes, fault, err
}

// try separates an error of a statement (fault), which is rolled back, from an error of the connection (err).
func (c *session) try(ctx context.Context, statements ...statement) (fault, err error) {
	err = c.query(ctx, statements...)
	var pgErr *pgconn.PgError
	if err == nil || !errors.As(err, &pgErr) || c.pg.IsClosed() {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout+source.Grace)
	defer cancel()
	if _, failed := c.pg.Exec(ctx, "ROLLBACK"); failed != nil { // the error has aborted the transaction
		return nil, explain(statements[0].step, failed)
	}
	return err, nil
}
