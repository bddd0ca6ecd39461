// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package source

import "time"

// Count is a statement that counts the rows of a table by a status. Its columns are the status, a second label or "",
// the number of rows, and the created_at of the oldest one or NULL.
type Count struct {
	Part  Part
	Table string
	SQL   string
	// Scans means that the statement reads the whole table, or one of its indexes: its size must be limited.
	Scans bool
	// IndexOnly means that it reads nothing but an index.
	IndexOnly bool
	// Index has the columns of the index that it needs, or is "".
	Index string
}

// finalStatus is the status of a trigger log that needs nobody's attention. Most have it.
const finalStatus = "'succeeded'"

// Counts are all of them. None reads a large column.
var Counts = []Count{
	{
		Part: PartDocuments, Table: "documents", Scans: true,
		SQL: "SELECT indexing_status, '', COUNT(*), MIN(created_at) FROM documents GROUP BY indexing_status",
	},
	{
		Part: PartTriggerLogs, Table: "workflow_trigger_logs", Index: "status",
		SQL: "SELECT t.status, '', COUNT(*), MIN(t.created_at) FROM (SELECT status, created_at FROM workflow_trigger_logs " +
			"WHERE status < " + finalStatus + " OR status > " + finalStatus + " LIMIT 10000) AS t GROUP BY t.status",
	},
	{
		Part: PartTriggers, Table: "app_triggers", Scans: true,
		SQL: "SELECT status, '', COUNT(*), NULL FROM app_triggers GROUP BY status",
	},
	{
		Part: PartFeedback, Table: "message_feedbacks", Scans: true, IndexOnly: true,
		Index: "conversation_id,from_source,rating",
		SQL:   "SELECT rating, from_source, COUNT(*), NULL FROM message_feedbacks GROUP BY rating, from_source",
	},
}

// StatusCount is one row of the result of a Count.
type StatusCount struct {
	Status, Label string
	Rows          int64
	Oldest        time.Time // as the column shows it: local time, see Clock
}

// UnknownSize is the size of a table that the catalog does not know, such as one behind a view.
const UnknownSize = -1
