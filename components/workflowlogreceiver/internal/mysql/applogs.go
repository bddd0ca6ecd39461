// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// appLogs reads workflow_app_logs in storage order.
type appLogs struct{ *session }

// AppLogsEnd returns "": the table is stored in the order of its random IDs.
func (appLogs) AppLogsEnd(context.Context) (string, error) { return "", nil }

func (c appLogs) ScanAppLogs(
	ctx context.Context, from string, limit int,
) (rows []source.AppLog, next string, err error) {
	rows, err = query(ctx, c.session, "scan workflow_app_logs", sqlScanAppLogs, scanWholeAppLog, from, limit)
	if len(rows) == limit {
		next = rows[limit-1].ID
	}
	return rows, next, err
}
