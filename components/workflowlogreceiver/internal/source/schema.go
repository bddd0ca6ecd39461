// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"fmt"
	"slices"
	"strings"
)

// Schema describes the differences between the versions of Dify that matter to the receiver.
type Schema struct {
	RunsByTime     bool      // workflow_runs (created_at, id): since Dify 1.11.3
	AppLogsByRun   bool      // workflow_app_logs (workflow_run_id): since 1.8.1
	NodesByRun     NodeIndex // by run ID alone since 1.12.0
	MessagesByTime bool      // messages (created_at, id): since 1.12.0
	MessagesByApp  bool      // messages (app_id, created_at)
	PausesByRun    bool      // workflow_pauses (workflow_run_id)
	FormsByRun     bool      // human_input_forms (workflow_run_id)
	Indexes        []Index
	// Off are the parts that cannot be read, and why.
	Off map[Part]error
	// Views are those of the tables that are views.
	Views []string
	Zone  Zone
}

// NodeIndex is the index that leads from a run to its node executions.
type NodeIndex int

// The indexes that Dify's versions have had.
const (
	NoNodeIndex  NodeIndex = iota
	NodesByPath            // (tenant_id, app_id, workflow_id, triggered_from, workflow_run_id): before 1.12.0
	NodesByRunID           // (workflow_run_id)
)

// The columns that are read, by table. Each table of Required must have all of them.
var (
	Required = []TableColumns{
		{
			"workflow_runs",
			"id, created_at, tenant_id, app_id, workflow_id, type, triggered_from, status, created_by_role, created_by, " +
				"error, elapsed_time, total_tokens, total_steps, exceptions_count, finished_at",
		},
		{
			"workflow_app_logs",
			"id, created_at, workflow_run_id, created_from, tenant_id, app_id, workflow_id, created_by_role, created_by",
		},
		{
			"workflow_node_executions",
			"workflow_run_id, tenant_id, app_id, workflow_id, triggered_from, node_type, execution_metadata",
		},
		{"apps", "id, tenant_id, name, mode"},
		{"tenants", "id, name"},
	}
)

// TableColumns are the columns that are read from a table, as written in SQL.
type TableColumns struct{ Table, Columns string }

// Probe returns a statement that fails if the table, a column, or the privilege to read it is missing. It reads no
// rows.
func (t TableColumns) Probe() string { return "SELECT " + t.Columns + " FROM " + t.Table + " LIMIT 0" }

// Index is a valid, non-partial index of the database.
type Index struct {
	Table   string
	Columns string // joined by commas
}

// Names returns the names of the tables that are followed, and of those that belong to their rows.
func Names() []string {
	names := make([]string, 0, len(Required)+1)
	for _, table := range Required {
		names = append(names, table.Table)
	}
	return append(names, string(Messages))
}

// NewSchema derives the schema from the indexes, and from the parts that cannot be read.
func NewSchema(indexes []Index, off map[Part]error) Schema {
	s := Schema{Indexes: indexes}
	has := s.HasIndex
	s = Schema{
		Indexes:        indexes,
		RunsByTime:     has("workflow_runs", "created_at,id"),
		AppLogsByRun:   has("workflow_app_logs", "workflow_run_id"),
		MessagesByTime: has("messages", "created_at,id"),
		MessagesByApp:  has("messages", "app_id,created_at"),
		PausesByRun:    has("workflow_pauses", "workflow_run_id"),
		FormsByRun:     has("human_input_forms", "workflow_run_id"),
		Off:            off,
	}
	switch {
	case has("workflow_node_executions", "workflow_run_id"):
		s.NodesByRun = NodesByRunID
	case has("workflow_node_executions", "tenant_id,app_id,workflow_id,triggered_from,workflow_run_id"):
		s.NodesByRun = NodesByPath
	}
	return s
}

// HasIndex reports whether a table has an index that begins with the columns.
func (s *Schema) HasIndex(table, columns string) bool {
	return slices.ContainsFunc(s.Indexes, func(index Index) bool {
		return index.Table == table && (index.Columns == columns || strings.HasPrefix(index.Columns, columns+","))
	})
}

// Reads reports whether a part can be read.
func (s *Schema) Reads(part Part) bool { return s.Off[part] == nil }

// Scans describes the reads that have no index and therefore scan a table.
func (s *Schema) Scans() []string {
	var scans []string
	for _, missing := range []struct {
		is                     bool
		table, columns, sinceV string
	}{
		{!s.RunsByTime, "workflow_runs", "created_at, id", "1.11.3"},
		{!s.AppLogsByRun, "workflow_app_logs", "workflow_run_id", "1.8.1"},
		{s.NodesByRun == NoNodeIndex, "workflow_node_executions", "workflow_run_id", "1.12.0"},
		{s.Reads(PartMessages) && !s.MessagesByTime && !s.MessagesByApp, "messages", "created_at, id", "1.12.0"},
	} {
		if missing.is {
			scans = append(
				scans, fmt.Sprintf("%s (%s), available since Dify %s", missing.table, missing.columns, missing.sinceV),
			)
		}
	}
	return scans
}
