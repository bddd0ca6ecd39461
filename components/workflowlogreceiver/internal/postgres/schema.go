// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

const sqlIndexes = `SELECT t.relname::text, string_agg(a.attname::text, ',' ORDER BY k.n)
	FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
	CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, n)
	JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum
	WHERE i.indisvalid AND i.indpred IS NULL AND t.oid IN (to_regclass('workflow_runs'), to_regclass('workflow_app_logs'),
	to_regclass('workflow_node_executions'), to_regclass('messages'))
	GROUP BY i.indexrelid, t.relname`

// Inspect reads each table's columns, so that all errors are reported at once, and then the indexes.
func (c *session) Inspect(ctx context.Context) (source.Schema, error) {
	var faults error
	for _, table := range source.Required {
		fault, err := c.probe(ctx, table)
		if err != nil {
			return source.Schema{}, err
		}
		faults = errors.Join(faults, fault)
	}
	if faults != nil {
		return source.Schema{}, oneLine{faults}
	}
	messages, err := c.probe(ctx, source.Optional)
	if err != nil {
		return source.Schema{}, err
	}
	indexes, err := all(ctx, c, "read the indexes", sqlIndexes, func(values [][]byte) source.Index {
		return source.Index{Table: string(values[0]), Columns: string(values[1])}
	})
	if err != nil {
		return source.Schema{}, err
	}
	c.schema = source.NewSchema(indexes, messages)
	return c.schema, nil
}

// probe separates an error of the table (fault) from an error of the connection (err). It runs outside a transaction,
// which an error would abort.
func (c *session) probe(ctx context.Context, table source.TableColumns) (fault, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout+source.Grace)
	defer cancel()
	err = c.pg.PgConn().ExecParams(ctx, table.Probe(), nil, nil, nil, nil).Read().Err
	var pgErr *pgconn.PgError
	switch {
	case err == nil:
		return nil, nil
	case errors.As(err, &pgErr) && hints[pgErr.Code] != "" && !c.pg.IsClosed():
		return explain("read "+table.Table, err), nil
	default:
		return nil, explain("read "+table.Table, err)
	}
}
