// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

const sqlIndexes = "SELECT table_name, GROUP_CONCAT(column_name ORDER BY seq_in_index) FROM " +
	"information_schema.statistics " +
	"WHERE table_schema = DATABASE() AND table_name IN ('workflow_runs', 'workflow_app_logs', " +
	"'workflow_node_executions', 'messages', 'workflow_pauses', 'human_input_forms', " +
	"'workflow_trigger_logs', 'message_feedbacks') " +
	"GROUP BY table_name, index_name"

const sqlViews = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() " +
	"AND table_type LIKE '%VIEW' AND table_name IN "

const sqlZone = "SELECT IF(@@session.time_zone = 'SYSTEM', @@system_time_zone, @@session.time_zone)"

// Inspect reads each table's columns, so that all errors are reported at once, and then the indexes.
func (c *session) Inspect(ctx context.Context) (source.Schema, error) {
	var faults []string
	for _, table := range source.Required {
		fault, err := c.probe(ctx, table)
		if err != nil {
			return source.Schema{}, err
		}
		if fault != nil {
			faults = append(faults, fault.Error())
		}
	}
	if len(faults) > 0 {
		return source.Schema{}, errors.New(strings.Join(faults, "; "))
	}
	off, err := source.ProbeParts(func(table source.TableColumns) (error, error) { return c.probe(ctx, table) })
	if err != nil {
		return source.Schema{}, err
	}
	indexes, err := query(ctx, c, "read the indexes", sqlIndexes, func(rows *sql.Rows) (index source.Index, err error) {
		err = rows.Scan(&index.Table, &index.Columns)
		return index, err
	})
	if err != nil {
		return source.Schema{}, err
	}
	text := func(rows *sql.Rows) (text string, err error) {
		err = rows.Scan(&text)
		return text, err
	}
	views, err := queryIDs(ctx, c, "read the kinds of tables", sqlViews, text, source.Names())
	if err != nil {
		return source.Schema{}, err
	}
	zones, err := query(ctx, c, "read the time zone", sqlZone, text)
	if err != nil {
		return source.Schema{}, err
	}
	c.schema = source.NewSchema(indexes, off)
	c.schema.Views = views
	c.schema.Zone = source.Zone{Name: zones[0], Used: true, Known: true}
	return c.schema, nil
}

// probe separates an error of the table (fault) from an error of the connection (err).
func (c *session) probe(ctx context.Context, table source.TableColumns) (fault, err error) {
	_, err = query(
		ctx, c, "read "+table.Table, quoted(table).Probe(), func(*sql.Rows) (struct{}, error) { return struct{}{}, nil },
	)
	var myErr *mysql.MySQLError
	if errors.As(err, &myErr) && hints[myErr.Number] != "" {
		if myErr.Number == codeAbsent {
			err = fmt.Errorf("%w: %w", source.ErrAbsent, err)
		}
		return err, nil
	}
	return nil, err
}

// quoted returns the same table with its columns in backticks, since some are reserved words.
func quoted(table source.TableColumns) source.TableColumns {
	return source.TableColumns{Table: table.Table, Columns: "`" + strings.ReplaceAll(table.Columns, ", ", "`, `") + "`"}
}
