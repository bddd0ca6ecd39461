// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"database/sql"
	"errors"

	"github.com/go-sql-driver/mysql"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

const sqlDataSizes = "SELECT table_name, COALESCE(data_length, 0) FROM information_schema.tables " +
	"WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' AND table_name IN "

// DataSizes reads the catalog.
func (c catalog) DataSizes(ctx context.Context, tables []string) (bytes map[string]int64, fault, err error) {
	bytes = map[string]int64{}
	for _, table := range tables {
		bytes[table] = source.UnknownSize
	}
	_, err = queryIDs(ctx, c.session, "read the sizes of tables", sqlDataSizes, func(rows *sql.Rows) (struct{}, error) {
		var table string
		var size int64
		scanned := rows.Scan(&table, &size)
		bytes[table] = size
		return struct{}{}, scanned
	}, tables)
	fault, err = separate(err)
	return bytes, fault, err
}

// Count sends one statement.
func (c catalog) Count(ctx context.Context, count source.Count) (counts []source.StatusCount, fault, err error) {
	scan := func(rows *sql.Rows) (row source.StatusCount, err error) {
		var status, label sql.NullString
		var oldest sql.NullTime
		err = rows.Scan(&status, &label, &row.Rows, &oldest)
		row.Status, row.Label, row.Oldest = status.String, label.String, oldest.Time
		return row, err
	}
	counts, err = query(ctx, c.session, "count "+count.Table, count.SQL, scan)
	fault, err = separate(err)
	return counts, fault, err
}

// separate separates what the database refuses (fault), after which the connection works, from an error of the
// connection.
func separate(err error) (fault, connection error) {
	if _, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return err, nil
	}
	return nil, err
}
