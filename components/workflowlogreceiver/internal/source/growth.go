// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package source

import "time"

// GrowingTables are the tables of Dify that grow with its use, and that its own cleanup jobs are about.
var GrowingTables = []string{
	"workflow_runs", "workflow_node_executions", "workflow_node_execution_offload", "workflow_app_logs",
	"workflow_draft_variables", "workflow_pauses", "messages", "message_agent_thoughts", "message_files", "conversations",
	"upload_files", "document_segments", "dataset_queries", "tool_files", "celery_taskmeta",
}

// TableSize is what the database's catalog knows about a table. It costs no read of the table itself.
type TableSize struct {
	Name  string
	Bytes int64 // with indexes, and what is stored outside of the rows
	Live  int64 // rows, as the database estimates them
	Dead  int64 // rows that are not yet removed; NoDeadRows where the database does not count them
	// Oldest is the created_at of the oldest row, as its column shows it: local time for messages. It is zero if no index
	// leads to it, or if the table is empty.
	Oldest time.Time
}

// NoDeadRows is the value of TableSize.Dead if it is not known.
const NoDeadRows = -1

// IndexedByTime returns the tables whose oldest row an index leads to.
func (s *Schema) IndexedByTime() []Table {
	var tables []Table
	if s.RunsByTime {
		tables = append(tables, Runs)
	}
	if s.MessagesByTime && s.Reads(PartMessages) {
		tables = append(tables, Messages)
	}
	return tables
}

// SetOldest sets the time of the oldest row of a table.
func SetOldest(sizes []TableSize, table Table, oldest time.Time) {
	for i := range sizes {
		if sizes[i].Name == string(table) {
			sizes[i].Oldest = oldest
		}
	}
}
