// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

const (
	// sqlIndexes also finds the indexes of the table that a view is a view of.
	sqlIndexes = `WITH RECURSIVE base AS (
	SELECT name, to_regclass(name)::oid AS oid FROM unnest(ARRAY['workflow_runs', 'workflow_app_logs',
	'workflow_node_executions', 'messages', 'workflow_pauses', 'human_input_forms',
	'workflow_trigger_logs', 'message_feedbacks']) AS name
	UNION SELECT b.name, d.refobjid FROM base b JOIN pg_rewrite r ON r.ev_class = b.oid
	JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
	AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> b.oid)
	SELECT b.name, string_agg(a.attname::text, ',' ORDER BY k.n)
	FROM pg_index i JOIN base b ON b.oid = i.indrelid
	CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, n)
	JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
	WHERE i.indisvalid AND i.indpred IS NULL GROUP BY i.indexrelid, b.name`
	// A table without blocks of its own, such as a view or a foreign table, cannot be read by blocks.
	sqlViews = `SELECT relname::text FROM pg_class WHERE relkind NOT IN ('r', 'p')
	AND oid IN (SELECT to_regclass(name) FROM unnest($1::text[]) AS name)`
)

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
	off, err := source.ProbeParts(func(table source.TableColumns) (error, error) { return c.probe(ctx, table) })
	if err != nil {
		return source.Schema{}, err
	}
	indexes, err := all(ctx, c, "read the indexes", sqlIndexes, func(values [][]byte) source.Index {
		return source.Index{Table: string(values[0]), Columns: string(values[1])}
	})
	if err != nil {
		return source.Schema{}, err
	}
	views, err := all(ctx, c, "read the kinds of tables", sqlViews, func(values [][]byte) string {
		return string(values[0])
	}, array(source.Names()))
	if err != nil {
		return source.Schema{}, err
	}
	c.schema = source.NewSchema(indexes, off)
	c.schema.Views = views
	c.schema.Zone, err = c.findZone(ctx)
	return c.schema, err
}

// probe separates an error of the table (fault) from an error of the connection (err).
func (c *session) probe(ctx context.Context, table source.TableColumns) (fault, err error) {
	fault, err = c.try(ctx, statement{"read " + table.Table, table.Probe(), nil, func([][]byte) {}})
	var pgErr *pgconn.PgError
	if errors.As(fault, &pgErr) && hints[pgErr.Code] == "" {
		return nil, fault
	}
	if pgErr != nil && pgErr.Code == codeAbsent {
		fault = fmt.Errorf("%w: %w", source.ErrAbsent, fault)
	}
	return fault, err
}
