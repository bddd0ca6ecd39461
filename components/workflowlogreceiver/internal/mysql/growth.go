// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

const (
	// sqlTableSizes has estimates, which the server keeps for its optimizer.
	sqlTableSizes = "SELECT table_name, COALESCE(data_length, 0) + COALESCE(index_length, 0), COALESCE(table_rows, 0) " +
		"FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' AND table_name IN "
	sqlOldest = "SELECT created_at FROM "
	firstRow  = " ORDER BY created_at, id LIMIT 1"
)

// catalog reads what the database knows about its tables.
type catalog struct{ *session }

// TableSizes reads the catalog, and the first entry of those indexes that begin with the time. An error of a statement
// leaves the connection usable.
func (c catalog) TableSizes(ctx context.Context) (sizes []source.TableSize, fault, err error) {
	sizes, err = c.tableSizes(ctx)
	if _, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return nil, err, nil
	}
	return sizes, nil, err
}

func (c catalog) tableSizes(ctx context.Context) ([]source.TableSize, error) {
	scan := func(rows *sql.Rows) (size source.TableSize, err error) {
		err = rows.Scan(&size.Name, &size.Bytes, &size.Live)
		size.Dead = source.NoDeadRows
		return size, err
	}
	sizes, err := queryIDs(ctx, c.session, "read the sizes of tables", sqlTableSizes, scan, source.GrowingTables)
	if err != nil {
		return nil, err
	}
	at := func(rows *sql.Rows) (at time.Time, err error) {
		err = rows.Scan(&at)
		return at, err
	}
	for _, table := range c.schema.IndexedByTime() {
		step := "read the oldest row of " + string(table)
		oldest, err := query(ctx, c.session, step, sqlOldest+string(table)+firstRow, at)
		if err != nil {
			return nil, err
		}
		if len(oldest) > 0 {
			source.SetOldest(sizes, table, oldest[0])
		}
	}
	return sizes, nil
}
