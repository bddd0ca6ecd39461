// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package source says what the receiver asks of a database that holds Dify's tables. It imports nothing of ours.
package source

import (
	"context"
	"crypto/tls"
	"errors"
	"time"
)

// Position is a place in the order of a table by (created_at, id). The zero Position is before every row.
type Position struct {
	CreatedAt time.Time `json:"created_at"`
	ID        string    `json:"id"`
}

// Key is what a walk over the index alone knows of a row.
type Key struct {
	ID        string
	CreatedAt time.Time
}

// Position of the row in the order of its table.
func (k Key) Position() Position { return Position{CreatedAt: k.CreatedAt, ID: k.ID} }

// Run is a row of workflow_runs without its big columns.
type Run struct {
	Key
	TenantID, AppID, WorkflowID string
	Type, TriggeredFrom, Status string
	CreatedByRole, CreatedBy    string
	Error                       string // cut to MaxErrorLength
	ElapsedTime                 float64
	TotalTokens                 int64
	TotalSteps                  int64
	ExceptionsCount             int64
	FinishedAt                  time.Time // zero while the run has not ended
}

// Message is what a row of messages says about the call of a model. Its content is never read.
type Message struct {
	Key
	AppID               string
	Provider, Model     string // empty for a chatflow, whose calls its run tells
	WorkflowRunID       string
	InvokeFrom, Status  string
	InputTokens, Output int64
	Price               float64
	Currency            string
	Latency             float64 // seconds; 0 while there is no answer
}

// AppLog is a row of workflow_app_logs.
type AppLog struct {
	Key                         // of the row itself
	RunID, CreatedFrom          string
	TenantID, AppID, WorkflowID string // these and the next are read by a walk alone
	CreatedByRole, CreatedBy    string
}

// Node is a node execution that says how many tokens it used.
type Node struct {
	RunID, Type string
	// Metadata is the JSON of execution_metadata, empty where it is longer than MaxMetadataLength.
	Metadata string
}

// App is what apps knows of one.
type App struct {
	ID, TenantID, Name, Mode string
}

// Tenant is what tenants knows of one: a workspace, in Dify's pages.
type Tenant struct {
	ID, Name string
}

// Bounds of what is read of the long text columns.
const (
	MaxErrorLength    = 8192       // characters of workflow_runs.error
	MaxMetadataLength = 256 * 1024 // bytes of execution_metadata
)

// ErrLockHeld says that another reader holds the lock.
var ErrLockHeld = errors.New("another workflow_log receiver reads this database")

// Settings of a connection.
type Settings struct {
	Host                         string // name, address, or absolute path of a Unix socket
	Port                         int
	Username, Password, Database string
	TLS                          *tls.Config // nil: no TLS
	StatementTimeout             time.Duration
}

// Grace is added to the statement timeout on our side, so that the server's own timeout, which leaves the connection
// whole, comes first.
const Grace = 5 * time.Second

// Table is one that is followed in the order of (created_at, id).
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

// Conn is one connection to the database. It is used by one goroutine at a time. Times are UTC. After an error the
// caller closes it and connects anew.
type Conn interface {
	// Lock takes the lock that one reader holds as long as its connection lives. It answers ErrLockHeld if another
	// has it, and exclusive = false if this connection cannot hold a lock, as behind a pooler.
	Lock(ctx context.Context) (exclusive bool, err error)
	// Inspect finds out which of Dify's schemas this is. It comes before all that follows, which depends on it.
	Inspect(ctx context.Context) (Schema, error)
	// Now is the time by the database's clock.
	Now(ctx context.Context) (time.Time, error)

	// RunsAfter reads up to limit runs after a position, in order.
	RunsAfter(ctx context.Context, after Position, limit int) ([]Run, error)
	// Runs reads the given runs, in no order. Those that do not exist are not in the answer.
	Runs(ctx context.Context, ids []string) ([]Run, error)
	// MessagesAfter and Messages are the same for messages.
	MessagesAfter(ctx context.Context, after Position, limit int) ([]Message, error)
	Messages(ctx context.Context, ids []string) ([]Message, error)
	// Keys reads the keys of up to limit rows after a position up to another, in order.
	Keys(ctx context.Context, table Table, after, upTo Position, limit int) ([]Key, error)
	// Existing says which of the runs there are.
	Existing(ctx context.Context, runIDs []string) ([]string, error)

	// Details reads what other tables know of runs.
	Details(ctx context.Context, runs []*Run) ([]AppLog, []Node, error)
	// DetailsAndRunsAfter is Details of some runs, of which there is one at least, and RunsAfter, without a pause of the
	// database in between.
	DetailsAndRunsAfter(ctx context.Context, runs []*Run, after Position, limit int) ([]AppLog, []Node, []Run, error)
	Apps(ctx context.Context, ids []string) ([]App, error)
	Tenants(ctx context.Context, ids []string) ([]Tenant, error)

	// WalkAppLogs reads the next part of workflow_app_logs, about limit rows, in the order in which it is stored. The
	// walk begins at "" and has come to its end when next is "".
	WalkAppLogs(ctx context.Context, from string, limit int) (rows []AppLog, next string, err error)
	// AppLogsEnd is the place where the table grows, and "" if it grows everywhere.
	AppLogsEnd(ctx context.Context) (string, error)

	Close(ctx context.Context) error
}
