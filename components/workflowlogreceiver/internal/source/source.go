// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package source defines what the receiver reads from a database with Dify's tables. It imports no other package of
// this module.
package source

import (
	"context"
	"crypto/tls"
	"errors"
	"time"
)

// Position is a place in the order of a table by (created_at, id). The zero Position precedes every row. Its JSON
// names are names on disk.
type Position struct {
	CreatedAt time.Time `json:"created_at"`
	ID        string    `json:"id"`
}

// Key is the part of a row that an index-only scan returns.
type Key struct {
	ID        string
	CreatedAt time.Time
}

// Position of the row in the order of its table.
func (k Key) Position() Position { return Position{CreatedAt: k.CreatedAt, ID: k.ID} }

// Run is a row of workflow_runs without its large columns.
type Run struct {
	Key
	TenantID, AppID, WorkflowID string
	Type, TriggeredFrom, Status string
	CreatedByRole, CreatedBy    string
	Error                       string // truncated to MaxErrorLength
	ElapsedTime                 float64
	TotalTokens                 int64
	TotalSteps                  int64
	ExceptionsCount             int64
	FinishedAt                  time.Time // zero while the run has not ended
}

// Message is what a row of messages records about the call of a model. Its content is never read.
type Message struct {
	Key
	AppID               string
	Provider, Model     string // empty for a chatflow, whose run counts its calls
	WorkflowRunID       string
	InvokeFrom, Status  string
	InputTokens, Output int64
	Price               float64
	Currency            string
	Latency             float64   // seconds; 0 while there is no answer
	CreatedUTC          time.Time // CreatedAt, converted by the database

	// What follows is empty if PartMessageErrors is off.
	ConversationID, EndUserID, AccountID string
	Error                                string // truncated to MaxErrorLength
}

// AppLog is a row of workflow_app_logs.
type AppLog struct {
	Key                         // of the row itself
	RunID, CreatedFrom          string
	TenantID, AppID, WorkflowID string // these and the next two are set by ScanAppLogs only
	CreatedByRole, CreatedBy    string
}

// Node is a node execution that reports how many tokens it used.
type Node struct {
	RunID, Type          string
	AppID, TriggeredFrom string // see IsCalled
	// Metadata is the JSON of execution_metadata, empty where it is longer than MaxMetadataLength.
	Metadata string
}

// FailedNode is a node execution that failed, of a run that failed.
type FailedNode struct {
	RunID, ID, Type, Title string
	AppID, TriggeredFrom   string // see IsCalled
	ExecutionID            string
	Error                  string // truncated to MaxErrorLength
	Index                  int64  // its place in the order of executions of its workflow
}

// ownTriggers are the values of triggered_from of the nodes of a run's own workflow.
var ownTriggers = map[string]bool{"workflow-run": true, "rag-pipeline-run": true, "single-step": true}

// IsCalled reports whether a node belongs to a workflow that the run of an app called as a tool. Since Dify 1.18 such a
// workflow has no run of its own: its nodes have the ID of the caller's run, the ID of their own app, and another value
// of triggered_from.
func IsCalled(runApp, nodeApp, triggeredFrom string) bool {
	return !ownTriggers[triggeredFrom] && triggeredFrom != "" || nodeApp != "" && runApp != "" && nodeApp != runApp
}

// Pause is the row of workflow_pauses of a run, with its reason. Its times are UTC.
type Pause struct {
	RunID            string
	Since, ResumedAt time.Time // ResumedAt is zero while the run waits
	Reason, NodeID   string    // empty if PartPauseReasons is off
	ExpiresAt        time.Time // of the form to fill in; zero if there is none, or PartForms is off
}

// Details are the rows of other tables that belong to some runs.
type Details struct {
	AppLogs []AppLog
	Nodes   []Node
	Failed  []FailedNode // of runs that failed
}

// FailedRuns returns the runs that failed.
func FailedRuns(runs []*Run) []*Run {
	var failed []*Run
	for _, run := range runs {
		if run.Status == "failed" {
			failed = append(failed, run)
		}
	}
	return failed
}

// App is the part of a row of apps that is read.
type App struct {
	ID, TenantID, Name, Mode string
}

// Tenant is the part of a row of tenants that is read. Dify's pages call it a workspace.
type Tenant struct {
	ID, Name string
}

// Bounds on how much of the long text columns is read.
const (
	MaxErrorLength    = 8192       // characters of workflow_runs.error
	MaxMetadataLength = 256 * 1024 // bytes of execution_metadata
)

// ErrLockHeld means that another reader holds the lock.
var ErrLockHeld = errors.New("another workflow_log receiver reads this database")

// ErrPooled is the reason why a shared connection cannot hold a lock.
var ErrPooled = errors.New("the database is reached through a connection pooler")

// ErrIdle means that the server has closed a connection because it was idle.
var ErrIdle = errors.New("the server closes idle connections")

// Settings of a connection.
type Settings struct {
	Host                         string // name, address, or absolute path of a Unix socket
	Port                         int
	Username, Password, Database string
	TLS                          *tls.Config // nil: no TLS
	// Schema has Dify's tables, if the search path of the role does not lead to them. PostgreSQL only.
	Schema string
	// TimeZone is the time zone of Dify's sessions, or "" if it is not configured: see Zone.
	TimeZone         string
	StatementTimeout time.Duration
}

// Grace is added to the statement timeout on the client side, so that the server's own timeout, which leaves the
// connection usable, expires first.
const Grace = 5 * time.Second

// Table is a table that is followed in the order of (created_at, id).
type Table string

// The tables that are followed.
const (
	Runs     Table = "workflow_runs"
	Messages Table = "messages"
)

// Connector opens a connection to Dify's database.
type Connector interface {
	Connect(ctx context.Context) (Conn, error)
}

// Conn is one connection to the database. Only one goroutine may use it at a time. Times are UTC, except those of
// messages, which are local: see Clock. After an error the caller closes it and connects again.
type Conn interface {
	// Lock acquires the lock that a single reader holds for the lifetime of its connection. It returns ErrLockHeld if
	// another reader holds it. If this connection cannot hold a lock, unlocked is the reason and says what to do.
	Lock(ctx context.Context) (unlocked, err error)
	// Inspect determines which of Dify's schemas this is. It must be called before the methods below, which depend on
	// it.
	Inspect(ctx context.Context) (Schema, error)
	// Now returns the time of the database's clock. Its Local is right for reading the rows of the time since back.
	Now(ctx context.Context, back time.Duration) (Clock, error)
	// Local returns what a column that has local times showed at an instant: see Clock.
	Local(ctx context.Context, at time.Time) (time.Time, error)

	// RunsAfter returns up to limit runs after a position, in order.
	RunsAfter(ctx context.Context, after Position, limit int) ([]Run, error)
	// Runs returns the given runs, in no particular order. Runs that do not exist are missing from the result.
	Runs(ctx context.Context, ids []string) ([]Run, error)
	// MessagesAfter and Messages do the same for messages.
	MessagesAfter(ctx context.Context, after Position, limit int) ([]Message, error)
	Messages(ctx context.Context, ids []string) ([]Message, error)
	// Keys returns the keys of up to limit rows after one position, up to and including another, in order.
	Keys(ctx context.Context, table Table, after, upTo Position, limit int) ([]Key, error)
	// Existing returns the IDs of those runs that exist.
	Existing(ctx context.Context, runIDs []string) ([]string, error)

	// Details returns the rows of other tables that belong to the runs.
	Details(ctx context.Context, runs []*Run) (Details, error)
	// DetailsAndRunsAfter combines Details, of at least one run, and RunsAfter, without idle time of the database in
	// between.
	DetailsAndRunsAfter(ctx context.Context, runs []*Run, after Position, limit int) (Details, []Run, error)
	// Pauses returns the latest pause of those of the runs that have one. PartPauses must be readable.
	Pauses(ctx context.Context, runIDs []string) ([]Pause, error)
	Apps(ctx context.Context, ids []string) ([]App, error)
	Tenants(ctx context.Context, ids []string) ([]Tenant, error)

	// ScanAppLogs returns the next part of workflow_app_logs, about limit rows, in storage order. A scan begins with
	// from = "" and has reached the end when next is "".
	ScanAppLogs(ctx context.Context, from string, limit int) (rows []AppLog, next string, err error)
	// AppLogsEnd returns the place at which the table grows, or "" if rows are inserted anywhere.
	AppLogsEnd(ctx context.Context) (string, error)

	// TableSizes returns the sizes of those of GrowingTables that exist. It separates what the database refuses (fault),
	// after which the connection works, from an error of the connection.
	TableSizes(ctx context.Context) (sizes []TableSize, fault, err error)

	// DataSizes returns the bytes of the rows of tables, without indexes and, on PostgreSQL, without what is stored
	// outside of the rows; UnknownSize for a table that the catalog does not know.
	DataSizes(ctx context.Context, tables []string) (bytes map[string]int64, fault, err error)
	// Count counts rows.
	Count(ctx context.Context, count Count) (counts []StatusCount, fault, err error)

	Close(ctx context.Context) error
}
