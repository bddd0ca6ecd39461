// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// SchemaLog logs what the schema of the database costs. The zero SchemaLog is ready.
type SchemaLog struct{ last string }

// Warn logs what differs from the last call.
func (l *SchemaLog) Warn(logger *zap.Logger, schema source.Schema) {
	scans := schema.Scans()
	warnings := fmt.Sprint(scans, schema.Zone, schema.Off)
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
	logParts(logger, schema.Off)
	logZone(logger, schema.Zone)
}

// logParts logs what is left out. That an old Dify does not have a table yet is no fault.
func logParts(logger *zap.Logger, off map[source.Part]error) {
	var absent []string
	for _, optional := range source.OptionalParts {
		switch reason := off[optional.Part]; {
		case reason == nil, optional.Part == source.PartMessageErrors && off[source.PartMessages] != nil:
		case errors.Is(reason, source.ErrAbsent) && optional.Part != source.PartMessages:
			absent = append(absent, string(optional.Part))
		default:
			logger.Warn("The table "+optional.Tables[0].Table+", or a column of it, cannot be read: "+optional.Effect+
				" until it can be", zap.String("part", string(optional.Part)), zap.Error(reason))
		}
	}
	if len(absent) > 0 {
		logger.Info("This Dify does not have all optional tables; what is read from them is left out",
			zap.Strings("parts", absent))
	}
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
