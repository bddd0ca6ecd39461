// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// workflow_app_logs has no index by time, and its IDs are random. Apart from the holes that deletions leave, its
// storage order is the order of time: new rows are appended. PostgreSQL 14 and later read a range of a table's blocks
// without an index and without reading the rest. If the table is partitioned, the same range of blocks is read in each
// partition, and rows are inserted anywhere. On older versions, and where the table is a view, the scan goes by ID.

const (
	appLogColumns = `id, created_at, workflow_run_id, created_from, tenant_id, app_id, workflow_id,
	created_by_role, created_by`
	localAppLogColumns = `id, created_at::timestamptz AT TIME ZONE 'UTC', workflow_run_id, created_from, tenant_id,
	app_id, workflow_id, created_by_role, created_by`

	// sqlAppLogBlocks returns the blocks of the largest partition, and the number of tables that these blocks are in.
	sqlAppLogBlocks = `WITH RECURSIVE part AS (SELECT to_regclass('workflow_app_logs')::oid AS oid
	UNION ALL SELECT i.inhrelid FROM pg_inherits i JOIN part ON part.oid = i.inhparent)
	SELECT (max(pg_relation_size(oid)) / current_setting('block_size')::int8)::int8, count(*) FROM part`
	sqlAppLogRange  = ` FROM workflow_app_logs WHERE ctid >= $1::tid AND ctid < $2::tid`
	sqlAppLogsAfter = ` FROM workflow_app_logs WHERE id > $1::uuid ORDER BY id LIMIT $2::int8`

	rowsPerBlock   = 64
	firstTIDRanges = 14 // the first major version with TID range scans
)

func (c *session) hasTIDRanges() bool {
	if slices.Contains(c.schema.Views, "workflow_app_logs") {
		return false
	}
	major, _, _ := strings.Cut(c.pg.PgConn().ParameterStatus("server_version"), ".")
	version, err := strconv.Atoi(strings.TrimRight(major, "abcdefghijklmnopqrstuvwxyz "))
	return err == nil && version >= firstTIDRanges
}

func (c *session) scanColumns() string {
	if c.schema.Zone.Used {
		return localAppLogColumns
	}
	return appLogColumns
}

// appLogs reads workflow_app_logs in storage order.
type appLogs struct{ *session }

func (c appLogs) ScanAppLogs(
	ctx context.Context, from string, limit int,
) (rows []source.AppLog, next string, err error) {
	if c.hasTIDRanges() {
		return c.scanBlocks(ctx, from, limit)
	}
	if !isUUID(from) { // the table has been replaced by a view since
		from = nilUUID
	}
	rows, err = all(ctx, c.session, "scan workflow_app_logs", "SELECT "+c.scanColumns()+sqlAppLogsAfter,
		c.interner.readAppLog, from, strconv.Itoa(limit))
	if len(rows) == limit {
		next = rows[limit-1].ID
	}
	return rows, next, err
}

func (c appLogs) scanBlocks(ctx context.Context, from string, limit int) (
	rows []source.AppLog, next string, err error,
) {
	block := int64(0)
	if from != "" && !isUUID(from) {
		if block, err = strconv.ParseInt(from, 10, 64); err != nil {
			return nil, "", fmt.Errorf("scan workflow_app_logs: the place %q does not belong to this database", from)
		}
	}
	end := block + max(int64(limit)/rowsPerBlock/max(c.parts, 1), 1)
	var blocks int64
	err = c.query(ctx, c.measure(&blocks), collect(limit, "scan workflow_app_logs",
		"SELECT "+c.scanColumns()+sqlAppLogRange, c.interner.readAppLog, &rows, tid(block), tid(end)))
	if end < blocks {
		next = strconv.FormatInt(end, 10)
	}
	return rows, next, err
}

func tid(block int64) string { return "(" + strconv.FormatInt(block, 10) + ",0)" }

func (c appLogs) measure(blocks *int64) statement {
	return statement{"measure workflow_app_logs", sqlAppLogBlocks, nil, func(values [][]byte) {
		*blocks, c.parts = integer(values[0]), integer(values[1])
	}}
}

// isUUID reports whether a place is one of a scan by ID.
func isUUID(place string) bool { return len(place) == len(nilUUID) }

// AppLogsEnd returns the last block, to which rows may still be added.
func (c appLogs) AppLogsEnd(ctx context.Context) (string, error) {
	if !c.hasTIDRanges() {
		return "", nil
	}
	var blocks int64
	err := c.query(ctx, c.measure(&blocks))
	if c.parts > 1 {
		return "", err
	}
	return strconv.FormatInt(max(blocks-1, 0), 10), err
}
