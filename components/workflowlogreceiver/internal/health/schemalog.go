// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"fmt"

	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// SchemaLog logs what the schema of the database costs. The zero SchemaLog is ready.
type SchemaLog struct{ last string }

// Warn logs what differs from the last call.
func (l *SchemaLog) Warn(logger *zap.Logger, schema source.Schema) {
	scans, omitted := schema.Scans(), ""
	if schema.Messages != nil {
		omitted = schema.Messages.Error()
	}
	warnings := fmt.Sprint(omitted, schema.FailedNodes, scans, schema.Zone)
	if warnings == l.last {
		return
	}
	l.last = warnings
	if len(scans) > 0 {
		logger.Warn(
			"This Dify schema lacks an index, so each poll scans a whole table; the receiver polls once a minute. "+
				"Upgrade Dify or create the index. The indexes of the tables of a view may not be visible",
			zap.Strings("missing", scans), zap.Strings("views", schema.Views),
		)
	}
	if omitted != "" {
		logger.Warn("The table messages cannot be read: "+
			"tokens and cost of chat, agent and completion apps are not counted until it can be "+
			"read", zap.Error(schema.Messages))
	}
	if schema.FailedNodes != nil {
		logger.Warn("Columns of workflow_node_executions cannot be read: the records of failed runs do not name the node "+
			"that failed until they can be", zap.Error(schema.FailedNodes))
	}
	logZone(logger, schema.Zone)
}

// logZone logs what is not usual.
func logZone(logger *zap.Logger, zone source.Zone) {
	name := zap.String("time_zone", zone.Name)
	switch {
	case !zone.Known:
		logger.Info("No row yet shows in which time zone Dify's sessions are; until one does, messages are read as of "+
			"both UTC and the database's time zone, and app logs as of UTC. Set time_zone to avoid that", name)
	case zone.Used:
		logger.Info("The times that the database sets, in messages and workflow_app_logs, are in its time zone", name)
	}
}
