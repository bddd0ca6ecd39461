// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// workflow_app_logs has no index by time, and its IDs are random. Apart from the holes that deletions leave, its
// storage order is the order of time: new rows are appended. PostgreSQL 14 and later read a range of a table's blocks
// without an index and without reading the rest. On older versions the scan goes by ID.

const (
	appLogColumns = `id, created_at, workflow_run_id, created_from, tenant_id, app_id, workflow_id,
	created_by_role, created_by`

	sqlAppLogBlocks = `SELECT (pg_relation_size('workflow_app_logs') / current_setting('block_size')::int8)::int8`
	sqlAppLogRange  = `SELECT ` + appLogColumns + ` FROM workflow_app_logs WHERE ctid >= $1::tid AND ctid < $2::tid`
	sqlAppLogsAfter = `SELECT ` + appLogColumns + ` FROM workflow_app_logs WHERE id > $1::uuid ORDER BY id LIMIT $2::int8`

	rowsPerBlock   = 64
	firstTIDRanges = 14 // the first major version with TID range scans
)

func (c *session) hasTIDRanges() bool {
	major, _, _ := strings.Cut(c.pg.PgConn().ParameterStatus("server_version"), ".")
	version, err := strconv.Atoi(strings.TrimRight(major, "abcdefghijklmnopqrstuvwxyz "))
	return err == nil && version >= firstTIDRanges
}

// appLogs reads workflow_app_logs in storage order.
type appLogs struct{ *session }

func (c appLogs) ScanAppLogs(
	ctx context.Context, from string, limit int,
) (rows []source.AppLog, next string, err error) {
	if c.hasTIDRanges() {
		return c.scanBlocks(ctx, from, limit)
	}
	if from == "" {
		from = nilUUID
	}
	rows, err = all(ctx, c.session, "scan workflow_app_logs", sqlAppLogsAfter, c.interner.readAppLog,
		from, strconv.Itoa(limit))
	if len(rows) == limit {
		next = rows[limit-1].ID
	}
	return rows, next, err
}

func (c appLogs) scanBlocks(ctx context.Context, from string, limit int) (
	rows []source.AppLog, next string, err error,
) {
	block := int64(0)
	if from != "" {
		if block, err = strconv.ParseInt(from, 10, 64); err != nil {
			return nil, "", fmt.Errorf("scan workflow_app_logs: the place %q does not belong to this database", from)
		}
	}
	end, blocks := block+max(int64(limit)/rowsPerBlock, 1), int64(0)
	err = c.query(ctx,
		statement{"measure workflow_app_logs", sqlAppLogBlocks, nil, func(values [][]byte) { blocks = integer(values[0]) }},
		collect(limit, "scan workflow_app_logs", sqlAppLogRange, c.interner.readAppLog, &rows, tid(block), tid(end)))
	if end < blocks {
		next = strconv.FormatInt(end, 10)
	}
	return rows, next, err
}

func tid(block int64) string { return "(" + strconv.FormatInt(block, 10) + ",0)" }

// AppLogsEnd returns the last block, to which rows may still be added.
func (c appLogs) AppLogsEnd(ctx context.Context) (string, error) {
	if !c.hasTIDRanges() {
		return "", nil
	}
	blocks := int64(0)
	err := c.query(
		ctx,
		statement{"measure workflow_app_logs", sqlAppLogBlocks, nil, func(values [][]byte) { blocks = integer(values[0]) }},
	)
	return strconv.FormatInt(max(blocks-1, 0), 10), err
}
